extension Family {
  /// Gemma: Llama with gains of 1 + w, scaled embeddings and a tanh GELU.
  ///
  /// Source: transformers, `modeling_gemma.py`.
  static let gemma = Family(prefix: "model.") { configuration, files in
    var description = try LlamaDescription(gemma: configuration)
    // The first releases name "gelu" but mean the tanh approximation.
    if configuration.json["hidden_act"] == .string("gelu") { description.fixedActivation = .geluTanh }
    return try description.decoder(configuration, files)
  }

  /// Gemma 2: norms of both halves' results, soft caps, windows in every other layer.
  ///
  /// Source: transformers, `modeling_gemma2.py`.
  static let gemma2 = Family(prefix: "model.") { configuration, files in
    var description = try LlamaDescription(laterGemma: configuration, logitSoftCap: 30)
    description.scoreSoftCap = try configuration.softCap("attn_logit_softcapping", default: 50)
    let layers = try configuration.layers("num_hidden_layers", default: description.layers)
    let window = try configuration.length("sliding_window", default: 4096)
    description.windows = try configuration.windows(window, layers: layers) { $0 % 2 == 0 }
    return try description.decoder(configuration, files)
  }

  /// Gemma 3 (text): norms of heads, five layers with a window per layer without, a rotary embedding for each kind.
  ///
  /// Source: transformers, `modeling_gemma3.py`, which ignores `attn_logit_softcapping`.
  static let gemma3 = Family(prefix: "model.") { configuration, files in
    var description = try LlamaDescription(laterGemma: configuration, logitSoftCap: nil)
    description.vocabulary = 262_208
    description.positions = 131_072
    description.hasHeadNorms = true
    let sizes = try LlamaDescription.Sizes(configuration, description)
    let window = try configuration.length("sliding_window", default: 4096)
    let pattern = try configuration.length("sliding_window_pattern", "_sliding_window_pattern", default: 6)
    description.windows = try configuration.windows(window, layers: sizes.layers) { ($0 + 1) % pattern != 0 }
    description.rotaries = (
      try configuration.gemma3Rotaries(headSize: sizes.headSize, positions: sizes.positions),
      description.windows.map { $0 == nil ? 0 : 1 }
    )
    return try description.decoder(configuration, files)
  }
}

extension LlamaDescription {
  /// The traits of all Gemmas.
  fileprivate init(gemma configuration: ConfigFile) throws {
    vocabulary = 256_000
    width = 3072
    feedForward = 24576
    layers = 28
    heads = 16
    keyValueHeads = 16
    headSize = 256
    positions = 8192
    isTied = true
    activation = "gelu_pytorch_tanh"
    gainOffset = 1
    scalesEmbeddings = true
    projectionBias = try configuration.flag("attention_bias", default: false)
    outputBias = projectionBias
  }

  /// The common traits of Gemma 2 and 3.
  fileprivate init(laterGemma configuration: ConfigFile, logitSoftCap: Double?) throws {
    try self.init(gemma: configuration)
    try configuration.requireFlag("use_bidirectional_attention", false)
    width = 2304
    feedForward = 9216
    layers = 26
    heads = 8
    keyValueHeads = 4
    activationKey = "hidden_activation"
    norms = Norms(
      beforeAttention: "input_layernorm", afterAttention: "post_attention_layernorm",
      beforeFeedForward: "pre_feedforward_layernorm", afterFeedForward: "post_feedforward_layernorm")
    scaleBase = try configuration.positiveNumber("query_pre_attn_scalar", default: 256)
    self.logitSoftCap = try configuration.softCap("final_logit_softcapping", default: logitSoftCap)
  }
}

extension ConfigFile {
  /// A cap; null means none.
  fileprivate func softCap(_ key: String, default fallback: Double?) throws -> Double? {
    json[key] == nil ? fallback : try optionalPositiveNumber(key)
  }

  /// The rotary embeddings of layers without and with a window. transformers 5 has one object per kind; 4 had
  /// `rope_theta` with `rope_scaling` for the first and `rope_local_base_freq` for the second.
  fileprivate func gemma3Rotaries(headSize: Int, positions: Int) throws -> [RotaryConfiguration] {
    let nested = try section("rope_parameters")
    let full = try section("rope_scaling") ?? nested?.section("full_attention")
    let sliding = try nested?.section("sliding_attention")
    return try [
      RotaryConfiguration(
        self, parameters: full, headSize: headSize, positions: positions, family: .init(theta: 1_000_000)),
      RotaryConfiguration(
        self, parameters: sliding, headSize: headSize, positions: positions,
        family: .init(thetaKey: "rope_local_base_freq")),
    ]
  }
}

extension GGUFArchitecture {
  /// Gemma.
  static let gemma = GGUFArchitecture(
    modelType: "gemma", keys: llamaKeys, tensors: llamaTensors + gatedFeedForward
  ) { configuration in
    configuration.set("head_dim", .integer(try configuration.headSize()))
    try configuration.requireWholeHeadsRotated()
  }

  /// Gemma 2.
  static let gemma2 = GGUFArchitecture(
    modelType: "gemma2",
    keys: llamaKeys + [
      .optional("sliding_window", "attention.sliding_window"),
      .optional("attn_logit_softcapping", "attn_logit_softcapping"),
      .optional("final_logit_softcapping", "final_logit_softcapping"),
    ], tensors: laterGemmaTensors
  ) { try $0.completeLaterGemma(layersOf27B: 46) }

  /// Gemma 3.
  static let gemma3 = GGUFArchitecture(
    modelType: "gemma3_text",
    keys: llamaKeys + [
      .optional("sliding_window", "attention.sliding_window"),
      .optional("sliding_window_pattern", "attention.sliding_window_pattern"),
      .optional("final_logit_softcapping", "final_logit_softcapping"),
      .optional("rope_local_base_freq", "rope.freq_base_swa"),
    ], tensors: laterGemmaTensors
  ) { configuration in
    // Without a window, no layer has one.
    if try configuration.whole("attention.sliding_window") ?? 0 == 0 {
      configuration.set("sliding_window", .integer(1))
      configuration.set("sliding_window_pattern", .integer(1))
    }
    try configuration.completeLaterGemma(layersOf27B: 62)
  }

  private static let laterGemmaTensors =
    llamaTensors + gatedProducts + [
      ("layers.#.post_attention_layernorm", "blk.#.post_attention_norm"),
      ("layers.#.pre_feedforward_layernorm", "blk.#.ffn_norm"),
      ("layers.#.post_feedforward_layernorm", "blk.#.post_ffw_norm"),
    ]
}

extension GGUFConfiguration {
  /// The scale of scores is in no key: the models of 27B divide by √(width / heads), the others by √(head size).
  fileprivate mutating func completeLaterGemma(layersOf27B: Int) throws {
    let headSize = try headSize()
    set("head_dim", .integer(headSize))
    try requireWholeHeadsRotated()
    guard let width = integer("hidden_size"), let heads = integer("num_attention_heads"), heads > 0 else { return }
    set("query_pre_attn_scalar", .integer(integer("num_hidden_layers") == layersOf27B ? width / heads : headSize))
  }
}
