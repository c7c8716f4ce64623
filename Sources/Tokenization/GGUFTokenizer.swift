import Diagnostics
import FileFormats

/// The tokenizer that the metadata of a GGUF file describes.
///
/// Its tokens are those that Hugging Face has for the model the file was made of: llama.cpp's own differ from them in
/// places, and some parts of a tokenizer.json (normalizer, flags of added tokens) are not in the file but follow from
/// the names in it.
///
/// Source: ggml, `docs/gguf.md`; llama.cpp, `src/llama-vocab.cpp`; transformers 5.24,
/// `integrations/gguf/gguf_tokenizer_mapping.py`.
struct GGUFTokenizer {
  /// The algorithms, by their names in the file.
  private enum Kind: String, CaseIterable {
    /// Byte-level BPE with the merges of the file.
    case byteLevel = "gpt2"
    /// BPE of SentencePiece: pieces merge by their scores.
    case sentencePiece = "llama"
  }

  /// The types of tokens that match inside a text, by their numbers in the file.
  private enum Match: Int {
    case unknown = 2
    case control = 3
    case userDefined = 4
  }

  private let metadata: GGUFMetadata
  private let kind: Kind
  private let architecture: String
  private let isGemma: Bool
  private let tokens: [[UInt8]]
  /// Empty if the file has none.
  private let types: [Int]
  private let vocabulary: Vocabulary

  /// Reads the tokens of a file.
  ///
  /// - Throws: `InputError.missing` if the file has no tokenizer, `InputError.badData` with file and key for one that is
  ///   malformed or unsupported.
  init(_ metadata: GGUFMetadata) throws {
    self.metadata = metadata
    guard let name = try Self.model(metadata) else {
      throw InputError.missing(
        metadata.path, "has no tokenizer (\"\(Key.model)\"); \(Self.remedy)")
    }
    guard let kind = Kind(rawValue: name) else {
      throw InputError.badData(
        metadata.path,
        "\"\(Key.model)\" is \(JSON.string(name).shortDescription); supported: "
          + "\(Kind.allCases.map(\.rawValue).joined(separator: ", ")); \(Self.remedy)")
    }
    self.kind = kind
    architecture = try metadata.text("general.architecture") ?? ""
    isGemma = architecture.hasPrefix("gemma")
    guard let tokens = try metadata.texts(Key.tokens), !tokens.isEmpty else {
      throw metadata.invalid(Key.tokens, "a list of strings")
    }
    self.tokens = tokens
    types = try metadata.integers(Key.types) ?? []
    guard types.isEmpty || types.count == tokens.count else {
      throw metadata.invalid(Key.types, "a list of \(tokens.count) numbers, one for each token")
    }
    // Gemma's tokens of two or more spaces are written as such in the file, and as "▁▁" in the model's tokenizer.json.
    let respellsSpaces = kind == .sentencePiece && isGemma
    var vocabulary = Vocabulary(capacity: tokens.count)
    var respelled: [(spelling: [UInt8], id: Int32)] = []
    for (index, token) in tokens.enumerated() where !token.isEmpty {
      guard String(validating: token, as: UTF8.self) != nil, let id = Int32(exactly: index) else {
        throw InputError.badData(metadata.path, "\"\(Key.tokens)\"[\(index)] is not UTF-8; is the download complete?")
      }
      if respellsSpaces, token.allSatisfy({ $0 == UInt8(ascii: " ") }) {
        respelled.append((Array(repeatElement(Self.space, count: token.count).joined()), id))
      } else if !vocabulary.insert(token.span, id: id) {
        let text = JSON.string(String(decoding: token, as: UTF8.self)).shortDescription
        let first = tokens.firstIndex(of: token) ?? 0
        throw InputError.badData(
          metadata.path, "\"\(Key.tokens)\"[\(index)] is \(text), as is [\(first)]; each token must be there once")
      }
    }
    for (spelling, id) in respelled { vocabulary.insert(spelling.span, id: id) }
    self.vocabulary = vocabulary
  }

  /// What to do about a tokenizer that cannot be read.
  static let remedy = "set tokenizer_name_or_path to a folder with the tokenizer.json of the model"

  /// The name of the algorithm; nil for a file without a tokenizer.
  static func model(_ metadata: GGUFMetadata) throws -> String? {
    let name = try metadata.text(Key.model)
    return name == "none" || name == "no_vocab" ? nil : name
  }

  /// The bytes that the tokenizer of a file holds, estimated (measured): its tables have entries for each token and each
  /// merge, of which SentencePiece has two for each token.
  static func heldBytes(_ metadata: GGUFMetadata) -> Int {
    func count(_ key: String) -> Int? { if case .list(let list) = metadata[key] { list.count } else { nil } }
    let tokens = count(Key.tokens) ?? 0
    return 180 * tokens + 40 * (count(Key.merges) ?? 2 * tokens)
  }

  /// "▁", which SentencePiece writes for a space.
  private static let space = Array("▁".utf8)

