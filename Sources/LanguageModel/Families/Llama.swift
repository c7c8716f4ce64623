import Kernels

extension Family {
  /// Llama 1, 2 and 3: RMS norms, rotary embedding, grouped queries, gated feed-forward.
  ///
  /// Source: transformers, `modeling_llama.py`.
  static let llama = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription()
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    description.feedForwardBias = try configuration.flag("mlp_bias", default: false)
    return try description.decoder(configuration, files)
  }
}

/// The differences between the families derived from Llama, with Llama's values as defaults.
struct LlamaDescription {
  /// Defaults of sizes that config.json may omit.
  var vocabulary = 32000
  var width = 4096
  var feedForward = 11008
  var layers = 32
  var heads = 32
  /// nil: the number of heads.
  var keyValueHeads: Int?
  /// nil: the width divided by the number of heads.
  var headSize: Int?
  var positions = 2048
  var epsilon = 1e-6
  var isTied = false
  /// The key of the activation, and the default without that key.
  var activationKey = "hidden_act"
  var activation = "silu"
  /// The activation regardless of config.json; nil: that of config.json.
  var fixedActivation: Activation?

  /// Whether query, key and value projections have biases.
  var projectionBias = false
  var outputBias = false
  var feedForwardBias = false
  /// Whether queries, keys and values are one tensor, and gate and up another (Phi 3).
  var isFused = false
  /// Whether queries and keys are normalised.
  var hasHeadNorms = false
  /// Whether these norms span all heads together, not each head (OLMo 2).
  var headNormsSpanProjection = false
  /// The offset added to the stored gain of every norm.
  var gainOffset: Float = 0
  /// The norms of a block.
  var norms = Norms()
  /// Whether word embeddings are multiplied by √width.
  var scalesEmbeddings = false
  /// The score's scale is 1 / √ of this; nil: of the head size.
  var scaleBase: Double?
  var scoreSoftCap: Double?
  var logitSoftCap: Double?
  /// The window of each layer, nil for none; empty: no windows.
  var windows: [Int?] = []
  /// The family's differences in the rotary embedding.
  var rotary = RotaryConfiguration.Family()
  /// The rotary embeddings and the one each layer uses; nil: one for all, read in the standard way.
  var rotaries: (list: [RotaryConfiguration], ofLayer: [Int])?

  /// The tensors of a block's norms; nil: no norm.
  struct Norms {
    var beforeAttention: String? = "input_layernorm"
    var afterAttention: String?
    var beforeFeedForward: String? = "post_attention_layernorm"
    var afterFeedForward: String?
  }

  /// The decoder of this description, with the sizes of config.json.
  func decoder(_ configuration: ConfigFile, _ files: CheckpointFiles) throws -> Decoder {
    let sizes = try Sizes(configuration, self)
    let width = sizes.width, headSize = sizes.headSize
    let queries = sizes.heads * headSize, keys = sizes.keyValueHeads * headSize
    let epsilon = try configuration.positiveNumber("rms_norm_eps", default: epsilon)
    let activation = try fixedActivation ?? configuration.activation(activationKey, default: activation)
    let rotaries =
      try rotaries ?? (
        [RotaryConfiguration(configuration, headSize: headSize, positions: sizes.positions, family: rotary)],
        [Int](repeating: 0, count: sizes.layers)
      )
    func norm(_ name: String, _ size: Int) throws -> NormWeights {
      try files.rmsNorm(name, size, epsilon: epsilon, offset: gainOffset)
    }

    let blocks = try (0..<sizes.layers).map { layer in
      let name = "layers.\(layer).", projections = name + "self_attn.", mlp = name + "mlp."
      let query: LinearLayer, key: LinearLayer, value: LinearLayer, gate: LinearLayer, up: LinearLayer
      if isFused {
        let fused = try files.linear(projections + "qkv_proj", width, queries + 2 * keys, bias: projectionBias)
        (query, key, value) = fused.queriesKeysValues(queries: queries, keys: keys)
        let both = try files.linear(mlp + "gate_up_proj", width, 2 * sizes.feedForward, bias: feedForwardBias)
        gate = both.outputs(0..<sizes.feedForward)
        up = both.outputs(sizes.feedForward..<(2 * sizes.feedForward))
      } else {
        query = try files.linear(
          projections + "q_proj", width, queries, bias: projectionBias, rotatedHeads: headSize)
        key = try files.linear(projections + "k_proj", width, keys, bias: projectionBias, rotatedHeads: headSize)
        value = try files.linear(projections + "v_proj", width, keys, bias: projectionBias)
        gate = try files.linear(mlp + "gate_proj", width, sizes.feedForward, bias: feedForwardBias)
        up = try files.linear(mlp + "up_proj", width, sizes.feedForward, bias: feedForwardBias)
      }
      let attention = try Attention(
        query: query, key: key, value: value,
        output: files.linear(projections + "o_proj", queries, width, bias: outputBias),
        queryNorm: hasHeadNorms ? norm(projections + "q_norm", headNormsSpanProjection ? queries : headSize) : nil,
        keyNorm: hasHeadNorms ? norm(projections + "k_norm", headNormsSpanProjection ? keys : headSize) : nil,
        shape: AttentionShape(
          heads: sizes.heads, keyValueHeads: sizes.keyValueHeads, headSize: headSize,
          scale: Float(1 / (scaleBase ?? Double(headSize)).squareRoot()),
          window: windows.isEmpty ? nil : windows[layer], softCap: scoreSoftCap.map { Float($0) }),
        rotary: rotaries.ofLayer[layer])
      let feedForward = try FeedForward(
        gate: gate, up: up, down: files.linear(mlp + "down_proj", sizes.feedForward, width, bias: feedForwardBias),
        activation: activation)
      func blockNorm(_ part: String?) throws -> NormWeights? { try part.map { try norm(name + $0, width) } }
      return try Block(
        attention: Sublayer(
          normBefore: blockNorm(norms.beforeAttention), attention, normAfter: blockNorm(norms.afterAttention)),
        feedForward: Sublayer(
          normBefore: blockNorm(norms.beforeFeedForward), feedForward, normAfter: blockNorm(norms.afterFeedForward)))
    }
    let (words, head) = try files.wordsAndHead(
      "embed_tokens", inputs: width, outputs: sizes.vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: isTied))
    return try Decoder(
      embedding: Embedding(words: words, scale: scalesEmbeddings ? Float(width).squareRoot() : 1),
      rotaries: rotaries.list.map(\.rotary), blocks: blocks,
      head: Head(
        norm: norm("norm", width),
        vocabulary: head,
        softCap: logitSoftCap.map { Float($0) }),
      maximumPositions: rotaries.list.map(\.maximumPositions).min())
  }

  /// The sizes of config.json.
  struct Sizes {
    let vocabulary: Int
    let width: Int
    let feedForward: Int
    let layers: Int
    let heads: Int
    let keyValueHeads: Int
    let headSize: Int
    let positions: Int

    init(_ configuration: ConfigFile, _ defaults: LlamaDescription) throws {
      vocabulary = try configuration.size("vocab_size", default: defaults.vocabulary)
      width = try configuration.size("hidden_size", default: defaults.width)
      feedForward = try configuration.size("intermediate_size", default: defaults.feedForward)
      layers = try configuration.layers("num_hidden_layers", default: defaults.layers)
      heads = try configuration.size("num_attention_heads", default: defaults.heads)
      positions = try configuration.length("max_position_embeddings", default: defaults.positions)
      // A null means the number of heads; a missing key, the family's default.
      let usual = configuration.json["num_key_value_heads"] == nil ? defaults.keyValueHeads ?? heads : heads
      keyValueHeads = try configuration.keyValueHeads("num_key_value_heads", heads: heads, default: usual)
      if let given = try configuration.optionalSize("head_dim") ?? defaults.headSize {
        headSize = given
      } else {
        headSize = try configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
      }
    }
  }
}

