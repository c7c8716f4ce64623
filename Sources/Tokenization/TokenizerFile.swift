import Diagnostics
import FileFormats
import System

/// A `tokenizer.json`, checked member by member: anything we would not do exactly like Hugging Face tokenizers is
/// rejected, never ignored.
struct TokenizerFile {
  private let path: String
  private let members: Members

  /// Reads the file.
  ///
  /// - Throws: `InputError.missing` when it cannot be read, `InputError.badData` when it is malformed.
  init(path: String) throws {
    self.path = path
    members = try Members(
      of: JSON.read(file: path), called: "", in: path,
      known: [
        "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
        "model",
      ])
  }

  /// The tokenizer it describes; truncation, padding and post-processor are not used.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  func tokenizer() throws -> Tokenizer {
    if let version = members["version"], version != .string("1.0") {
      throw members.unsupported("version", version.shortDescription, supported: "\"1.0\"")
    }
    let normalizer = try part("normalizer").flatMap { try Normalizer(reading: $0) }
    let preTokenizer = try part("pre_tokenizer").map { try PreTokenizer(reading: $0) } ?? PreTokenizer()
    let decoder = try part("decoder").map { try TokenDecoder(reading: $0) } ?? TokenDecoder(steps: [.separate])
    let model = try Model(reading: part("model"), spellsBytes: preTokenizer.spellsBytes, file: path)
    var added = AddedTokenNumbering(model.vocabulary)
    added.add(try readAddedTokens())
    return Tokenizer(
      addedTokens: try AddedTokens(added, normalizer: normalizer), normalizer: normalizer, preTokenizer: preTokenizer,
      model: model, decoder: decoder)
  }

  private func part(_ key: String) throws -> Members? {
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

// MARK: - vocab.json and merges.txt

extension Tokenizer {
  /// GPT-2's tokenizer from the two files of its first release.
  ///
  /// Its added tokens are `<|endoftext|>` and the special tokens in the folder's `tokenizer_config.json` or
  /// `special_tokens_map.json` (start and end of text, unknown letters, padding), as far as the vocabulary has them.
  init(vocabulary vocabularyPath: String, merges mergesPath: String, folder: String) throws {
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
    let special = try SpecialTokenFiles(folder: folder)
    var added = AddedTokenNumbering(vocabulary)
    for name in ["<|endoftext|>"] + special.tokens where vocabulary.id(of: name.utf8.span) != nil {
      added.add([AddedToken(content: name)])
    }
    self.init(
      addedTokens: try AddedTokens(added), preTokenizer: try .byteLevel(addsPrefixSpace: special.addsPrefixSpace),
      model: .bytePairEncoding(BytePairEncoding(vocabulary: vocabulary, merges: merges.table)),
      decoder: TokenDecoder(steps: [.byteLevel]))
  }
}

/// The special tokens in the files beside `vocab.json` and `merges.txt`.
private struct SpecialTokenFiles {
  private(set) var tokens: [String] = []
  private(set) var addsPrefixSpace = false

  init(folder: String) throws {
    if fileExists(folder + "/added_tokens.json") {
      throw InputError.badData(
        folder + "/added_tokens.json", "is not supported beside vocab.json; add the matching tokenizer.json")
    }
    for settings in try TokenizerSettings.files(in: folder) {
      let contents = settings.json, path = settings.path
      addsPrefixSpace = contents["add_prefix_space"]?.bool ?? addsPrefixSpace
      for name in ["bos_token", "eos_token", "unk_token", "pad_token"] {
        guard let entry = contents[name], !entry.isNull else { continue }
        guard let token = settings.token(name), !token.isEmpty else {
          throw InputError.badData(path, "\(name) is \(entry.shortDescription); expected a token")
        }
        for flag in ["lstrip", "rstrip", "single_word"] where entry[flag]?.bool ?? false {
          throw InputError.badData(
            path, "\(name).\(flag) is true; this is supported only in a tokenizer.json: add the matching one")
        }
        tokens.append(token)
      }
    }
  }
}
