import Kernels

extension Family {
  /// GPT-Neo: GPT-2 with separate projections, unscaled scores, and windows in every other layer.
  ///
  /// Source: transformers, `modeling_gpt_neo.py`.
  static let gptNeo = Family(prefix: "transformer.") { configuration, files in
    let width = try configuration.size("hidden_size", default: 2048)
    let heads = try configuration.size("num_heads", "num_attention_heads", default: 16)
    let layers = try configuration.layers("num_layers", "num_hidden_layers", default: 24)
    let positions = try configuration.length("max_position_embeddings", default: 2048)
    let vocabulary = try configuration.size("vocab_size", default: 50257)
    let inner = try configuration.size("intermediate_size", default: 4 * width)
    let epsilon = try configuration.positiveNumber("layer_norm_epsilon", default: 1e-5)
    let activation = try configuration.activation("activation_function", default: "gelu_new")
    let headSize = try configuration.headSize(width: width, heads: heads, key: "num_heads")
    let window = try configuration.length("window_size", default: 256)
    let kinds = try configuration.gptNeoKinds(count: layers)

    let blocks = try (0..<layers).map { layer in
      let name = "h.\(layer).", projections = name + "attn.attention."
      let attention = try Attention(
        query: files.linear(projections + "q_proj", width, width, bias: false),
        key: files.linear(projections + "k_proj", width, width, bias: false),
        value: files.linear(projections + "v_proj", width, width, bias: false),
        output: files.linear(projections + "out_proj", width, width, bias: true),
        shape: AttentionShape(
          heads: heads, keyValueHeads: heads, headSize: headSize, scale: 1,
          window: kinds[layer] == "local" ? window : nil))
      let feedForward = try FeedForward(
        up: files.linear(name + "mlp.c_fc", width, inner, bias: true),
        down: files.linear(name + "mlp.c_proj", inner, width, bias: true), activation: activation)
      return try Block(
        attention: Sublayer(normBefore: files.layerNorm(name + "ln_1", width, epsilon: epsilon), attention),
        feedForward: Sublayer(normBefore: files.layerNorm(name + "ln_2", width, epsilon: epsilon), feedForward))
    }
    let (words, head) = try files.wordsAndHead(
      "wte", inputs: width, outputs: vocabulary,
      isTied: configuration.flag("tie_word_embeddings", default: true))
    return try Decoder(
      embedding: Embedding(
        words: words, positions: files.weight("wpe.weight", inputs: width, outputs: positions)),
      blocks: blocks,
      head: Head(
        norm: files.layerNorm("ln_f", width, epsilon: epsilon),
        vocabulary: head),
      maximumPositions: positions)
  }
}

extension ConfigFile {
  /// "global" or "local" for each layer: `attention_layers`, or `attention_types`, [[[kinds], times], …], written out.
  fileprivate func gptNeoKinds(count: Int) throws -> [String] {
    let known = ["global", "local"]
    if let kinds = try kinds("attention_layers", of: known, count: count) { return kinds }
    guard has("attention_types") else { return (0..<count).map { known[$0 % 2] } }
    var kinds: [String] = []
    for entry in json["attention_types"]?.array ?? [] {
      guard let pair = entry.array, pair.count == 2, let names = pair[0].array?.compactMap(\.string),
        let times = pair[1].integer, (1...count).contains(times), names.count <= count / times
      else {
        kinds = []
        break
      }
      for _ in 0..<times where kinds.count <= count { kinds += names }
    }
    guard kinds.count == count, kinds.allSatisfy(known.contains) else {
      throw invalid("attention_types", "[[[\"global\", \"local\"], times], …] for \(count) layers")
    }
    return kinds
  }
}
