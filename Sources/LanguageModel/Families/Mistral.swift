extension Family {
  /// Mistral: Llama with a window in every layer.
  ///
  /// Source: transformers, `modeling_mistral.py`.
  static let mistral = Family(prefix: "model.") { configuration, files in
    var description = LlamaDescription()
    description.keyValueHeads = 8
    description.feedForward = 14336
    description.positions = 131_072
    let layers = try configuration.layers("num_hidden_layers", default: description.layers)
    // Missing means 4096, null means none.
    let window =
      configuration.json["sliding_window"] == nil ? 4096 : try configuration.optionalLength("sliding_window")
    description.windows = [Int?](repeating: window, count: layers)
    return try description.decoder(configuration, files)
  }
}
