import Diagnostics
import FileFormats
import Synchronization
import System

/// A token of a text and its position.
package struct Token: Hashable, Sendable {
  /// The row in the model's embedding.
  package let id: Int
  /// The bytes of the text's UTF-8 that the token covers; empty for a space that the tokenizer added.
  package let bytes: Range<Int>

  package init(id: Int, bytes: Range<Int>) {
    self.id = id
    self.bytes = bytes
  }
}

/// The tokens that mark the ends of a text.
struct MarkerTokens: Sendable {
  var beginningOfText: String?
  var endOfText: String?
  /// Whether the tokenizer puts the first of them before a text.
  var beginsTexts = false
  /// The special tokens that have keys, such as `bos_token`, by these.
  var named: [String: String] = [:]
}

/// Converts text to tokens and back, exactly like Hugging Face tokenizers with the same files.
///
/// Encoding: added tokens (split off) → normalizer → added tokens in normalized text → pre-tokenizer (words) → model
/// (tokens). Decoding: token ids → decoder.
package struct Tokenizer: Sendable {
  let addedTokens: AddedTokens
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer
  let model: Model
  let decoder: TokenDecoder
  let special: MarkerTokens
  /// The places where words can be split; nil if they cannot.
  private let joints: Joints?
  private let workspaces: WorkspacePool

  /// Assembles a tokenizer from its parts.
  init(
    addedTokens: AddedTokens, normalizer: Normalizer?, preTokenizer: PreTokenizer, model: Model,
    decoder: TokenDecoder, special: MarkerTokens
  ) {
    self.addedTokens = addedTokens
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    self.model = model
    self.decoder = decoder
    self.special = special
    joints = if case .bytePairEncoding(let model) = model { model.joints } else { nil }
    workspaces = WorkspacePool()
  }

  /// Reads the tokenizer of a model's folder as `AutoTokenizer` of Hugging Face transformers does: `tokenizer.json`, or
  /// else `vocab.json` with `merges.txt`, with the settings of the files beside; or that of a GGUF file, or of a folder
  /// that has one and no other tokenizer.
  ///
  /// - Throws: `InputError.missing` when there is none, `InputError.badData` with file and entry when a file is
  ///   malformed or unsupported.
  package init(path: String) throws {
    func file(_ name: String) -> String { resolve(name, relativeTo: path) }
    if fileExists(file("tokenizer.json")) {
      let contents = try JSON.read(file: file("tokenizer.json"))
      let settings = try TokenizerSettings(folder: path, file: contents)
      self = try TokenizerFile(contents, path: file("tokenizer.json")).tokenizer(settings)
    } else if fileExists(file("vocab.json")) || fileExists(file("merges.txt")) {
      self = try Tokenizer(vocabulary: file("vocab.json"), merges: file("merges.txt"), folder: path)
    } else if let model = try GGUFModel.file(of: path) {
      self = try GGUFTokenizer(GGUFModel(path: model).metadata).tokenizer()
    } else if let name = ["tokenizer.model", "spiece.model", "vocab.txt"].first(where: { fileExists(file($0)) }) {
      throw InputError.missing(path, "has only \(name), which cpt does not read; add the matching tokenizer.json")
    } else {
      throw InputError.missing(
        path, "has no tokenizer: expected tokenizer.json, vocab.json with merges.txt, or a GGUF file")
    }
  }

  /// Whether a folder has the files of a tokenizer, or a GGUF file a tokenizer; true for a file that cannot be read.
  package static func exists(at path: String) -> Bool {
    if ["tokenizer.json", "vocab.json"].contains(where: { fileExists(resolve($0, relativeTo: path)) }) { return true }
    do {
      guard let model = try GGUFModel.file(of: path) else { return false }
      return try GGUFTokenizer.model(GGUFModel(path: model).metadata) != nil
    } catch {
      return true
    }
  }

  /// Bytes that the tokenizer at a path holds, estimated from the sizes of its files (measured).
  package static func heldBytes(at path: String) -> Int {
    for name in ["tokenizer.json", "vocab.json"] {
      let size = fileSize(resolve(name, relativeTo: path))
      if size > 0 { return 3 * size }
    }
    guard let model = try? GGUFModel.file(of: path), let metadata = try? GGUFModel(path: model).metadata else {
      return 0
    }
    return GGUFTokenizer.heldBytes(metadata)
  }

  /// The largest token id + 1, including added tokens.
  package var vocabularySize: Int { max(model.vocabulary.largestID, addedTokens.largestID ?? -1) + 1 }

  /// The algorithm that splits words into tokens, by its name in tokenizer.json.
  package var algorithm: String {
    switch model {
    case .bytePairEncoding: "BPE"
    case .unigram: "Unigram"
    case .wordPiece: "WordPiece"
    case .wordLevel: "WordLevel"
    }
  }

  /// The tokens that are matched in a text before any other step, in file order.
  package var addedTokenIDs: [Int] { addedTokens.ids }

  // MARK: - Text to tokens

  /// The tokens of a text, in order; no special tokens are added around them, but added tokens match inside the text.
  ///
  /// The tokens cover the text without overlap or gap. The exceptions are bytes that the pre-tokenizer removes, and
  /// letters without a token if there is none for unknown letters. The last token of a piece that the normalizer
  /// rewrites as a whole covers all of it.
  ///
  /// - Throws: `InputError.badData` when a pattern of the tokenizer needs too many steps for the text.
  package func encode(_ text: String) throws -> [Token] {
    var workspace = workspaces.take() ?? Workspace(matchers: preTokenizer.matchers)
    defer {
      workspace.merging.releaseIfLarge()
      workspaces.giveBack(workspace)
    }
    var tokens: [Token] = []
    let bytes = text.utf8.span
    for segment in addedTokens.segments(of: bytes) {
      if let id = segment.id {
        tokens.append(Token(id: id, bytes: segment.bytes))
      } else if let normalizer {
        let normalized = try normalizer.normalize(segment.bytes, of: bytes)
        try encode(
          normalized.bytes.span, 0..<normalized.bytes.count, normalized.alignment, workspace: &workspace, into: &tokens)
      } else {
        try encode(bytes, segment.bytes, .identical, workspace: &workspace, into: &tokens)
      }
    }
    return tokens
  }

  /// Adds the tokens of a range of normalized text.
  private func encode(
    _ text: Span<UInt8>, _ range: Range<Int>, _ source: Alignment, workspace: inout Workspace,
    into tokens: inout [Token]
  ) throws {
    for segment in addedTokens.segments(ofNormalized: text, range) {
      if let id = segment.id {
        tokens.append(Token(id: id, bytes: source[segment.bytes.lowerBound]..<source[segment.bytes.upperBound]))
        continue
      }
      var words: [Range<Int>] = []
      swap(&words, &workspace.words)
      let rewritten = try preTokenizer.split(
        segment.bytes, of: text, source, matchers: &workspace.matchers, into: &words)
      if let rewritten {
        encode(words, of: rewritten.bytes.span, rewritten.alignment, workspace: &workspace, into: &tokens)
      } else {
        encode(words, of: text, source, workspace: &workspace, into: &tokens)
      }
      swap(&words, &workspace.words)
    }
  }

  /// Adds the tokens of words.
  private func encode(
    _ words: [Range<Int>], of text: Span<UInt8>, _ source: Alignment, workspace: inout Workspace,
    into tokens: inout [Token]
  ) {
    let first = tokens.count
    for word in words {
      var start = word.lowerBound
      if let joints {
        while let end = joints.next(after: start, to: word.upperBound, in: text) {
          encode(start..<end, of: text, workspace: &workspace, into: &tokens)
          start = end
        }
      }
      encode(start..<word.upperBound, of: text, workspace: &workspace, into: &tokens)
    }
    if case .aligned = source {
      for i in first..<tokens.count {
        let bytes = tokens[i].bytes
        tokens[i] = Token(id: tokens[i].id, bytes: source[bytes.lowerBound]..<source[bytes.upperBound])
      }
    }
  }

  /// Adds the tokens of a word, with the bytes of `text` that they cover.
  @inline(__always)
  private func encode(
    _ word: Range<Int>, of text: Span<UInt8>, workspace: inout Workspace, into tokens: inout [Token]
  ) {
    let start = word.lowerBound
    let word = text.extracting(word)
    if let found = workspace.cache.range(of: word) {
      for i in found { tokens.append(Token(workspace.cache.tokens[i], from: start)) }
    } else {
      encodeNew(word, from: start, workspace: &workspace, into: &tokens)
    }
  }

  /// Adds the tokens of a word that is not in the cache.
  @inline(never)
  private func encodeNew(
    _ word: Span<UInt8>, from start: Int, workspace: inout Workspace, into tokens: inout [Token]
  ) {
    workspace.wordTokens.removeAll(keepingCapacity: true)
    model.encode(word, workspace: &workspace.merging, into: &workspace.wordTokens)
    workspace.cache.insert(word, tokens: workspace.wordTokens)
    for token in workspace.wordTokens { tokens.append(Token(token, from: start)) }
  }

  // MARK: - Tokens to text

  /// The text of a list of tokens; invalid UTF-8 becomes U+FFFD.
  ///
  /// Special tokens are kept; unknown ids are skipped, as in Hugging Face tokenizers.
  package func decode(_ ids: [Int]) -> String {
    var stream = TextStream(self)
    var text = ""
    for id in ids { text += stream.append(id) }
    return text + stream.finish()
  }

  /// The spelling of a token for the decoder; nil for an unknown id.
  func spellingForDecoding(_ id: Int) -> [UInt8]? {
    addedTokens.spelling(of: id) ?? model.vocabulary.spelling(of: id).map { Array($0) }
  }

  /// The bytes of a token inside a text, not necessarily whole characters; nil for an unknown id.
  package func bytes(of id: Int) -> [UInt8]? {
    if let content = addedTokens.content(of: id) { return Array(content.utf8) }
    return model.vocabulary.spelling(of: id).map { decoder.bytes(spelledBy: $0) }
  }

  /// The id of an added token by its content, or of a token by its spelling in the vocabulary (" the" is "Ġthe").
  package func id(of token: String) -> Int? {
    addedTokens.id(of: token) ?? model.vocabulary.id(of: token.utf8.span)
  }

  /// A token's text for display: invalid UTF-8 is shown as `<0xNN>`, an unknown id as `<id N>`.
  package func text(of id: Int) -> String {
    guard let bytes = bytes(of: id) else { return "<id \(id)>" }
    var text = ""
    var rest = bytes[...]
    while !rest.isEmpty {
      var parser = UTF8.ForwardParser()
      var iterator = rest.makeIterator()
      switch parser.parseScalar(from: &iterator) {
      case .valid(let scalar):
        text.unicodeScalars.append(UTF8.decode(scalar))
        rest = rest.dropFirst(scalar.count)
      case .error(let length):
        for byte in rest.prefix(length) { text += ByteFallback.spelling(of: byte) }
        rest = rest.dropFirst(length)
      case .emptyInput: rest = []
      }
    }
    return text
  }
}

extension Token {
  /// A token of a word that begins at an offset.
  fileprivate init(_ token: WordToken, from offset: Int) {
    self.init(id: Int(token.id), bytes: (offset + Int(token.start))..<(offset + Int(token.end)))
  }
}

/// The state of encoding that is reused from word to word.
private struct Workspace: Sendable {
  var matchers: [PatternMatcher]
  var cache = WordCache()
  var merging = MergeWorkspace()
  var wordTokens: [WordToken] = []
  var words: [Range<Int>] = []
}

/// Unused workspaces: as many as there were concurrent calls.
private final class WorkspacePool: Sendable {
  private let unused = Mutex<[Workspace]>([])

  func take() -> Workspace? { unused.withLock { $0.popLast() } }

  func giveBack(_ workspace: Workspace) {
    unused.withLock { $0.append(workspace) }
  }
}
