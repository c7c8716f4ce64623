import Kernels

extension Family {
  /// Gemma: Llama with gains of 1 + w, scaled embeddings and a tanh GELU.
  ///
  /// Source: transformers, `modeling_gemma.py`.
  static let gemma = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription.gemma
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    // The first releases say "gelu" and mean the tanh approximation.
    description.activationKey = configuration.json["hidden_act"] == .string("gelu") ? nil : "hidden_act"
    return try description.decoder(configuration, files)
  }

  /// Gemma 2: norms of both halves' results, soft caps, windows in every other layer.
  ///
  /// Source: transformers, `modeling_gemma2.py`.
  static let gemma2 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription.gemma
    description.width = 2304
    description.feedForward = 9216
    description.layers = 26
    description.heads = 8
    description.keyValueHeads = 4
    description.activationKey = "hidden_activation"
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    description.hasOutputNorms = true
    description.scaleBase = try configuration.positiveNumber("query_pre_attn_scalar", default: 256)
    description.scoreSoftCap = try configuration.softCap("attn_logit_softcapping", default: 50)
    description.logitSoftCap = try configuration.softCap("final_logit_softcapping", default: 30)
    try configuration.requireFlag("use_bidirectional_attention", false)
    let layers = try configuration.size("num_hidden_layers", default: description.layers)
    let window = try configuration.size("sliding_window", default: 4096)
    description.windows = try configuration.windows(window, layers: layers) { $0 % 2 == 0 }
    return try description.decoder(configuration, files)
  }

  /// Gemma 3 (text): norms of heads, five layers with a window to one without, a rotary embedding for each kind.
  ///
  /// Source: transformers, `modeling_gemma3.py`.
  static let gemma3 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription.gemma
    description.vocabulary = 262_208
    description.width = 2304
    description.feedForward = 9216
    description.layers = 26
    description.heads = 8
    description.keyValueHeads = 4
    description.positions = 131_072
    description.activationKey = "hidden_activation"
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    description.hasHeadNorms = true
    description.hasOutputNorms = true
    description.scaleBase = try configuration.positiveNumber("query_pre_attn_scalar", default: 256)
    description.logitSoftCap = try configuration.softCap("final_logit_softcapping", default: nil)
    try configuration.requireFlag("use_bidirectional_attention", false)
    let sizes = try LlamaDescription.Sizes(configuration, description)
    let window = try configuration.size("sliding_window", default: 4096)
    let pattern = try configuration.size("sliding_window_pattern", "_sliding_window_pattern", default: 6)
    description.windows = try configuration.windows(window, layers: sizes.layers) { ($0 + 1) % pattern != 0 }
    description.rotaries = (
      try configuration.gemma3Rotaries(headSize: sizes.headSize, positions: sizes.positions),
      description.windows.map { $0 == nil ? 0 : 1 }
    )
    return try description.decoder(configuration, files)
  }
}

extension LlamaDescription {
  fileprivate static var gemma: LlamaDescription {
    var description = LlamaDescription()
    description.vocabulary = 256_000
    description.width = 3072
    description.feedForward = 24576
    description.layers = 28
    description.heads = 16
    description.keyValueHeads = 16
    description.headSize = 256
    description.positions = 8192
    description.isTied = true
    description.activation = "gelu_pytorch_tanh"
    description.gainOffset = 1
    description.scalesEmbeddings = true
    return description
  }
}

extension ConfigFile {
  /// A cap, where null means none.
  fileprivate func softCap(_ key: String, default fallback: Double?) throws -> Double? {
    json[key] == nil ? fallback : try optionalPositiveNumber(key)
  }

  /// The rotary embeddings of layers without and with a window. transformers 5 has an object a kind; 4 had
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
