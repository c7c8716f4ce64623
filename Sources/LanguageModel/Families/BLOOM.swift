import Glibc
import Kernels

extension Family {
  /// BLOOM: ALiBi instead of positions, a norm after the embeddings.
  ///
  /// Source: transformers, `modeling_bloom.py`.
  static let bloom = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("n_embed", "hidden_size", default: 64)
    let heads = try configuration.size("n_head", "num_attention_heads", default: 8)
    let vocabulary = try configuration.size("vocab_size", default: 250880)
    let epsilon = try configuration.positiveNumber("layer_norm_epsilon", default: 1e-5)
    let isNormed = try configuration.flag("apply_residual_connection_post_layernorm", default: false)
    let headSize = try configuration.headSize(width: width, heads: heads, key: "n_head")

    let blocks = try (0..<configuration.layers("n_layer", "num_hidden_layers", default: 2)).map { layer in
      let name = "h.\(layer)."
      let (query, key, value) = try files.fusedProjections(
        name + "self_attention.query_key_value", width, heads: heads, keyValueHeads: heads, headSize: headSize,
        bias: true)
      let attention = try Attention(
        query: query, key: key, value: value,
        output: files.linear(name + "self_attention.dense", width, width, bias: true),
        shape: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1 / Float(headSize).squareRoot(),
          slopes: alibiSlopes(heads: heads)))
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.dense_h_to_4h", width, 4 * width, bias: true),
        down: files.linear(name + "mlp.dense_4h_to_h", 4 * width, width, bias: true), activation: .geluTanh)
      return try Block(
        attention: Sublayer(
          normBefore: files.layerNorm(name + "input_layernorm", width, epsilon: epsilon), attention,
          joining: isNormed ? .normedInput : .input),
        feedForward: Sublayer(
          normBefore: files.layerNorm(name + "post_attention_layernorm", width, epsilon: epsilon), feedForward,
          joining: isNormed ? .normedInput : .input))
    }
    let (words, head) = try files.wordsAndHead(
      "word_embeddings", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    return try Decoder(
      embedding: Embedding(
        words: words, norm: files.layerNorm("word_embeddings_layernorm", width, epsilon: epsilon)),
      blocks: blocks,
      head: Head(
        norm: files.layerNorm("ln_f", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: nil)
  }
}

extension GGUFArchitecture {
  /// BLOOM.
  static let bloom = GGUFArchitecture(
    modelType: "bloom",
    keys: sizes + [
      .required("n_head", "attention.head_count"), .required("layer_norm_epsilon", "attention.layer_norm_epsilon"),
    ],
    tensors: [
      ("word_embeddings", "token_embd"), ("word_embeddings_layernorm", "token_embd_norm"), ("ln_f", "output_norm"),
      ("lm_head", "output"), ("h.#.input_layernorm", "blk.#.attn_norm"),
      ("h.#.self_attention.query_key_value", "blk.#.attn_qkv"), ("h.#.self_attention.dense", "blk.#.attn_output"),
      ("h.#.post_attention_layernorm", "blk.#.ffn_norm"), ("h.#.mlp.dense_h_to_4h", "blk.#.ffn_up"),
      ("h.#.mlp.dense_4h_to_h", "blk.#.ffn_down"),
    ]
  ) { try $0.requireHeadsOfWidth() }
}

/// The slopes of ALiBi (arXiv 2108.12409): 2^(-8 i / P) for i = 1 … P, the largest power of two that is not more than
/// the heads; the remaining heads get every other slope of 2 P.
func alibiSlopes(heads: Int) -> [Float] {
  var power = 1
  while 2 * power <= heads { power *= 2 }
  return (0..<heads).map { head in
    let exponent =
      head < power ? 8 * Double(head + 1) / Double(power) : 4 * Double(2 * (head - power) + 1) / Double(power)
    return Float(pow(2, -exponent))
  }
}
