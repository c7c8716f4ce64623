/// Splits a text into the words that the model processes one by one.
///
/// Source: Hugging Face tokenizers' `pre_tokenizers`.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    case split(Splitter)
    /// Inserts a text before each word that does not begin with it; `onlyFirst`: only at the start of the text.
    case prefix([UInt8], onlyFirst: Bool)
    /// Replaces each space with a text.
    case replaceSpaces([UInt8])
  }

  var steps: [Step] = []
  /// Whether the model gets bytes as letters of `ByteAlphabet`.
  var spellsBytes = false

  /// New matchers for the splitting steps that need one, in order.
  var matchers: [PatternMatcher] {
    steps.compactMap { step in
      if case .split(let splitter) = step, case .automaton(let pattern) = splitter.pattern {
        PatternMatcher(pattern)
      } else {
        nil
      }
    }
  }

  /// Finds the words of a range of the text, and returns the text they are ranges of if it was rewritten.
  func split(
    _ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment, matchers: inout [PatternMatcher],
    into words: inout [Range<Int>]
  ) throws -> AlignedText? {
    words.removeAll(keepingCapacity: true)
    words.append(range)
    var rewritten: AlignedText?
    var matcher = 0
    for step in steps {
      switch step {
      case .split(let splitter):
        var pieces: [Range<Int>] = []
        pieces.reserveCapacity(words.reduce(0) { $0 + $1.count } / 4)
        func split(_ text: Span<UInt8>) throws {
          switch splitter.pattern {
          case .automaton:
            for word in words { splitter.split(word, of: text, matcher: &matchers[matcher], into: &pieces) }
            matcher += 1
          case .oniguruma(let expression, let spelling):
            for word in words {
              splitter.split(
                word, at: try expression.matches(in: text, word, spelling: spelling), into: &pieces)
            }
          }
        }
        if let rewritten { try split(rewritten.bytes.span) } else { try split(text) }
        words = pieces
      case .prefix, .replaceSpaces:
        if let old = rewritten {
          rewritten = rewrite(&words, of: old.bytes.span, old.alignment, by: step) ?? old
        } else {
          rewritten = rewrite(&words, of: text, source, by: step)
        }
      }
    }
    return rewritten
  }

  /// Rewrites words by a step, if it changes one.
  private func rewrite(
    _ words: inout [Range<Int>], of text: Span<UInt8>, _ source: Alignment, by step: Step
  ) -> AlignedText? {
    func needsPrefix(_ word: Range<Int>) -> Bool {
      guard case .prefix(let prefix, let onlyFirst) = step else { return false }
      return (!onlyFirst || source[word.lowerBound] == 0) && !text.begins(with: prefix.span, in: word)
    }
    if case .prefix = step, !words.contains(where: needsPrefix) { return nil }
    var result = AlignedText(from: source[words.first?.lowerBound ?? 0])
    for index in words.indices {
      let word = words[index]
      let start = result.bytes.count
      switch step {
      case .prefix(let prefix, _):
        if needsPrefix(word) { result.append(prefix.span, upTo: source[word.lowerBound]) }
        result.append(word, of: text, source)
      case .replaceSpaces(let replacement):
        for position in word {
          if text[position] == UInt8(ascii: " ") {
            result.append(replacement.span, upTo: source[position + 1])
          } else {
            result.append(position..<(position + 1), of: text, source)
          }
        }
      case .split: result.append(word, of: text, source)
      }
      words[index] = start..<result.bytes.count
    }
    return result
  }
}

extension Span<UInt8> {
  /// Whether a range begins with a text.
  fileprivate func begins(with text: Span<UInt8>, in range: Range<Int>) -> Bool {
    range.count >= text.count && text.indices.allSatisfy { self[range.lowerBound + $0] == text[$0] }
  }
}
