import Kernels

extension Family {
  /// Falcon: 7B has one norm and one head of keys and values, 40B two norms and grouped queries, RW is plain with ALiBi.
  ///
  /// Source: transformers, `modeling_falcon.py`.
  static let falcon = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("n_embed", "hidden_size", default: 4544)
    let heads = try configuration.size("num_attention_heads", "n_head", default: 71)
    let positions = try configuration.size("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 65024)
    let feedForward = try configuration.size("ffn_hidden_size", default: 4 * width)
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

    let blocks = try (0..<configuration.size("num_hidden_layers", "n_layer", default: 32)).map { layer in
      let name = "h.\(layer)."
      // Group by group: the queries that share a head of keys and values, its keys, its values.
      let shared = heads / keyValueHeads
      let group = (shared + 2) * headSize
      let fused = try files.linear(
        name + "self_attention.query_key_value", width, keyValueHeads * group, bias: bias)
      return try Block(
        residual: isParallel ? .parallel : .sequential,
        attentionNorm: files.layerNorm(name + (hasTwoNorms ? "ln_attn" : "input_layernorm"), width, epsilon: epsilon),
        query: fused.outputs(from: 0, run: shared * headSize, ofEvery: group),
        key: fused.outputs(from: shared * headSize, run: headSize, ofEvery: group),
        value: fused.outputs(from: (shared + 1) * headSize, run: headSize, ofEvery: group),
        rotary: rotary == nil ? nil : 0,
        attention: AttentionShape(
          heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, scale: scale,
          // They are scaled as the scores are.
          slopes: hasALiBi ? alibiSlopes(heads: heads).map { roundedToBFloat16($0) * scale } : []),
        attentionOutput: files.linear(name + "self_attention.dense", width, width, bias: bias),
        feedForwardNorm: hasTwoNorms
          ? files.layerNorm(name + "ln_mlp", width, epsilon: epsilon)
          : isParallel ? nil : files.layerNorm(name + "post_attention_layernorm", width, epsilon: epsilon),
        up: files.linear(name + "mlp.dense_h_to_4h", width, feedForward, bias: bias),
        down: files.linear(name + "mlp.dense_4h_to_h", feedForward, width, bias: bias),
        activation: activation)
    }
    let words = try files.weight("word_embeddings.weight", inputs: width, outputs: vocabulary)
    return try Decoder(
      wordEmbeddings: words, rotaries: rotary.map { [$0.rotary] } ?? [], blocks: blocks,
      finalNorm: files.layerNorm("ln_f", width, epsilon: epsilon),
      head: files.head(words: words, isTied: configuration.flag("tie_word_embeddings", default: true)),
      maximumPositions: hasALiBi ? nil : positions)
  }
}

/// The nearest bfloat16, ties to even; Falcon's slopes are kept so.
private func roundedToBFloat16(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
}
