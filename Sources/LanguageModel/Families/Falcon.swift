import Kernels

extension Family {
  /// Falcon: 7B has one norm and one key-value head, 40B two norms and grouped queries, RW sequential halves and ALiBi.
  ///
  /// Source: transformers, `modeling_falcon.py`.
  static let falcon = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("n_embed", "hidden_size", default: 4544)
    let heads = try configuration.size("num_attention_heads", "n_head", default: 71)
    let positions = try configuration.length("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 65024)
    let inner = try configuration.size("ffn_hidden_size", default: 4 * width)
    let epsilon = try configuration.positiveNumber("layer_norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("activation", default: "gelu")
    let isNew = try configuration.flag("new_decoder_architecture", default: false)
    let isParallel = try configuration.flag("parallel_attn", default: true)
    guard isParallel || !isNew else {
      throw configuration.invalid("parallel_attn", "true with new_decoder_architecture")
    }
    let hasOneKeyValueHead = try !isNew && configuration.flag("multi_query", default: true)
    let ownKeyValueHeads = isNew ? try configuration.keyValueHeads("num_kv_heads", heads: heads, default: heads) : heads
    let keyValueHeads = hasOneKeyValueHead ? 1 : ownKeyValueHeads
    let hasALiBi = try configuration.flag("alibi", default: false)
    let bias = try configuration.flag("bias", default: false)
    let hasTwoNorms = try isNew && configuration.size("num_ln_in_parallel_attn", default: 2) == 2
    let headSize = try configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let rotary = try hasALiBi ? nil : RotaryConfiguration(configuration, headSize: headSize, positions: positions)
    let scale = 1 / Float(headSize).squareRoot()

    let blocks = try (0..<configuration.layers("num_hidden_layers", "n_layer", default: 32)).map { layer in
      let name = "h.\(layer)."
      let (query, key, value) = try files.fusedProjections(
        name + "self_attention.query_key_value", width, heads: heads, keyValueHeads: keyValueHeads, headSize: headSize,
        bias: bias)
      let attention = try Attention(
        query: query, key: key, value: value,
        output: files.linear(name + "self_attention.dense", width, width, bias: bias),
        shape: AttentionShape(
          heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, scale: scale,
          // They are scaled like the scores.
          slopes: hasALiBi ? alibiSlopes(heads: heads).map { roundedToBFloat16($0) * scale } : []),
        rotary: rotary == nil ? nil : 0)
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.dense_h_to_4h", width, inner, bias: bias),
        down: files.linear(name + "mlp.dense_4h_to_h", inner, width, bias: bias), activation: activation)
      func norm(_ part: String) throws -> NormWeights { try files.layerNorm(name + part, width, epsilon: epsilon) }
      let first = try norm(hasTwoNorms ? "ln_attn" : "input_layernorm")
      let second = try hasTwoNorms ? norm("ln_mlp") : isParallel ? first : norm("post_attention_layernorm")
      return Block(
        residual: isParallel ? .parallel : .sequential, attention: Sublayer(normBefore: first, attention),
        feedForward: Sublayer(normBefore: second, feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "word_embeddings", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    return try Decoder(
      embedding: Embedding(words: words), rotaries: rotary.map { [$0.rotary] } ?? [], blocks: blocks,
      head: Head(
        norm: files.layerNorm("ln_f", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: hasALiBi ? nil : positions)
  }
}

extension GGUFArchitecture {
  /// Falcon 7B, 11B and 40B; llama.cpp does not know the models with ALiBi.
  static let falcon = GGUFArchitecture(
    modelType: "falcon",
    keys: sizes + [
      .required("layer_norm_epsilon", "attention.layer_norm_epsilon"),
      .optional("num_kv_heads", "attention.head_count_kv"),
    ],
    tensors: [
      ("word_embeddings", "token_embd"), ("ln_f", "output_norm"), ("lm_head", "output"),
      ("h.#.input_layernorm", "blk.#.attn_norm"), ("h.#.ln_mlp", "blk.#.attn_norm"),
      ("h.#.ln_attn", "blk.#.attn_norm_2"), ("h.#.self_attention.query_key_value", "blk.#.attn_qkv"),
      ("h.#.self_attention.dense", "blk.#.attn_output"), ("h.#.mlp.dense_h_to_4h", "blk.#.ffn_up"),
      ("h.#.mlp.dense_4h_to_h", "blk.#.ffn_down"),
    ]
  ) { configuration in
    configuration.setFeedForward("ffn_hidden_size")
    try configuration.requireHeadsOfWidth()
    try configuration.requireWholeHeadsRotated()
    let hasTwoNorms = configuration.hasTensor("blk.0.attn_norm_2.weight")
    let isNew = try hasTwoNorms || configuration.whole("attention.head_count_kv") ?? 1 > 1
    configuration.set("new_decoder_architecture", .bool(isNew))
    configuration.set("num_ln_in_parallel_attn", .integer(hasTwoNorms ? 2 : 1))
    configuration.set("bias", .bool(configuration.hasTensor("blk.0.attn_qkv.bias")))
  }
}

/// The nearest bfloat16, ties to even, the format of Falcon's slopes.
private func roundedToBFloat16(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
}
