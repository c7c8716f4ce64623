import Diagnostics
import FileFormats
import System

/// A `tokenizer.json`, checked member by member: anything we would not do exactly like Hugging Face tokenizers is
/// rejected, never ignored.
struct TokenizerFile {
  private let path: String
  private let members: Members

  /// Takes the contents of the file at a path.
  ///
  /// - Throws: `InputError.badData` for members that are not known.
  init(_ contents: JSON, path: String) throws {
    self.path = path
    members = try Members(
      of: contents, called: "", in: path,
      known: [
        "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
        "model",
      ])
  }

  /// The tokenizer that a class makes of the file; truncation and padding are not used.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  func tokenizer(_ settings: TokenizerSettings) throws -> Tokenizer {
    if let version = members["version"], version != .string("1.0") {
      throw members.unsupported("version", version.shortDescription, supported: "\"1.0\"")
    }
    let parts = try TokenizerParts(self, settings)
    let model = try Model(
      reading: part("model")?.replacing(parts.modelOptions), spellsBytes: parts.preTokenizer.spellsBytes, file: path)
    var added = AddedTokenNumbering(model.vocabulary)
    let own = try readAddedTokens()
    if settings.tokenizerClass == .backend { added.add(own) }
    try settings.addTokens(to: &added)
    return try parts.tokenizer(model, added, settings, beginsTexts: beginsTexts(settings))
  }

  /// Whether the post-processor puts the beginning-of-text token first.
  private func beginsTexts(_ settings: TokenizerSettings) throws -> Bool {
    guard let bos = try settings.token("bos_token")?.content else { return false }
    switch settings.tokenizerClass {
    case .gptNeoX: return false
    case .roberta: return true
    case .codeLlama where members["post_processor"] == nil: return true
    default: break
    }
    let processor = members["post_processor"]
    return ([processor].compactMap(\.self) + (processor?["processors"]?.array ?? [])).contains { step in
      let first = step["single"]?.array?.first?["SpecialToken"]?["id"] ?? step["cls"]?.array?.first
      return first?.string.map { $0.utf8.elementsEqual(bos.utf8) } ?? false
    }
  }

  fileprivate func part(_ key: String) throws -> Members? {
    try members[key].map { try Members(of: $0, called: key, in: path) }
  }

  /// The added tokens in file order; their ids count for nothing, as in Hugging Face tokenizers.
  private func readAddedTokens() throws -> [AddedToken] {
    guard let value = members["added_tokens"] else { return [] }
    guard let entries = value.array else { throw members.expected("a list", of: "added_tokens") }
    return try entries.enumerated().map { index, entry in
      let token = try Members(
        of: entry, called: "added_tokens[\(index)]", in: path,
        known: ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
      guard let id = token["id"]?.integer, id >= 0 else {
        throw token.expected("a whole number of at least 0", of: "id")
      }
      return AddedToken(
        content: try token.string("content"), isSpecial: try token.bool("special"),
        isSingleWord: try token.bool("single_word"), takesWhitespaceBefore: try token.bool("lstrip"),
        takesWhitespaceAfter: try token.bool("rstrip"), isNormalized: try token.bool("normalized"))
    }
  }
}

/// The parts of a tokenizer besides its model and its added tokens.
private struct TokenizerParts {
  var normalizer: Normalizer?
  var preTokenizer = PreTokenizer()
  var decoder = TokenDecoder(steps: [.separate])
  /// The options of the model that the class sets.
  var modelOptions: JSON?

  /// The parts that the class has of its own; the others are those of the file.
  init(_ file: TokenizerFile?, _ settings: TokenizerSettings) throws {
    let own = try settings.tokenizerClass.parts(settings)
    let name = settings.tokenizerClass.rawValue
    func part(_ key: String) throws -> Members? {
      guard let value = own[key] else { return try file?.part(key) }
      return value.isNull ? nil : try Members(of: value, called: key, in: name)
    }
    normalizer = try part("normalizer").flatMap { try Normalizer(reading: $0) }
    if let members = try part("pre_tokenizer") { preTokenizer = try PreTokenizer(reading: members) }
    if let members = try part("decoder") { decoder = try TokenDecoder(reading: members) }
    modelOptions = own["model"]
  }

  func tokenizer(
    _ model: Model, _ added: AddedTokenNumbering, _ settings: TokenizerSettings, beginsTexts: Bool
  ) throws -> Tokenizer {
    Tokenizer(
      addedTokens: try AddedTokens(
        added, normalizer: normalizer, ignoresSpecial: try settings.flag("split_special_tokens") ?? false),
      normalizer: normalizer, preTokenizer: preTokenizer, model: model, decoder: decoder,
      special: MarkerTokens(
        beginningOfText: try settings.token("bos_token")?.content, endOfText: try settings.token("eos_token")?.content,
        beginsTexts: beginsTexts, named: try settings.namedTokens()))
  }
}

// MARK: - vocab.json and merges.txt

extension Tokenizer {
  /// A tokenizer from the two files of GPT-2's first release, in the class that the folder names, or else GPT-2's.
  init(vocabulary vocabularyPath: String, merges mergesPath: String, folder: String) throws {
    var settings = try TokenizerSettings(folder: folder)
    if !settings.namesClass { settings.tokenizerClass = .gpt2 }
    guard [.gpt2, .codeGen, .roberta, .gptNeoX, .cohere, .qwen2].contains(settings.tokenizerClass) else {
      throw InputError.badData(
        folder,
        "has vocab.json, from which \(settings.tokenizerClass.rawValue) is not read; add the matching tokenizer.json")
    }
    let vocabulary = try Vocabulary(JSON.read(file: vocabularyPath), place: "", file: vocabularyPath)
    let text = try readBytes(of: mergesPath)
    guard String(validating: text, as: UTF8.self) != nil else {
      throw InputError.badData(mergesPath, "is not UTF-8 text; is the download complete?")
    }
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var merges = MergeReader(vocabulary: vocabulary, file: mergesPath, count: lines.count)
    for (index, line) in lines.enumerated() {
      let content = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if content.isEmpty { continue }
      try merges.append(line: content.span) { "line \(index + 1)" }
    }
    let parts = try TokenizerParts(nil, settings)
    var added = AddedTokenNumbering(vocabulary)
    try settings.addTokens(to: &added)
    let beginsTexts = try settings.tokenizerClass == .roberta || settings.flag("add_bos_token") ?? false
    self = try parts.tokenizer(
      .bytePairEncoding(BytePairEncoding(vocabulary: vocabulary, merges: merges.table)), added, settings,
      beginsTexts: try settings.token("bos_token") != nil && beginsTexts)
  }
}
