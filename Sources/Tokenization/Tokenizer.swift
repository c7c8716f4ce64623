import FileFormats
import Synchronization

/// A token of a text and where it stands.
public struct Token: Hashable, Sendable {
  /// The row of the model's embedding.
  public let id: Int
  /// The bytes of the text's UTF-8 that the token covers; empty for a space that the tokenizer invented.
  public let bytes: Range<Int>

  public init(id: Int, bytes: Range<Int>) {
    self.id = id
    self.bytes = bytes
  }
}

/// Turns text into tokens and back, exactly as Hugging Face tokenizers does with the same files.
///
/// A text passes: added tokens (cut out of it) → pre-tokenizer (words) → model (tokens); token ids pass the decoder.
public struct Tokenizer: Sendable {
  let addedTokens: AddedTokens
  let preTokenizer: ByteLevel
  let model: BytePairEncoding
  private let workspaces: WorkspacePool

  /// Assembles a tokenizer of its parts.
  init(addedTokens: AddedTokens, preTokenizer: ByteLevel, model: BytePairEncoding) {
    self.addedTokens = addedTokens
    self.preTokenizer = preTokenizer
    self.model = model
    workspaces = WorkspacePool()
  }

  /// Reads the tokenizer of a model's folder: `tokenizer.json`, or else `vocab.json` with `merges.txt`.
  ///
  /// - Throws: `InputError.missing` when neither is there, `InputError.badData` with file and entry when a file is
  ///   malformed or asks for what is not supported.
  public init(folder: String) throws {
    func path(_ name: String) -> String { resolve(name, relativeTo: folder) }
    if fileExists(path("tokenizer.json")) {
      self = try TokenizerFile(path: path("tokenizer.json")).tokenizer()
    } else if fileExists(path("vocab.json")) || fileExists(path("merges.txt")) {
      self = try Tokenizer(vocabulary: path("vocab.json"), merges: path("merges.txt"))
    } else {
      throw InputError.missing(folder, "has no tokenizer: expected tokenizer.json, or vocab.json with merges.txt")
    }
  }

  /// The largest token id + 1, added tokens included.
  public var vocabularySize: Int { max(model.vocabulary.count, addedTokens.largestID.map { $0 + 1 } ?? 0) }

  // MARK: - Text to tokens

  /// The tokens of a text, in order; no special tokens are put around them, but added tokens match inside the text.
  ///
  /// The tokens cover the text without overlap or hole, except that bytes vanish which the vocabulary has no token for
  /// when it has no token for unknown letters either.
  public func encode(_ text: String) -> [Token] {
    var workspace = workspaces.take()
    defer {
      workspace.merging.releaseIfLarge()
      workspaces.giveBack(workspace)
    }
    var tokens: [Token] = []
    let bytes = text.utf8.span
    for segment in addedTokens.segments(of: bytes) {
      if let id = segment.id {
        tokens.append(Token(id: id, bytes: segment.bytes))
      } else if preTokenizer.addsPrefixSpace, bytes[segment.bytes.lowerBound] != UInt8(ascii: " ") {
        var spaced = [UInt8(ascii: " ")]
        for i in segment.bytes { spaced.append(bytes[i]) }
        let first = tokens.count
        encode(spaced.span, 0..<spaced.count, workspace: &workspace, into: &tokens)
        for i in first..<tokens.count {
          let range = tokens[i].bytes
          let shift = segment.bytes.lowerBound - 1
          let start = max(range.lowerBound, 1) + shift
          tokens[i] = Token(id: tokens[i].id, bytes: start..<(max(range.upperBound, 1) + shift))
        }
      } else {
        encode(bytes, segment.bytes, workspace: &workspace, into: &tokens)
      }
    }
    return tokens
  }

  private func encode(
    _ bytes: Span<UInt8>, _ range: Range<Int>, workspace: inout Workspace, into tokens: inout [Token]
  ) {
    var start = range.lowerBound
    while start < range.upperBound {
      let end =
        preTokenizer.splitsWords
        ? workspace.scanner.endOfWord(from: start, to: range.upperBound, in: bytes) : range.upperBound
      let word = bytes.extracting(start..<end)
      if let found = workspace.cache.range(of: word) {
        for i in found { tokens.append(Token(workspace.cache.tokens[i], from: start)) }
      } else {
        workspace.wordTokens.removeAll(keepingCapacity: true)
        model.encode(word, workspace: &workspace.merging, into: &workspace.wordTokens)
        workspace.cache.insert(word, tokens: workspace.wordTokens)
        for token in workspace.wordTokens { tokens.append(Token(token, from: start)) }
      }
      start = end
    }
  }

  // MARK: - Tokens to text

  /// The text of a list of tokens: their bytes joined, where they are no UTF-8 replaced by U+FFFD.
  ///
  /// Special tokens are kept; ids that no token has are passed over, as in Hugging Face tokenizers.
  public func decode(_ ids: [Int]) -> String {
    var text: [UInt8] = []
    for id in ids { text += bytes(of: id) ?? [] }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes a token stands for, which need not be whole characters; nil where no token has this id.
  public func bytes(of id: Int) -> [UInt8]? {
    if let spelling = model.vocabulary.spelling(of: id) { return ByteAlphabet.bytes(spelledBy: spelling) }
    return addedTokens.content(of: id).map { Array($0.utf8) }
  }

  /// The id of an added token by its content, or of a token by its spelling in the vocabulary (" the" is "Ġthe").
  public func id(of token: String) -> Int? {
    addedTokens.id(of: token) ?? model.vocabulary.id(of: token.utf8.span)
  }

  /// A token's text for people: bytes that are no UTF-8 are shown as `<0xNN>`, an id that no token has as `<id N>`.
  public func text(of id: Int) -> String {
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
        for byte in rest.prefix(length) {
          text += byte < 0x10 ? "<0x0" : "<0x"
          text += String(byte, radix: 16, uppercase: true) + ">"
        }
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

/// What encoding remembers from word to word.
private struct Workspace: Sendable {
  var scanner = WordScanner()
  var cache = WordCache()
  var merging = MergeWorkspace()
  var wordTokens: [WordToken] = []
}

/// Workspaces that are not in use: as many as there have been calls at the same time.
private final class WorkspacePool: Sendable {
  private let unused = Mutex<[Workspace]>([])

  func take() -> Workspace { unused.withLock { $0.popLast() } ?? Workspace() }

  func giveBack(_ workspace: Workspace) {
    unused.withLock { $0.append(workspace) }
  }
}