  private enum Key {
    static let model = "tokenizer.ggml.model"
    static let tokens = "tokenizer.ggml.tokens"
    static let merges = "tokenizer.ggml.merges"
    static let scores = "tokenizer.ggml.scores"
    static let types = "tokenizer.ggml.token_type"
  }

  // MARK: - Parts

  /// The tokenizer with its parts.
  func tokenizer() throws -> Tokenizer {
    switch kind {
    case .byteLevel: try byteLevel()
    case .sentencePiece: try sentencePiece()
    }
  }

  private func byteLevel() throws -> Tokenizer {
    let words = try GGUFPreTokenizer(
      named: metadata.text("tokenizer.ggml.pre"), architecture: architecture, file: metadata.path)
    guard let merges = try listedMerges() else { throw metadata.invalid(Key.merges, "a list of strings") }
    var options = BytePairEncoding.Options()
    options.ignoresMerges = words.ignoresMerges
    return try tokenizer(
      BytePairEncoding(vocabulary: vocabulary, merges: merges, options: options), normalizer: words.normalizer,
      preTokenizer: words.preTokenizer(), decoder: TokenDecoder(steps: [.byteLevel]), beginsTexts: words.beginsTexts)
  }

  /// The tokenizer.json of Llama 2, Mistral and Phi-3 puts the space before each section of text between added tokens,
  /// as llama.cpp does, and even before a space; transformers' own class does neither.
  private func sentencePiece() throws -> Tokenizer {
    let addsSpace = try metadata.flag("tokenizer.ggml.add_space_prefix") ?? !isGemma
    let spaces = Normalizer.replace([UInt8(ascii: " ")], by: Self.space)
    var options = BytePairEncoding.Options()
    options.spellsBytes = false
    options.fusesUnknown = true
    options.unknownToken = try id("unknown_token_id")
    do {
      options.fallback = try ByteFallback(vocabulary)
    } catch {
      throw InputError.badData(
        metadata.path, "\"\(Key.tokens)\" has tokens of bytes, but lacks \"\(error.token)\"; convert the model again")
    }
    var decoder: [TokenDecoder.Step] = [
      .replace(.automaton(try Pattern(RegularExpression(literal: "▁"))), by: [UInt8(ascii: " ")]), .byteFallback, .fuse,
    ]
    if addsSpace { decoder.append(.strip([UInt8(ascii: " ")], atMost: 1, ofEachToken: false)) }
    return try tokenizer(
      BytePairEncoding(
        vocabulary: vocabulary, merges: listedMerges() ?? mergesOfPieces(), options: options),
      normalizer: addsSpace ? .sequence([.prepend(Self.space), spaces]) : spaces, preTokenizer: PreTokenizer(),
      decoder: TokenDecoder(steps: decoder), beginsTexts: true)
  }

  private func tokenizer(
    _ model: BytePairEncoding, normalizer: Normalizer?, preTokenizer: PreTokenizer, decoder: TokenDecoder,
    beginsTexts: Bool
  ) throws -> Tokenizer {
    var added = AddedTokenNumbering(vocabulary)
    added.add(try addedTokens())
    let beginning = try token("bos_token_id")
    return Tokenizer(
      addedTokens: try AddedTokens(added, normalizer: normalizer, ignoresSpecial: false), normalizer: normalizer,
      preTokenizer: preTokenizer, model: .bytePairEncoding(model), decoder: decoder,
      special: MarkerTokens(
        beginningOfText: beginning, endOfText: try token("eos_token_id"),
        beginsTexts: try beginning != nil && metadata.flag("tokenizer.ggml.add_bos_token") ?? beginsTexts,
        named: try namedTokens()))
  }

  // MARK: - Merges

  /// The merges that the file lists; nil if it has none.
  private func listedMerges() throws -> MergeTable? {
    guard let entries = try metadata.texts(Key.merges) else { return nil }
    var merges = MergeReader(vocabulary: vocabulary, file: metadata.path, count: entries.count)
    for (index, entry) in entries.enumerated() {
      try merges.append(pair: entry.span) { "\"\(Key.merges)\"[\(index)]" }
    }
    return merges.table
  }

