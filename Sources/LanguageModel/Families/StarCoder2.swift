import Kernels

extension Family {
  /// StarCoder2: layer norms with biases, grouped queries, rotary embedding, a window.
  ///
  /// Source: transformers, `modeling_starcoder2.py`.
  static let starCoder2 = Family(prefix: "model.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 3072)
    let heads = try configuration.size("num_attention_heads", default: 24)
    let keyValueHeads = try configuration.keyValueHeads("num_key_value_heads", heads: heads, default: 2)
    let positions = try configuration.size("max_position_embeddings", default: 4096)
    let vocabulary = try configuration.size("vocab_size", default: 49152)
    let feedForward = try configuration.size("intermediate_size", default: 12288)
    let epsilon = try configuration.positiveNumber("norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("hidden_act", default: "gelu_pytorch_tanh")
    let bias = try configuration.flag("use_bias", default: true)
    let window = try configuration.optionalSize("sliding_window")
    let headSize =
      try configuration.optionalSize("head_dim")
      ?? configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let queries = heads * headSize, keys = keyValueHeads * headSize
    let rotary = try RotaryConfiguration(configuration, headSize: headSize, positions: positions)

    let blocks = try (0..<configuration.size("num_hidden_layers", default: 30)).map { layer in
      let name = "layers.\(layer).", attention = name + "self_attn."
      return try Block(
        attentionNorm: files.layerNorm(name + "input_layernorm", width, epsilon: epsilon),
        query: files.linear(attention + "q_proj", width, queries, bias: bias),
        key: files.linear(attention + "k_proj", width, keys, bias: bias),
        value: files.linear(attention + "v_proj", width, keys, bias: bias),
        rotary: 0,
        attention: AttentionShape(
          heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, scale: 1 / Float(headSize).squareRoot(),
          window: window),
        attentionOutput: files.linear(attention + "o_proj", queries, width, bias: bias),
        feedForwardNorm: files.layerNorm(name + "post_attention_layernorm", width, epsilon: epsilon),
        up: files.linear(name + "mlp.c_fc", width, feedForward, bias: bias),
        down: files.linear(name + "mlp.c_proj", feedForward, width, bias: bias),
        activation: activation)
    }
    let words = try files.weight("embed_tokens.weight", inputs: width, outputs: vocabulary)
    return try Decoder(
      wordEmbeddings: words, rotaries: [rotary.rotary], blocks: blocks,
      finalNorm: files.layerNorm("norm", width, epsilon: epsilon),
      head: files.head(words: words, isTied: configuration.flag("tie_word_embeddings", default: true)),
      maximumPositions: rotary.maximumPositions)
  }
}
