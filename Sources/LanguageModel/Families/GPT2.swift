import Kernels

extension Family {
  /// GPT-2: learned positions, layer norms before attention and feed-forward, fused query-key-value projection.
  ///
  /// Projections are Conv1D, stored [inputs, outputs]. Source: transformers, `modeling_gpt2.py`.
  static let gpt2 = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("n_embd", "hidden_size", default: 768)
    let heads = try configuration.size("n_head", "num_attention_heads", default: 12)
    let positions = try configuration.length("n_positions", "max_position_embeddings", default: 1024)
    let vocabulary = try configuration.size("vocab_size", default: 50257)
    let inner = try configuration.size("n_inner", default: 4 * width)
    let epsilon = try configuration.positiveNumber("layer_norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("activation_function", default: "gelu_new")
    let scaled = try configuration.flag("scale_attn_weights", default: true)
    let scaledByLayer = try configuration.flag("scale_attn_by_inverse_layer_idx", default: false)
    let headSize = try configuration.headSize(width: width, heads: heads, key: "n_head")
    try configuration.requireFlag("add_cross_attention", false)

    let blocks = try (0..<configuration.layers("n_layer", "num_hidden_layers", default: 12)).map { layer in
      let name = "h.\(layer)."
      let (query, key, value) = try files.linear(
        name + "attn.c_attn", width, 3 * width, bias: true, layout: .inputMajor
      ).queriesKeysValues(queries: width, keys: width)
      var scale: Float = scaled ? 1 / Float(headSize).squareRoot() : 1
      if scaledByLayer { scale /= Float(layer + 1) }
      let attention = try Attention(
        query: query, key: key, value: value,
        output: files.linear(name + "attn.c_proj", width, width, bias: true, layout: .inputMajor),
        shape: AttentionShape(heads: heads, keyValueHeads: heads, headSize: headSize, scale: scale))
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.c_fc", width, inner, bias: true, layout: .inputMajor),
        down: files.linear(name + "mlp.c_proj", inner, width, bias: true, layout: .inputMajor),
        activation: activation)
      return try Block(
        attention: Sublayer(normBefore: files.layerNorm(name + "ln_1", width, epsilon: epsilon), attention),
        feedForward: Sublayer(normBefore: files.layerNorm(name + "ln_2", width, epsilon: epsilon), feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "wte", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    return try Decoder(
      embedding: Embedding(
        words: words, positions: files.weight("wpe.weight", inputs: width, outputs: positions)),
      blocks: blocks,
      head: Head(
        norm: files.layerNorm("ln_f", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: positions)
  }
}

extension GGUFArchitecture {
  /// GPT-2.
  static let gpt2 = GGUFArchitecture(
    modelType: "gpt2",
    keys: sizes + [
      .required("layer_norm_epsilon", "attention.layer_norm_epsilon")
    ],
    tensors: [
      ("wte", "token_embd"), ("wpe", "position_embd"), ("ln_f", "output_norm"), ("lm_head", "output"),
      ("h.#.ln_1", "blk.#.attn_norm"), ("h.#.attn.c_attn", "blk.#.attn_qkv"), ("h.#.attn.c_proj", "blk.#.attn_output"),
      ("h.#.ln_2", "blk.#.ffn_norm"), ("h.#.mlp.c_fc", "blk.#.ffn_up"), ("h.#.mlp.c_proj", "blk.#.ffn_down"),
    ]
  ) { configuration in
    configuration.setFeedForward("n_inner")
    try configuration.requireHeadsOfWidth()
  }
}
