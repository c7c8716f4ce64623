import Kernels

extension Family {
  /// StarCoder2: layer norms with biases, grouped queries, rotary embedding, a window.
  ///
  /// Source: transformers, `modeling_starcoder2.py`.
  static let starCoder2 = Family(prefix: "model.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 3072)
    let heads = try configuration.size("num_attention_heads", default: 24)
    let keyValueHeads = try configuration.keyValueHeads("num_key_value_heads", heads: heads, default: 2)
    let positions = try configuration.length("max_position_embeddings", default: 4096)
    let vocabulary = try configuration.size("vocab_size", default: 49152)
    let inner = try configuration.size("intermediate_size", default: 12288)
    let epsilon = try configuration.positiveNumber("norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("hidden_act", default: "gelu_pytorch_tanh")
    let bias = try configuration.flag("use_bias", default: true)
    let window = try configuration.optionalLength("sliding_window")
    let headSize =
      try configuration.optionalSize("head_dim")
      ?? configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let queries = heads * headSize, keys = keyValueHeads * headSize
    let rotary = try RotaryConfiguration(configuration, headSize: headSize, positions: positions)

    let blocks = try (0..<configuration.layers("num_hidden_layers", default: 30)).map { layer in
      let name = "layers.\(layer).", projections = name + "self_attn."
      let attention = try Attention(
        query: files.linear(projections + "q_proj", width, queries, bias: bias),
        key: files.linear(projections + "k_proj", width, keys, bias: bias),
        value: files.linear(projections + "v_proj", width, keys, bias: bias),
        output: files.linear(projections + "o_proj", queries, width, bias: bias),
        shape: AttentionShape(
          heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, scale: 1 / Float(headSize).squareRoot(),
          window: window),
        rotary: 0)
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.c_fc", width, inner, bias: bias),
        down: files.linear(name + "mlp.c_proj", inner, width, bias: bias), activation: activation)
      func norm(_ part: String) throws -> NormWeights { try files.layerNorm(name + part, width, epsilon: epsilon) }
      return try Block(
        attention: Sublayer(normBefore: norm("input_layernorm"), attention),
        feedForward: Sublayer(normBefore: norm("post_attention_layernorm"), feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "embed_tokens", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    return try Decoder(
      embedding: Embedding(words: words), rotaries: [rotary.rotary], blocks: blocks,
      head: Head(
        norm: files.layerNorm("norm", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: rotary.maximumPositions)
  }
}

extension GGUFArchitecture {
  /// StarCoder2.
  static let starCoder2 = GGUFArchitecture(
    modelType: "starcoder2",
    keys: sizes + [
      .required("intermediate_size", "feed_forward_length"), .required("norm_epsilon", "attention.layer_norm_epsilon"),
      .optional("sliding_window", "attention.sliding_window"),
    ],
    tensors: llamaTensors + [
      ("layers.#.post_attention_layernorm", "blk.#.ffn_norm"), ("layers.#.mlp.c_fc", "blk.#.ffn_up"),
      ("layers.#.mlp.c_proj", "blk.#.ffn_down"),
    ]
  ) { configuration in
    configuration.set("use_bias", .bool(configuration.hasQueryBias))
    try configuration.requireWholeHeadsRotated()
  }
}
