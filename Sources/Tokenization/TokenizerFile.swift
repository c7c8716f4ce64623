import FileFormats

/// A `tokenizer.json`, which is checked member by member: what we would not do exactly as Hugging Face tokenizers does
/// is refused, never ignored.
struct TokenizerFile {
  private let path: String
  private let members: Members

  /// Reads the file.
  ///
  /// - Throws: `InputError.missing` when it cannot be read, `InputError.badData` when it is no such file.
  init(path: String) throws {
    self.path = path
    members = try Members(
      of: JSON.read(file: path), called: "", in: path,
      known: [
        "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
        "model",
      ])
  }

  /// The tokenizer it describes; truncation, padding and post-processor are not for us.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  func tokenizer() throws -> Tokenizer {
    if let normalizer = members["normalizer"] {
      throw members.unsupported("normalizer", typeName(normalizer), supported: "null")
    }
    if let version = members["version"], version != .string("1.0") {
      throw members.unsupported("version", version.shortDescription, supported: "\"1.0\"")
    }
    let preTokenizer = try readPreTokenizer()
    try checkDecoder()
    let model = try readModel()
    return Tokenizer(
      addedTokens: try readAddedTokens(vocabulary: model.vocabulary), preTokenizer: preTokenizer, model: model)
  }

  private func readPreTokenizer() throws -> ByteLevel {
    guard let value = members["pre_tokenizer"], value["type"]?.string == "ByteLevel" else {
      throw members.unsupported("pre_tokenizer", typeName(members["pre_tokenizer"]), supported: "ByteLevel")
    }
    let byteLevel = try Members(
      of: value, called: "pre_tokenizer", in: path, known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
    return ByteLevel(
      addsPrefixSpace: try byteLevel.bool("add_prefix_space", default: true),
      splitsWords: try byteLevel.bool("use_regex", default: true))
  }

  private func checkDecoder() throws {
    guard let value = members["decoder"], value["type"]?.string == "ByteLevel" else {
      throw members.unsupported("decoder", typeName(members["decoder"]), supported: "ByteLevel")
    }
    _ = try Members(
      of: value, called: "decoder", in: path, known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
  }

  private func readModel() throws -> BytePairEncoding {
    // The first files name no type: the type is then that of the members.
    guard let value = members["model"],
      value["type"] == .string("BPE") || value["type"] == nil && value["merges"] != nil
    else {
      throw members.unsupported("model", typeName(members["model"]), supported: "BPE")
    }
    let model = try Members(
      of: value, called: "model", in: path,
      known: [
        "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
        "ignore_merges", "vocab", "merges",
      ])
    if let dropout = model["dropout"], dropout.number != 0 {
      throw model.unsupported("dropout", dropout.shortDescription, supported: "null")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = model[key], affix != .string("") {
        throw model.unsupported(key, affix.shortDescription, supported: "\"\" or null")
      }
    }
    if try model.bool("byte_fallback", default: false) {
      throw model.unsupported("byte_fallback", "true", supported: "false")
    }
    let vocabulary = try Vocabulary(model["vocab"] ?? .null, place: "model.vocab", file: path)
    guard let entries = model["merges"]?.array else { throw model.expected("a list", of: "merges") }
    var merges = MergeReader(vocabulary: vocabulary, file: path, count: entries.count)
    for (index, entry) in entries.enumerated() {
      let place = { "model.merges[\(index)]" }
      if let text = entry.string {
        try merges.append(line: text.utf8.span, place: place)
      } else if let pair = entry.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string {
        try merges.append(left.utf8.span, right.utf8.span, place: place)
      } else {
        throw InputError.badData(
          path, "\(place()) is \(entry.shortDescription); expected two tokens, [\"a\", \"b\"] or \"a b\"")
      }
    }
    return try BytePairEncoding(
      vocabulary: vocabulary, merges: merges.table,
      ignoresMerges: model.bool("ignore_merges", default: false),
      unknownToken: readUnknownToken(model, vocabulary),
      fusesUnknown: model.bool("fuse_unk", default: false))
  }

  private func readUnknownToken(_ model: Members, _ vocabulary: Vocabulary) throws -> Int? {
    guard let value = model["unk_token"] else { return nil }
    guard let token = value.string else { throw model.expected("a token or null", of: "unk_token") }
    if let id = vocabulary.id(of: token.utf8.span) { return id }
    // It is never asked for when all bytes that occur in UTF-8 have tokens.
    let lacks = ByteAlphabet.letters.enumerated().first { byte, letter in
      !(byte == 0xC0 || byte == 0xC1 || byte > 0xF4) && vocabulary.id(of: String(letter).utf8.span) == nil
    }
    guard let lacks else { return nil }
    throw model.badData(
      "unk_token", "is \"\(token)\", which model.vocab lacks, and so it does the letter \"\(lacks.element)\"")
  }

  private func readAddedTokens(vocabulary: Vocabulary) throws -> AddedTokens {
    guard let value = members["added_tokens"] else { return AddedTokens([]) }
    guard let entries = value.array else { throw members.expected("a list", of: "added_tokens") }
    var tokens: [AddedToken] = []
    var indexByContent: [[UInt8]: Int] = [:]
    var nextID = vocabulary.count
    for (index, entry) in entries.enumerated() {
      let name = "added_tokens[\(index)]"
      let token = try Members(
        of: entry, called: name, in: path,
        known: ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
      guard let content = token["content"]?.string, !content.isEmpty else {
        throw token.expected("a text that is not empty", of: "content")
      }
      guard let id = token["id"]?.integer else { throw token.expected("a whole number", of: "id") }
      if let other = indexByContent.updateValue(index, forKey: Array(content.utf8)) {
        throw token.badData("content", "is \"\(content)\", as that of added_tokens[\(other)] is already")
      }
      if let known = vocabulary.id(of: content.utf8.span) {
        if known != id { throw token.badData("id", "is \(id), but model.vocab gives \"\(content)\" the id \(known)") }
      } else {
        // Hugging Face tokenizers does not read these ids but numbers the tokens so; another id would mean another row
        // of the embedding here than there.
        guard id == nextID else {
          throw token.badData(
            "id", "is \(id); expected \(nextID), as tokens that are not in model.vocab are numbered on from its end")
        }
        nextID += 1
      }
      _ = try token.bool("special")
      tokens.append(
        AddedToken(
          id: id, content: content, isSingleWord: try token.bool("single_word"),
          takesWhitespaceBefore: try token.bool("lstrip"), takesWhitespaceAfter: try token.bool("rstrip"),
          isNormalized: try token.bool("normalized")))
    }
    return AddedTokens(tokens)
  }
}

// MARK: - vocab.json and merges.txt

extension Tokenizer {
  /// GPT-2's tokenizer from the two files of its first release; `<|endoftext|>`, where it is in the vocabulary, is an
  /// added token.
  init(vocabulary vocabularyPath: String, merges mergesPath: String) throws {
    let vocabulary = try Vocabulary(JSON.read(file: vocabularyPath), place: "", file: vocabularyPath)
    let text = try readBytes(of: mergesPath)
    guard String(validating: text, as: UTF8.self) != nil else {
      throw InputError.badData(mergesPath, "is no UTF-8 text; is the download complete?")
    }
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var merges = MergeReader(vocabulary: vocabulary, file: mergesPath, count: lines.count)
    for (index, line) in lines.enumerated() {
      let content = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if content.isEmpty { continue }
      try merges.append(line: content.span) { "line \(index + 1)" }
    }
    let endOfText = "<|endoftext|>"
    let added = vocabulary.id(of: endOfText.utf8.span).map { AddedToken(id: $0, content: endOfText) }
    self.init(
      addedTokens: AddedTokens(added.map { [$0] } ?? []), preTokenizer: ByteLevel(),
      model: BytePairEncoding(vocabulary: vocabulary, merges: merges.table))
  }
}

// MARK: - Parts

extension Vocabulary {
  /// Reads `{"token": id, …}`; that all ids are different and below the count of tokens leaves no holes.
  fileprivate init(_ value: JSON, place: String, file: String) throws {
    let prefix = place.isEmpty ? "" : place + ": "
    guard let members = value.object else {
      throw InputError.badData(file, "\(prefix)expected an object of tokens and ids, found \(value.shortDescription)")
    }
    self.init(count: members.count)
    for member in members {
      var token: String { JSON.string(member.key).shortDescription }
      guard let id = member.value.integer, members.indices.contains(id) else {
        throw InputError.badData(
          file,
          "\(prefix)the id of \(token) is \(member.value.shortDescription); "
            + "expected a whole number below the count of tokens, \(members.count) (ids have no holes)")
      }
      do {
        try insert(member.key, id: id)
      } catch .spelling(let other) {
        throw InputError.badData(file, "\(prefix)\(token) stands twice, with the ids \(other) and \(id)")
      } catch .id(let other) {
        throw InputError.badData(file, "\(prefix)the id \(id) stands twice, for \"\(other)\" and \(token)")
      }
    }
  }
}

/// Turns merges that name tokens into merges of ids.
private struct MergeReader {
  private let vocabulary: Vocabulary
  private let file: String
  private(set) var table: MergeTable
  private var joined: [UInt8] = []

  init(vocabulary: Vocabulary, file: String, count: Int) {
    self.vocabulary = vocabulary
    self.file = file
    table = MergeTable(capacity: count)
  }

  /// Adds `a b`; a line that begins with `#version` is a comment.
  mutating func append(line: Span<UInt8>, place: () -> String) throws {
    let comment = "#version".utf8.span
    if line.count >= comment.count, comment.indices.allSatisfy({ line[$0] == comment[$0] }) { return }
    let spaces = line.indices.filter { line[$0] == UInt8(ascii: " ") }
    guard spaces.count == 1 else {
      throw InputError.badData(file, "\(place()) is \(quoted(line)); expected two tokens with one space between them")
    }
    try append(line.extracting(..<spaces[0]), line.extracting((spaces[0] + 1)...), place: place)
  }

  /// Adds the merge of two tokens.
  mutating func append(_ left: Span<UInt8>, _ right: Span<UInt8>, place: () -> String) throws {
    func id(of token: Span<UInt8>) throws -> Int {
      if let id = vocabulary.id(of: token) { return id }
      throw InputError.badData(
        file,
        "\(place()) merges \(quoted(left)) and \(quoted(right)), but the vocabulary has no \(quoted(token))")
    }
    joined.removeAll(keepingCapacity: true)
    for i in left.indices { joined.append(left[i]) }
    for i in right.indices { joined.append(right[i]) }
    table.append(try id(of: left), try id(of: right), becoming: try id(of: joined.span))
  }

  private func quoted(_ token: Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    for i in token.indices { bytes.append(token[i]) }
    return JSON.string(String(decoding: bytes, as: UTF8.self)).shortDescription
  }
}

/// The type a part of the file names, for messages.
private func typeName(_ part: JSON?) -> String {
  part?["type"]?.shortDescription ?? part?.shortDescription ?? "null"
}

/// The members of an object, each known and none twice.
private struct Members {
  private let object: JSON
  private let name: String
  private let file: String

  init(of value: JSON, called name: String, in file: String, known: [String]) throws {
    object = value
    self.name = name
    self.file = file
    guard let members = value.object else {
      throw InputError.badData(
        file, "\(name.isEmpty ? "" : name + ": ")expected an object, found \(value.shortDescription)")
    }
    var seen: [String] = []
    for member in members {
      guard known.contains(member.key) else {
        throw badData(member.key, "is unknown; expected one of \(known.joined(separator: ", "))")
      }
      if seen.contains(member.key) { throw badData(member.key, "stands twice") }
      seen.append(member.key)
    }
  }

  /// The value of a member; nil where it is absent or null.
  subscript(key: String) -> JSON? {
    object[key].flatMap { $0.isNull ? nil : $0 }
  }

  /// A member that must be true or false, and be there where there is no default.
  func bool(_ key: String, default: Bool? = nil) throws -> Bool {
    if let value = self[key]?.bool { return value }
    if let `default`, self[key] == nil { return `default` }
    throw expected("true or false", of: key)
  }

  func expected(_ expectation: String, of key: String) -> InputError {
    badData(key, "is \(object[key]?.shortDescription ?? "missing"); expected \(expectation)")
  }

  func unsupported(_ key: String, _ found: String, supported: String) -> InputError {
    badData(key, "is \(found); supported: \(supported)")
  }

  func badData(_ key: String, _ problem: String) -> InputError {
    .badData(file, "\(name.isEmpty ? "" : name + ".")\(key) \(problem)")
  }
}