extension ConfigFile {
  /// The layers with windows: those of `layer_types`, or else those of `isSliding`.
  func windows(_ window: Int?, layers: Int, isSliding: (Int) -> Bool) throws -> [Int?] {
    let kinds = try kinds("layer_types", of: ["full_attention", "sliding_attention"], count: layers)
    return try (0..<layers).map { layer in
      guard kinds.map({ $0[layer] == "sliding_attention" }) ?? isSliding(layer) else { return nil }
      guard let window else { throw invalid("sliding_window", "a size, since \"layer_types\" has sliding layers") }
      return window
    }
  }
}

extension GGUFArchitecture {
  /// Llama and what llama.cpp writes as it: Mistral (without its window, which the converter drops), SmolLM, TinyLlama.
  static let llama = GGUFArchitecture(
    modelType: "llama", keys: llamaKeys, tensors: llamaTensors + gatedFeedForward, pairsRotatedRows: true
  ) { configuration in
    configuration.set("attention_bias", .bool(configuration.hasQueryBias))
    configuration.set("mlp_bias", .bool(configuration.hasTensor("blk.0.ffn_gate.bias")))
    try configuration.requireWholeHeadsRotated()
  }

  /// The keys of Llama and the families derived from it.
  static let llamaKeys =
    sizes + [
      .required("intermediate_size", "feed_forward_length"),
      .required("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ]

  /// The tensors of Llama and the families derived from it, without the feed-forward.
  static let llamaTensors = [
    ("embed_tokens", "token_embd"), ("norm", "output_norm"), ("lm_head", "output"),
    ("layers.#.input_layernorm", "blk.#.attn_norm"), ("layers.#.self_attn.q_proj", "blk.#.attn_q"),
    ("layers.#.self_attn.k_proj", "blk.#.attn_k"), ("layers.#.self_attn.v_proj", "blk.#.attn_v"),
    ("layers.#.self_attn.o_proj", "blk.#.attn_output"), ("layers.#.self_attn.q_norm", "blk.#.attn_q_norm"),
    ("layers.#.self_attn.k_norm", "blk.#.attn_k_norm"),
  ]

  /// The gated feed-forward and the norm before it.
  static let gatedFeedForward =
    [("layers.#.post_attention_layernorm", "blk.#.ffn_norm")] + gatedProducts

  static let gatedProducts = [
    ("layers.#.mlp.gate_proj", "blk.#.ffn_gate"), ("layers.#.mlp.up_proj", "blk.#.ffn_up"),
    ("layers.#.mlp.down_proj", "blk.#.ffn_down"),
  ]
}
