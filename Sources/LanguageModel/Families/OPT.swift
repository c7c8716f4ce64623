import Kernels

extension Family {
  /// OPT: learned positions from row 2 on; the 350m model has norms after each half and narrower embeddings.
  ///
  /// Source: transformers, `modeling_opt.py`.
  static let opt = Family(prefix: "model.decoder.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 768)
    let embeddingWidth = try configuration.size("word_embed_proj_dim", default: width)
    let heads = try configuration.size("num_attention_heads", default: 12)
    let positions = try configuration.length("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 50272)
    let inner = try configuration.size("ffn_dim", default: 3072)
    let activation = try configuration.activation("activation_function", default: "relu")
    let bias = try configuration.flag("enable_bias", default: true)
    let isAffine = try configuration.flag("layer_norm_elementwise_affine", default: true)
    let normsBefore = try configuration.flag("do_layer_norm_before", default: true)
    let hasFinalNorm = try normsBefore && !configuration.flag("_remove_final_layer_norm", default: false)
    let headSize = try configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let offset = 2
    func norm(_ name: String) throws -> NormWeights {
      isAffine
        ? try files.layerNorm(name, width, epsilon: 1e-5)
        : NormWeights(gain: [Float](repeating: 1, count: width), epsilon: 1e-5)
    }

    let blocks = try (0..<configuration.layers("num_hidden_layers", default: 12)).map { layer in
      let name = "layers.\(layer)."
      let attention = try Attention(
        query: files.linear(name + "self_attn.q_proj", width, width, bias: bias),
        key: files.linear(name + "self_attn.k_proj", width, width, bias: bias),
        value: files.linear(name + "self_attn.v_proj", width, width, bias: bias),
        output: files.linear(name + "self_attn.out_proj", width, width, bias: bias),
        shape: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1 / Float(headSize).squareRoot()))
      let feedForward = try FeedForward(
        up: files.linear(name + "fc1", width, inner, bias: bias),
        down: files.linear(name + "fc2", inner, width, bias: bias), activation: activation)
      let first = try norm(name + "self_attn_layer_norm"), second = try norm(name + "final_layer_norm")
      return normsBefore
        ? Block(
          attention: Sublayer(normBefore: first, attention),
          feedForward: Sublayer(normBefore: second, feedForward))
        : Block(
          attention: Sublayer(attention, normAfter: first, joining: .beforeNorm),
          feedForward: Sublayer(feedForward, normAfter: second, joining: .beforeNorm))
    }
    let (words, head) = try files.wordsAndHead(
      "embed_tokens", inputs: embeddingWidth, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    let isProjected = embeddingWidth != width
    return try Decoder(
      embedding: Embedding(
        words: words, projection: isProjected ? files.linear("project_in", embeddingWidth, width, bias: false) : nil,
        positions: files.weight("embed_positions.weight", inputs: width, outputs: positions + offset),
        positionOffset: offset),
      blocks: blocks,
      head: Head(
        norm: hasFinalNorm ? norm("final_layer_norm") : nil,
        projection: isProjected ? files.linear("project_out", width, embeddingWidth, bias: false) : nil,
        vocabulary: head),
      maximumPositions: positions)
  }
}
