import Diagnostics
import FileFormats

extension Model {
  /// Reads the member `model` of a tokenizer.json.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  init(reading model: Members?, spellsBytes: Bool, file: String) throws {
    let types = ["BPE", "Unigram", "WordPiece", "WordLevel"]
    guard let model else {
      throw InputError.badData(file, "model is null; supported: \(types.joined(separator: ", "))")
    }
    guard let type = model.modelType, types.contains(type) else { throw model.unsupportedType(types) }
    if spellsBytes, type != "BPE" {
      throw InputError.badData(file, "model is \"\(type)\" after a pre_tokenizer \"ByteLevel\"; supported: BPE")
    }
    switch type {
    case "BPE": self = .bytePairEncoding(try BytePairEncoding(reading: model, spellsBytes: spellsBytes))
    case "Unigram": self = .unigram(try Unigram(reading: model))
    case "WordPiece":
      try model.check(known: ["type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"])
      let (vocabulary, unknown) = try model.words()
      guard let longest = model["max_input_chars_per_word"]?.integer, longest >= 0 else {
        throw model.expected("a whole number of at least 0", of: "max_input_chars_per_word")
      }
      self = .wordPiece(
        WordPiece(
          vocabulary: vocabulary, unknownToken: unknown, prefix: try model.string("continuing_subword_prefix"),
          longestWord: longest))
    default:
      try model.check(known: ["type", "unk_token", "vocab"])
      let (vocabulary, unknown) = try model.words()
      self = .wordLevel(WordLevel(vocabulary: vocabulary, unknownToken: unknown))
    }
  }
}

extension Members {
  /// The type of a model. The first files have none: the members then determine it.
  var modelType: String? {
    if self["type"] != nil { return type }
    if self["merges"] != nil { return "BPE" }
    if self["continuing_subword_prefix"] != nil { return "WordPiece" }
    return self["vocab"].map { $0.array == nil ? "WordLevel" : "Unigram" }
  }

  /// The vocabulary of a model that has words, and the token of unknown ones.
  fileprivate func words() throws -> (Vocabulary, Int32) {
    let vocabulary = try Vocabulary(self["vocab"] ?? .null, place: path("vocab"), file: file)
    let unknown = try string("unk_token")
    guard let id = vocabulary.id(of: unknown.utf8.span) else {
      throw badData("unk_token", "is \"\(unknown)\", which model.vocab lacks")
    }
    return (vocabulary, Int32(id))
  }
}

extension BytePairEncoding {
  fileprivate init(reading model: Members, spellsBytes: Bool) throws {
    try model.check(known: [
      "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
      "ignore_merges", "vocab", "merges",
    ])
    if let dropout = model["dropout"], dropout.number != 0 {
      throw model.unsupported("dropout", dropout.shortDescription, supported: "null (tokens must not be random)")
    }
    func affix(_ key: String) throws -> [UInt8] { model[key] == nil ? [] : Array(try model.string(key).utf8) }
    let prefix = try affix("continuing_subword_prefix"), suffix = try affix("end_of_word_suffix")
    let vocabulary = try Vocabulary(model["vocab"] ?? .null, place: "model.vocab", file: model.file)
    guard let entries = model["merges"]?.array else { throw model.expected("a list", of: "merges") }
    var merges = MergeReader(vocabulary: vocabulary, file: model.file, count: entries.count, prefix: prefix.count)
    for (index, entry) in entries.enumerated() {
      let place = { "model.merges[\(index)]" }
      if let text = entry.string {
        try merges.append(line: text.utf8.span, place: place)
      } else if let pair = entry.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string {
        try merges.append(left.utf8.span, right.utf8.span, place: place)
      } else {
        throw InputError.badData(
          model.file, "\(place()) is \(entry.shortDescription); expected two tokens, [\"a\", \"b\"] or \"a b\"")
      }
    }
    var options = Options()
    options.continuationPrefix = prefix
    options.endSuffix = suffix
    options.spellsBytes = spellsBytes
    options.ignoresMerges = try model.bool("ignore_merges", default: false)
    options.fusesUnknown = try model.bool("fuse_unk", default: false)
    if try model.bool("byte_fallback", default: false) {
      if !prefix.isEmpty || !suffix.isEmpty {
        throw model.unsupported("byte_fallback", "true beside a prefix or suffix", supported: "false")
      }
      if spellsBytes {
        // If all letters have tokens, none is ever unknown.
        if let letter = ByteAlphabet.firstLetter(missingIn: vocabulary) {
          throw model.badData(
            "byte_fallback", "is true after a pre_tokenizer \"ByteLevel\", and model.vocab lacks \"\(letter)\"")
        }
      } else {
        do {
          options.fallback = try ByteFallback(vocabulary)
        } catch {
          throw model.badData("byte_fallback", "is true, but model.vocab lacks \"\(error.token)\"")
        }
      }
    }
    options.unknownToken = try Self.unknownToken(model, vocabulary, options)
    self.init(vocabulary: vocabulary, merges: merges.table, options: options)
  }

