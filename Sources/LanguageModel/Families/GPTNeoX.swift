import Kernels

extension Family {
  /// GPT-NeoX and Pythia: attention and feed-forward in parallel, each after its own norm, partial rotary embedding.
  ///
  /// Source: transformers, `modeling_gpt_neox.py`.
  static let gptNeoX = Family(prefix: "gpt_neox.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 6144)
    let heads = try configuration.size("num_attention_heads", default: 64)
    let positions = try configuration.length("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 50432)
    let inner = try configuration.size("intermediate_size", default: 24576)
    let epsilon = try configuration.positiveNumber("layer_norm_eps", default: 1e-5)
    let activation = try configuration.activation("hidden_act", default: "gelu")
    let isParallel = try configuration.flag("use_parallel_residual", default: true)
    let bias = try configuration.flag("attention_bias", default: true)
    let headSize = try configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let rotary = try RotaryConfiguration(
      configuration, headSize: headSize, positions: positions,
      family: .init(thetaKey: "rotary_emb_base", partial: ("rotary_pct", 0.25)))

    let blocks = try (0..<configuration.layers("num_hidden_layers", default: 44)).map { layer in
      let name = "layers.\(layer)."
      let (query, key, value) = try files.fusedProjections(
        name + "attention.query_key_value", width, heads: heads, keyValueHeads: heads, headSize: headSize, bias: bias)
      let attention = try Attention(
        query: query, key: key, value: value,
        output: files.linear(name + "attention.dense", width, width, bias: bias),
        shape: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1 / Float(headSize).squareRoot()),
        rotary: 0)
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.dense_h_to_4h", width, inner, bias: true),
        down: files.linear(name + "mlp.dense_4h_to_h", inner, width, bias: true), activation: activation)
      func norm(_ part: String) throws -> NormWeights { try files.layerNorm(name + part, width, epsilon: epsilon) }
      return try Block(
        residual: isParallel ? .parallel : .sequential,
        attention: Sublayer(normBefore: norm("input_layernorm"), attention),
        feedForward: Sublayer(normBefore: norm("post_attention_layernorm"), feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "embed_in", heads: ["embed_out", "lm_head"], inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: false))
    return try Decoder(
      embedding: Embedding(words: words), rotaries: [rotary.rotary], blocks: blocks,
      head: Head(
        norm: files.layerNorm("final_layer_norm", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: rotary.maximumPositions)
  }
}

extension GGUFArchitecture {
  /// GPT-NeoX and Pythia.
  static let gptNeoX = GGUFArchitecture(
    modelType: "gpt_neox",
    keys: sizes + [
      .required("intermediate_size", "feed_forward_length"),
      .required("layer_norm_eps", "attention.layer_norm_epsilon"),
      .optional("use_parallel_residual", "use_parallel_residual"), .optional("rotary_emb_base", "rope.freq_base"),
    ],
    tensors: [
      ("embed_in", "token_embd"), ("final_layer_norm", "output_norm"), ("embed_out", "output"),
      ("layers.#.input_layernorm", "blk.#.attn_norm"), ("layers.#.attention.query_key_value", "blk.#.attn_qkv"),
      ("layers.#.attention.dense", "blk.#.attn_output"), ("layers.#.post_attention_layernorm", "blk.#.ffn_norm"),
      ("layers.#.mlp.dense_h_to_4h", "blk.#.ffn_up"), ("layers.#.mlp.dense_4h_to_h", "blk.#.ffn_down"),
    ]
  ) { configuration in
    configuration.set("attention_bias", .bool(configuration.hasTensor("blk.0.attn_qkv.bias")))
    try configuration.requireHeadsOfWidth()
    try configuration.setRotatedShare("rotary_pct")
    // The activation is in no key; GPT-NeoX-20B differs from all others.
    if configuration.integer("num_hidden_layers") == 44, configuration.integer("hidden_size") == 6144 {
      configuration.set("hidden_act", .string("gelu_fast"))
    }
  }
}
