import Kernels

extension FrozenModel {
  /// GPT-2: learned positions, layer norm before attention and feed-forward, fused query-key-value projection.
  ///
  /// Projections are Conv1D, stored [inputs, outputs]. Source: transformers, `modeling_gpt2.py`.
  static let gpt2: Family = { configuration, folder in
    let width = try configuration.size("n_embd", default: 768)
    let heads = try configuration.size("n_head", default: 12)
    let positions = try configuration.size("n_positions", default: 1024)
    let vocabulary = try configuration.size("vocab_size", default: 50257)
    let feedForward = try configuration.size("n_inner", default: 4 * width)
    let epsilon = try Float(configuration.positiveNumber("layer_norm_epsilon", default: 1e-5))
    let activation = try configuration.activation("activation_function", default: "gelu_new")
    let scaled = try configuration.flag("scale_attn_weights", default: true)
    let scaledByLayer = try configuration.flag("scale_attn_by_inverse_layer_idx", default: false)
    guard width % heads == 0 else { throw configuration.invalid("n_head", "a divisor of \"n_embd\" (\(width))") }
    if try configuration.flag("add_cross_attention", default: false) {
      throw configuration.invalid("add_cross_attention", "false")
    }

    let files = try CheckpointFiles(folder: folder, prefixes: ["transformer.", ""])
    func norm(_ name: String) throws -> NormWeights {
      try NormWeights(
        gain: files.vector(name + ".weight", count: width), bias: files.vector(name + ".bias", count: width),
        epsilon: epsilon)
    }
    func conv1D(_ name: String, _ inputs: Int, _ outputs: Int) throws -> LinearLayer {
      try LinearLayer(
        weight: files.weight(name + ".weight", inputs: inputs, outputs: outputs, layout: .inputMajor),
        bias: files.vector(name + ".bias", count: outputs))
    }
    let blocks = try (0..<configuration.size("n_layer", default: 12)).map { layer in
      let name = "h.\(layer)."
      let fused = try conv1D(name + "attn.c_attn", width, 3 * width)
      var scale: Float = scaled ? 1 / Float(width / heads).squareRoot() : 1
      if scaledByLayer { scale /= Float(layer + 1) }
      return try Block(
        attentionNorm: norm(name + "ln_1"),
        query: fused.outputs(0..<width),
        key: fused.outputs(width..<(2 * width)),
        value: fused.outputs((2 * width)..<(3 * width)),
        attentionOutput: conv1D(name + "attn.c_proj", width, width),
        feedForwardNorm: norm(name + "ln_2"),
        up: conv1D(name + "mlp.c_fc", width, feedForward),
        down: conv1D(name + "mlp.c_proj", feedForward, width),
        activation: activation,
        attention: AttentionShape(heads: heads, keyValueHeads: heads, headSize: width / heads, scale: scale))
    }
    let words = try files.weight("wte.weight", inputs: width, outputs: vocabulary, layout: .outputMajor)
    let isTied = try configuration.flag("tie_word_embeddings", default: true)
    let decoder = try Decoder(
      wordEmbeddings: words,
      positionEmbeddings: files.weight("wpe.weight", inputs: width, outputs: positions, layout: .outputMajor),
      blocks: blocks,
      finalNorm: norm("ln_f"),
      head: isTied ? words : files.weight("lm_head.weight", inputs: width, outputs: vocabulary, layout: .outputMajor))
    return (decoder, files)
  }
}
