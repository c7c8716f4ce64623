import Kernels

extension Family {
  /// GPT-J: attention and feed-forward in parallel after one norm, rotary embedding of neighbouring numbers.
  ///
  /// Source: transformers, `modeling_gptj.py`.
  static let gptJ = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("n_embd", "hidden_size", default: 4096)
    let heads = try configuration.size("n_head", "num_attention_heads", default: 16)
    let positions = try configuration.length("n_positions", "max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 50400)
    let inner = try configuration.size("n_inner", default: 4 * width)
    let epsilon = try configuration.positiveNumber("layer_norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("activation_function", default: "gelu_new")
    let headSize = try configuration.headSize(width: width, heads: heads, key: "n_head")
    let turned = try configuration.size("rotary_dim", default: 64)
    guard turned % 2 == 0, turned <= headSize else {
      throw configuration.invalid("rotary_dim", "an even number of at most a head's \(headSize) numbers")
    }

    let blocks = try (0..<configuration.layers("n_layer", "num_hidden_layers", default: 28)).map { layer in
      let name = "h.\(layer)."
      let norm = try files.layerNorm(name + "ln_1", width, epsilon: epsilon)
      let attention = try Attention(
        query: files.linear(name + "attn.q_proj", width, width, bias: false),
        key: files.linear(name + "attn.k_proj", width, width, bias: false),
        value: files.linear(name + "attn.v_proj", width, width, bias: false),
        output: files.linear(name + "attn.out_proj", width, width, bias: false),
        shape: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1 / Float(headSize).squareRoot()),
        rotary: 0)
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.fc_in", width, inner, bias: true),
        down: files.linear(name + "mlp.fc_out", inner, width, bias: true), activation: activation)
      return Block(
        residual: .parallel, attention: Sublayer(normBefore: norm, attention),
        feedForward: Sublayer(normBefore: norm, feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "wte", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: false), headBias: true)
    return try Decoder(
      embedding: Embedding(words: words), rotaries: [Rotary(theta: 10000, size: turned, pairing: .neighbours)],
      blocks: blocks,
      head: Head(
        norm: files.layerNorm("ln_f", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: positions)
  }
}

extension GGUFArchitecture {
  /// GPT-J, whose names the gguf package knows and llama.cpp does not run.
  static let gptJ = GGUFArchitecture(
    modelType: "gptj",
    keys: sizes + [
      .required("n_inner", "feed_forward_length"), .required("layer_norm_epsilon", "attention.layer_norm_epsilon"),
      .required("rotary_dim", "rope.dimension_count"),
    ],
    tensors: [
      ("wte", "token_embd"), ("ln_f", "output_norm"), ("lm_head", "output"), ("h.#.ln_1", "blk.#.attn_norm"),
      ("h.#.attn.q_proj", "blk.#.attn_q"), ("h.#.attn.k_proj", "blk.#.attn_k"), ("h.#.attn.v_proj", "blk.#.attn_v"),
      ("h.#.attn.out_proj", "blk.#.attn_output"), ("h.#.mlp.fc_in", "blk.#.ffn_up"),
      ("h.#.mlp.fc_out", "blk.#.ffn_down"),
    ]
  ) { configuration in
    try configuration.requireHeadsOfWidth()
    if let theta = try configuration.number("rope.freq_base"), theta != 10000 {
      throw configuration.model.metadata.invalid("gptj.rope.freq_base", "missing or 10000")
    }
  }
}
