import Kernels

extension Family {
  /// GPT-NeoX and Pythia: attention and feed-forward side by side behind two norms, partial rotary embedding.
  ///
  /// Source: transformers, `modeling_gpt_neox.py`.
  static let gptNeoX = Family(prefix: "gpt_neox.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 6144)
    let heads = try configuration.size("num_attention_heads", default: 64)
    let positions = try configuration.size("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 50432)
    let feedForward = try configuration.size("intermediate_size", default: 24576)
    let epsilon = try configuration.positiveNumber("layer_norm_eps", default: 1e-5)
    let activation = try configuration.activation("hidden_act", default: "gelu")
    let isParallel = try configuration.flag("use_parallel_residual", default: true)
    let bias = try configuration.flag("attention_bias", default: true)
    let headSize = try configuration.headSize(width: width, heads: heads, key: "num_attention_heads")
    let rotary = try RotaryConfiguration(
      configuration, headSize: headSize, positions: positions,
      family: .init(thetaKey: "rotary_emb_base", partial: ("rotary_pct", 0.25)))

    let blocks = try (0..<configuration.size("num_hidden_layers", default: 44)).map { layer in
      let name = "layers.\(layer)."
      let fused = try files.linear(name + "attention.query_key_value", width, 3 * width, bias: bias)
      return try Block(
        residual: isParallel ? .parallel : .sequential,
        attentionNorm: files.layerNorm(name + "input_layernorm", width, epsilon: epsilon),
        // Head by head: its queries, its keys, its values.
        query: fused.outputs(from: 0, run: headSize, ofEvery: 3 * headSize),
        key: fused.outputs(from: headSize, run: headSize, ofEvery: 3 * headSize),
        value: fused.outputs(from: 2 * headSize, run: headSize, ofEvery: 3 * headSize),
        rotary: 0,
        attention: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1 / Float(headSize).squareRoot()),
        attentionOutput: files.linear(name + "attention.dense", width, width, bias: bias),
        feedForwardNorm: files.layerNorm(name + "post_attention_layernorm", width, epsilon: epsilon),
        up: files.linear(name + "mlp.dense_h_to_4h", width, feedForward, bias: true),
        down: files.linear(name + "mlp.dense_4h_to_h", feedForward, width, bias: true),
        activation: activation)
    }
    let words = try files.weight("embed_in.weight", inputs: width, outputs: vocabulary)
    return try Decoder(
      wordEmbeddings: words, rotaries: [rotary.rotary], blocks: blocks,
      finalNorm: files.layerNorm("final_layer_norm", width, epsilon: epsilon),
      head: files.head(
        "embed_out", words: words, isTied: configuration.flag("tie_word_embeddings", default: false)),
      maximumPositions: rotary.maximumPositions)
  }
}
