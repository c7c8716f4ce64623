/// The algorithm that splits a word into tokens.
enum Model: Sendable {
  case bytePairEncoding(BytePairEncoding)
  case unigram(Unigram)
  case wordPiece(WordPiece)
  case wordLevel(WordLevel)

  var vocabulary: Vocabulary {
    switch self {
    case .bytePairEncoding(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    case .wordPiece(let model): model.vocabulary
    case .wordLevel(let model): model.vocabulary
    }
  }

  /// Appends the tokens of a word to `tokens`.
  func encode(_ word: Span<UInt8>, workspace: inout MergeWorkspace, into tokens: inout [WordToken]) {
    switch self {
    case .bytePairEncoding(let model): model.encode(word, workspace: &workspace, into: &tokens)
    case .unigram(let model): model.encode(word, into: &tokens)
    case .wordPiece(let model): model.encode(word, into: &tokens)
    case .wordLevel(let model): model.encode(word, into: &tokens)
    }
  }
}
