extension Tokenizer {
  /// The most bytes of a text, white space aside, that one token covers; nil if that is not known.
  ///
  /// It is known for byte-level BPE without a normalizer: every byte that is no white space belongs to a token.
  package var largestToken: Int? {
    let keepsText = preTokenizer.steps.allSatisfy { step in
      if case .split(let splitter) = step { splitter.behavior != .removed } else { true }
    }
    guard normalizer == nil, keepsText, preTokenizer.spellsBytes, case .bytePairEncoding(let model) = model,
      ByteAlphabet.letters.allSatisfy({ model.vocabulary.id(of: String($0).utf8.span) != nil })
    else { return nil }
    return (0..<vocabularySize).reduce(1) { max($0, bytes(of: $1)?.count ?? 0) }
  }
}
