import Kernels

extension Family {
  /// Phi 1, 1.5 and 2: attention and feed-forward in parallel after one norm, partial rotary embedding, biases.
  ///
  /// Source: transformers, `modeling_phi.py`.
  static let phi = Family(prefix: "model.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 2048)
    let heads = try configuration.size("num_attention_heads", default: 32)
    let keyValueHeads = try configuration.keyValueHeads("num_key_value_heads", heads: heads, default: heads)
    let positions = try configuration.length("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 51200)
    let inner = try configuration.size("intermediate_size", default: 8192)
    let epsilon = try configuration.positiveNumber("layer_norm_eps", default: 1e-5)
    let activation = try configuration.activation("hidden_act", default: "gelu_new")
    let hasHeadNorms = try configuration.flag("qk_layernorm", default: false)
    let headSize =
      try configuration.optionalSize("head_dim")
      ?? configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let queries = heads * headSize, keys = keyValueHeads * headSize
    let rotary = try RotaryConfiguration(
      configuration, headSize: headSize, positions: positions, family: .init(partial: ("partial_rotary_factor", 0.5)))

    let blocks = try (0..<configuration.layers("num_hidden_layers", default: 24)).map { layer in
      let name = "layers.\(layer).", projections = name + "self_attn."
      let norm = try files.layerNorm(name + "input_layernorm", width, epsilon: epsilon)
      func headNorm(_ part: String) throws -> NormWeights? {
        try hasHeadNorms ? files.layerNorm(projections + part, headSize, epsilon: epsilon) : nil
      }
      let attention = try Attention(
        query: files.linear(projections + "q_proj", width, queries, bias: true),
        key: files.linear(projections + "k_proj", width, keys, bias: true),
        value: files.linear(projections + "v_proj", width, keys, bias: true),
        output: files.linear(projections + "dense", queries, width, bias: true),
        queryNorm: headNorm("q_layernorm"), keyNorm: headNorm("k_layernorm"),
        shape: AttentionShape(
          heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, scale: 1 / Float(headSize).squareRoot()),
        rotary: 0)
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.fc1", width, inner, bias: true),
        down: files.linear(name + "mlp.fc2", inner, width, bias: true), activation: activation)
      return Block(
        residual: .parallel, attention: Sublayer(normBefore: norm, attention),
        feedForward: Sublayer(normBefore: norm, feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "embed_tokens", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: false), headBias: true)
    return try Decoder(
      embedding: Embedding(words: words), rotaries: [rotary.rotary], blocks: blocks,
      head: Head(
        norm: files.layerNorm("final_layernorm", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: rotary.maximumPositions)
  }

  /// Phi 3: Llama with fused projections and, usually, a window.
  ///
  /// Source: transformers, `modeling_phi3.py`.
  static let phi3 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription()
    description.vocabulary = 32064
    description.width = 3072
    description.feedForward = 8192
    description.positions = 4096
    description.epsilon = 1e-5
    description.isFused = true
    description.rotary = .init(partial: ("partial_rotary_factor", 1), originalPositions: 4096)
    let layers = try configuration.layers("num_hidden_layers", default: description.layers)
    description.windows = [Int?](repeating: try configuration.optionalLength("sliding_window"), count: layers)
    return try description.decoder(configuration, files)
  }
}

extension GGUFArchitecture {
  /// Phi 1, 1.5 and 2.
  static let phi2 = GGUFArchitecture(
    modelType: "phi",
    keys: sizes + [.required("layer_norm_eps", "attention.layer_norm_epsilon")],
    tensors: [
      ("embed_tokens", "token_embd"), ("final_layernorm", "output_norm"), ("lm_head", "output"),
      ("layers.#.input_layernorm", "blk.#.attn_norm"), ("layers.#.self_attn.q_proj", "blk.#.attn_q"),
      ("layers.#.self_attn.k_proj", "blk.#.attn_k"), ("layers.#.self_attn.v_proj", "blk.#.attn_v"),
      ("layers.#.self_attn.dense", "blk.#.attn_output"), ("layers.#.mlp.fc1", "blk.#.ffn_up"),
      ("layers.#.mlp.fc2", "blk.#.ffn_down"),
    ]
  ) { configuration in
    configuration.setFeedForward("intermediate_size")
    try configuration.setRotatedShare("partial_rotary_factor")
  }

  /// Phi 3.
  static let phi3 = GGUFArchitecture(
    modelType: "phi3", keys: llamaKeys + [.optional("sliding_window", "attention.sliding_window")],
    tensors: llamaTensors + [
      ("layers.#.self_attn.qkv_proj", "blk.#.attn_qkv"), ("layers.#.post_attention_layernorm", "blk.#.ffn_norm"),
      ("layers.#.mlp.gate_up_proj", "blk.#.ffn_up"), ("layers.#.mlp.down_proj", "blk.#.ffn_down"),
    ]
  ) { configuration in
    try configuration.setRotatedShare("partial_rotary_factor")
    // llama.cpp's converter writes 0 for none.
    if configuration.integer("sliding_window") == 0 { configuration.set("sliding_window", .null) }
  }
}
