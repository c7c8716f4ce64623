extension Family {
  /// OLMo 2: Llama with norms of both halves' results instead of their inputs, and of whole query and key projections.
  ///
  /// Source: transformers, `modeling_olmo2.py`.
  static let olmo2 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription()
    description.vocabulary = 50304
    description.epsilon = 1e-5
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    description.hasHeadNorms = true
    description.headNormsSpanProjection = true
    description.norms = LlamaDescription.Norms(
      beforeAttention: nil, afterAttention: "post_attention_layernorm",
      beforeFeedForward: nil, afterFeedForward: "post_feedforward_layernorm")
    return try description.decoder(configuration, files)
  }
}

extension GGUFArchitecture {
  /// OLMo 2; OLMo 3 has the same name and is refused.
  static let olmo2 = GGUFArchitecture(
    modelType: "olmo2", keys: llamaKeys,
    tensors: llamaTensors + gatedProducts + [
      ("layers.#.post_attention_layernorm", "blk.#.post_attention_norm"),
      ("layers.#.post_feedforward_layernorm", "blk.#.post_ffw_norm"),
    ]
  ) { configuration in
    if configuration.model.metadata["olmo2.attention.sliding_window"] != nil {
      throw configuration.model.metadata.invalid("olmo2.attention.sliding_window", "missing; cpt does not know OLMo 3")
    }
    try configuration.requireWholeHeadsRotated()
  }
}