  /// The merges of SentencePiece: every way to cut a token into two others, the token with the largest score first, and
  /// of its cuts the one with the longest left part.
  ///
  /// Gemma's scores do not follow its merges; the order of its tokens does.
  ///
  /// Source: transformers, `generate_merges` in `tokenization_utils_base.py`.
  private func mergesOfPieces() throws -> MergeTable {
    let scores = try scores()
    var ids = Array(tokens.indices)
    if !isGemma { ids.sort { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] } }
    let lengths = Set(vocabulary.tokens.lazy.map(\.spelling.count))
    var merges: [Cut] = []
    var first = 0
    for (index, id) in ids.enumerated() {
      if index > 0, isGemma || scores[id] != scores[ids[index - 1]] {
        merges[first...].sort()
        first = merges.count
      }
      appendCuts(of: id, lengths: lengths, to: &merges)
    }
    merges[first...].sort()
    var table = MergeTable(capacity: merges.count)
    for merge in merges { table.append(merge.left, merge.right, becoming: merge.id) }
    return table
  }

  /// A token as the merge of two others, ordered like those of equal score.
  private struct Cut: Comparable {
    let left: Int
    let right: Int
    let id: Int
    /// Characters of the left and the right token.
    let lengths: (left: Int, right: Int)

    static func < (a: Cut, b: Cut) -> Bool {
      (-a.lengths.left, -a.lengths.right, a.id) < (-b.lengths.left, -b.lengths.right, b.id)
    }

    static func == (a: Cut, b: Cut) -> Bool { a.id == b.id && a.lengths == b.lengths }
  }

  /// Adds the cuts of a token; `lengths` are the bytes that tokens have: of a very long one, few places fit.
  private func appendCuts(of id: Int, lengths: Set<Int>, to cuts: inout [Cut]) {
    guard let spelling = vocabulary.spelling(of: id) else { return }
    let bytes = Array(spelling)
    let starts = bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 }
    for (index, start) in starts.enumerated().dropFirst()
    where lengths.contains(start) && lengths.contains(bytes.count - start) {
      guard let left = vocabulary.id(of: bytes.span.extracting(..<start)),
        let right = vocabulary.id(of: bytes.span.extracting(start...))
      else { continue }
      cuts.append(Cut(left: left, right: right, id: id, lengths: (index, starts.count - index)))
    }
  }

  private func scores() throws -> [Double] {
    guard let scores = try metadata.numbers(Key.scores), scores.count == tokens.count else {
      throw metadata.invalid(Key.scores, "a list of \(tokens.count) numbers, one for each token")
    }
    if let index = scores.firstIndex(where: { !$0.isFinite }) {
      throw InputError.badData(
        metadata.path, "\"\(Key.scores)\"[\(index)] is \(scores[index]); expected a finite number")
    }
    return scores
  }

  // MARK: - Special tokens

  /// The tokens that match inside a text: the special ones, for control or with a meaning of their own, and the user's.
  private func addedTokens() throws -> [AddedToken] {
    let named = try ["bos_token_id", "eos_token_id", "unknown_token_id"].compactMap { try id($0) }
    let matching = tokens.indices.filter { match(of: $0) != nil || named.contains($0) }
    return matching.compactMap { id in
      let spelling = tokens[id]
      // A token of Gemma that has another spelling in the vocabulary only results from merges.
      guard vocabulary.id(of: spelling.span) == id else { return nil }
      var token = AddedToken(
        content: String(decoding: spelling, as: UTF8.self),
        isSpecial: match(of: id) != .userDefined || named.contains(id), isNormalized: false)
      // Phi-3's take the whitespace after them, all but three.
      if kind == .sentencePiece, architecture == "phi3", !["<unk>", "<s>", "<|endoftext|>"].contains(token.content) {
        token.takesWhitespaceAfter = true
      }
      return token
    }
  }

  private func match(of id: Int) -> Match? { types.isEmpty ? nil : Match(rawValue: types[id]) }

  /// The special tokens by their keys in a tokenizer_config.json.
  private func namedTokens() throws -> [String: String] {
    let keys = [
      ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"),
      ("pad_token", "padding_token_id"),
    ]
    let tokens = try keys.compactMap { name, key in try token(key).map { (name, $0) } }
    return Dictionary(tokens) { first, _ in first }
  }

  /// The content of the token that a key names; nil if it names none.
  private func token(_ key: String) throws -> String? {
    try id(key).map { String(decoding: tokens[$0], as: UTF8.self) }
  }

  /// The token that a key names; nil if it names none.
  ///
  /// Without the key, SentencePiece has the tokens of Llama, as in llama.cpp, if they are no ordinary ones.
  private func id(_ key: String) throws -> Int? {
    guard let id = try metadata.tokenID(key) else {
      guard kind == .sentencePiece, !isGemma,
        let id = ["unknown_token_id", "bos_token_id", "eos_token_id"].firstIndex(of: key), id < tokens.count,
        types.isEmpty || match(of: id) != nil
      else { return nil }
      return id
    }
    guard id < tokens.count else {
      throw metadata.invalid("tokenizer.ggml." + key, "the id of one of the \(tokens.count) tokens")
    }
    return id
  }
}

extension GGUFMetadata {
  /// The id that a key of the tokenizer names; nil if it is missing, or -1, which means none.
  ///
  /// - Throws: `InputError.badData` for another value.
  func tokenID(_ key: String) throws -> Int? {
    let key = "tokenizer.ggml." + key
    guard let id = try integer(key), id != -1, id != Int(UInt32.max) else { return nil }
    guard id >= 0 else { throw invalid(key, "the id of a token") }
    return id
  }
}
