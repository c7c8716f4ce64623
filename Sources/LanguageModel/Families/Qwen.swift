extension Family {
  /// Qwen 2 and 2.5: Llama with biases of queries, keys and values.
  ///
  /// Source: transformers, `modeling_qwen2.py`.
  static let qwen2 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription(qwen: configuration)
    description.projectionBias = true
    description.windows = try configuration.qwenWindows()
    return try description.decoder(configuration, files)
  }

  /// Qwen 3: norms of each head's queries and keys, and heads of size 128 at every width.
  ///
  /// Source: transformers, `modeling_qwen3.py`.
  static let qwen3 = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription(qwen: configuration)
    description.headSize = 128
    description.hasHeadNorms = true
    description.projectionBias = try configuration.flag("attention_bias", default: false)
    description.outputBias = description.projectionBias
    description.windows = try configuration.qwenWindows()
    return try description.decoder(configuration, files)
  }
}

extension LlamaDescription {
  fileprivate init(qwen configuration: ConfigFile) {
    vocabulary = 151_936
    feedForward = 22016
    keyValueHeads = 32
    positions = 32768
  }
}

extension ConfigFile {
  /// The windows of the layers from `max_window_layers` on, if `use_sliding_window` is true.
  fileprivate func qwenWindows() throws -> [Int?] {
    let isUsed = try flag("use_sliding_window", default: false)
    let window = isUsed ? json["sliding_window"] == nil ? 4096 : try optionalLength("sliding_window") : nil
    let first = try whole(["max_window_layers"], 0...Int(Int32.max), default: 28)
    let layers = try layers("num_hidden_layers", default: 32)
    guard window != nil else { return [Int?](repeating: nil, count: layers) }
    return try windows(window, layers: layers) { $0 >= first }
  }
}

extension GGUFArchitecture {
  /// Qwen 2 and 2.5.
  static let qwen2 = GGUFArchitecture(
    modelType: "qwen2", keys: llamaKeys, tensors: llamaTensors + gatedFeedForward
  ) { try $0.requireWholeHeadsRotated() }

  /// Qwen 3.
  static let qwen3 = GGUFArchitecture(
    modelType: "qwen3", keys: llamaKeys, tensors: llamaTensors + gatedFeedForward
  ) { configuration in
    configuration.set("head_dim", .integer(try configuration.headSize()))
    configuration.set("attention_bias", .bool(configuration.hasQueryBias))
    try configuration.requireWholeHeadsRotated()
  }
}
