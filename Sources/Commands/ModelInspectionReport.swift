import FileFormats
import Insights

/// What `cpt inspect --model` prints.
extension ModelInspection {
  /// The facts in the order of the output.
  var facts: [Fact] {
    let decoder = model.decoder
    var facts = model.name.map { [Fact("name", .string($0), "name", visible($0, space: " "))] } ?? []
    facts.append(Fact("family", .string(model.family), "family", model.family))
    facts.append(Fact("layers", decoder.blocks.count, "layers"))
    facts.append(
      Fact(
        "width", .integer(decoder.hiddenWidth), "width",
        decoder.width == decoder.hiddenWidth
          ? "\(decoder.width)" : "\(decoder.hiddenWidth), embeddings \(decoder.width)"))
    facts.append(Fact("embedding_width", decoder.width, nil))
    let block = decoder.blocks[0], attention = block.attention.body.shape
    facts.append(
      Fact(
        "heads", .integer(attention.heads), "heads",
        "\(attention.heads) of \(attention.headSize), keys and values \(attention.keyValueHeads)"))
    facts.append(Fact("key_value_heads", attention.keyValueHeads, nil))
    facts.append(Fact("head_size", attention.headSize, nil))
    facts.append(Fact("feed_forward", block.feedForward.body.up.weight.outputs, "feed-forward"))
    facts.append(
      Fact("positions", decoder.maximumPositions.map(JSON.integer) ?? .null, "positions", positions))
    facts.append(Fact("vocabulary", decoder.vocabularySize, "vocabulary"))
    facts.append(
      Fact("parameters", .integer(decoder.parameters), "parameters", inMillions(decoder.parameters)))
    let types = Dictionary(model.tensors.map { ($0.type, $0.byteCount) }, uniquingKeysWith: +)
      .sorted { ($1.value, $0.key.name) < ($0.value, $1.key.name) }
    let bytes = model.tensors.reduce(0) { $0 + $1.byteCount }
    let parts = types.map { types.count == 1 ? $0.key.name : "\($0.key.name) \(byteCount($0.value))" }
    facts.append(
      Fact(
        "bytes_on_disk", .integer(bytes), "on disk",
        byteCount(bytes) + (types.count == 1 ? " of " : ": ") + parts.joined(separator: ", ")))
    facts.append(
      Fact("bytes_by_dtype", .object(types.map { .init($0.key.name, .integer($0.value)) }), nil, ""))
    facts.append(Fact("memory_bytes", .integer(memory), "memory", "about \(byteCount(memory)) including the weights"))
    return facts + tokenizerFacts
  }

  private var positions: String {
    let decoder = model.decoder
    let attention = decoder.blocks.map(\.attention.body.shape)
    let kind =
      decoder.embedding.positions != nil
      ? "learned" : !decoder.rotaries.isEmpty ? "rotary" : attention.contains { !$0.slopes.isEmpty } ? "ALiBi" : "none"
    let count = decoder.maximumPositions.map(String.init) ?? "no limit"
    let windows = attention.compactMap(\.window)
    guard let window = windows.min() else { return "\(count), \(kind)" }
    return "\(count), \(kind); \(windows.count) of \(attention.count) layers have a window of \(window) tokens"
  }

  private var tokenizerFacts: [Fact] {
    switch tokenizer {
    case .failure(let error):
      return [
        Fact("tokenizer", .null, "tokenizer", "none: \(error)"), Fact("tokenizer_error", .string("\(error)"), nil, ""),
      ]
    case .success(let tokenizer):
      let added = tokenizer.addedTokenIDs, size = tokenizer.vocabularySize, rows = model.decoder.vocabularySize
      func special(_ key: String, _ name: String, _ token: Result<Int, any Error>) -> Fact {
        switch token {
        case .success(let id): Fact(key, .integer(id), name, "\(visible(tokenizer.text(of: id))), id \(id)")
        case .failure(let error): Fact(key, .null, name, "none: \(error)")
        }
      }
      return [
        Fact(
          "tokenizer", .string(tokenizer.algorithm), "tokenizer",
          "\(tokenizer.algorithm), \(size) tokens, \(added.count) of them added"),
        Fact("tokenizer_vocabulary", size, nil), Fact("added_tokens", added.count, nil),
        special("end_of_text", "end of text", endOfText),
        special("beginning_of_text", "beginning of text", beginningOfText),
        Fact(
          "vocabularies_fit", .bool(size <= rows), "embeddings",
          size <= rows
            ? "one per token" + (size < rows ? ", and \(rows - size) unused" : "")
            : "! none for tokens from id \(rows) on; check that the tokenizer belongs to the model"),
      ]
    }
  }
}

/// A number of parameters: "124.4 M".
private func inMillions(_ count: Int) -> String {
  count < 1_000_000
    ? "\(count)" : count < 1_000_000_000 ? fixed(Double(count) / 1e6, 1) + " M" : fixed(Double(count) / 1e9, 2) + " B"
}