  private static func unknownToken(_ model: Members, _ vocabulary: Vocabulary, _ options: Options) throws -> Int? {
    guard let value = model["unk_token"] else { return nil }
    guard let token = value.string else { throw model.expected("a token or null", of: "unk_token") }
    if let id = vocabulary.id(of: token.utf8.span) { return id }
    // It is never used if all bytes that occur in UTF-8 have tokens.
    if options.fallback != nil { return nil }
    guard options.spellsBytes else { throw model.badData("unk_token", "is \"\(token)\", which model.vocab lacks") }
    guard let letter = ByteAlphabet.firstLetter(missingIn: vocabulary) else { return nil }
    throw model.badData(
      "unk_token", "is \"\(token)\", but model.vocab lacks this token and the letter \"\(letter)\"")
  }
}

extension ByteAlphabet {
  /// A letter that occurs in UTF-8 but is not a token.
  fileprivate static func firstLetter(missingIn vocabulary: Vocabulary) -> Unicode.Scalar? {
    letters.enumerated().first { byte, letter in
      !(byte == 0xC0 || byte == 0xC1 || byte > 0xF4) && vocabulary.id(of: String(letter).utf8.span) == nil
    }?.element
  }
}

extension Unigram {
  fileprivate init(reading model: Members) throws {
    try model.check(known: ["type", "unk_id", "vocab", "byte_fallback"])
    guard let entries = model["vocab"]?.array else { throw model.expected("a list", of: "vocab") }
    var vocabulary = Vocabulary(capacity: entries.count)
    var scores: [Double] = []
    for (id, entry) in entries.enumerated() {
      guard let pair = entry.array, pair.count == 2, let token = pair[0].string, let score = pair[1].number,
        score.isFinite, let id = Int32(exactly: id)
      else { throw model.badData("vocab[\(id)]", "is \(entry.shortDescription); expected [\"token\", score]") }
      vocabulary.insert(token.utf8.span, id: id)
      scores.append(score)
    }
    guard let unknown = model["unk_id"]?.integer, entries.indices.contains(unknown) else {
      throw model.expected("the id of a token", of: "unk_id")
    }
    var fallback: ByteFallback?
    if try model.bool("byte_fallback", default: false) {
      do {
        fallback = try ByteFallback(vocabulary)
      } catch {
        throw model.badData("byte_fallback", "is true, but model.vocab lacks \"\(error.token)\"")
      }
    }
    self.init(vocabulary: vocabulary, scores: scores, unknownToken: unknown, fallback: fallback)
  }
}

extension Vocabulary {
  /// Reads `{"token": id, …}`.
  init(_ value: JSON, place: String, file: String) throws {
    let prefix = place.isEmpty ? "" : place + ": "
    guard let members = value.object else {
      throw InputError.badData(file, "\(prefix)expected an object of tokens and ids, found \(value.shortDescription)")
    }
    self.init(capacity: members.count)
    for member in members {
      guard let id = member.value.integer, id >= 0, let id = Int32(exactly: id) else {
        throw InputError.badData(
          file,
          "\(prefix)the id of \(JSON.string(member.key).shortDescription) is \(member.value.shortDescription); "
            + "expected a whole number from 0 to \(Int32.max)")
      }
      insert(member.key.utf8.span, id: id)
    }
  }
}

/// Converts merges of tokens into merges of ids.
struct MergeReader {
  private let vocabulary: Vocabulary
  private let file: String
  private(set) var table: MergeTable
  private var joined: [UInt8] = []
  /// The bytes at the start of each right token that its merges leave out.
  private let prefix: Int

  init(vocabulary: Vocabulary, file: String, count: Int, prefix: Int = 0) {
    self.prefix = prefix
    self.vocabulary = vocabulary
    self.file = file
    table = MergeTable(capacity: count)
  }

  /// Adds `a b`; a line that begins with `#version` is a comment.
  mutating func append(line: Span<UInt8>, place: () -> String) throws {
    let comment = "#version".utf8.span
    if line.count >= comment.count, comment.indices.allSatisfy({ line[$0] == comment[$0] }) { return }
    try append(pair: line, place: place)
  }

  /// Adds `a b`.
  mutating func append(pair: Span<UInt8>, place: () -> String) throws {
    let spaces = pair.indices.filter { pair[$0] == UInt8(ascii: " ") }
    guard spaces.count == 1 else {
      throw InputError.badData(file, "\(place()) is \(quoted(pair)); expected two tokens with one space between them")
    }
    try append(pair.extracting(..<spaces[0]), pair.extracting((spaces[0] + 1)...), place: place)
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
    for i in right.indices.dropFirst(prefix) { joined.append(right[i]) }
    table.append(try id(of: left), try id(of: right), becoming: try id(of: joined.span))
  }

  private func quoted(_ token: Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    for i in token.indices { bytes.append(token[i]) }
    return JSON.string(String(decoding: bytes, as: UTF8.self)).shortDescription
  }
}
