/// What turns a word into tokens.
enum Model: Sendable {
  case bytePairEncoding(BytePairEncoding)
  case unigram(Unigram)

  var vocabulary: Vocabulary {
    switch self {
    case .bytePairEncoding(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    }
  }

  /// The end of the part of a word that begins at `start` and can be encoded by itself.
  func endOfPart(from start: Int, to end: Int, in text: Span<UInt8>) -> Int {
    if case .bytePairEncoding(let model) = self { model.endOfPart(from: start, to: end, in: text) } else { end }
  }

  /// Puts the tokens of a word at the end of `tokens`.
  func encode(_ word: Span<UInt8>, workspace: inout MergeWorkspace, into tokens: inout [WordToken]) {
    switch self {
    case .bytePairEncoding(let model): model.encode(word, workspace: &workspace, into: &tokens)
    case .unigram(let model): model.encode(word, into: &tokens)
    }
  }
}
