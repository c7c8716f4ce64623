/// Splits a text into the words that the model sees one by one.
///
/// Source: Hugging Face tokenizers' `pre_tokenizers`.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    case split(Splitter)
    /// Puts a text before each word that does not begin with it; `onlyFirst`: before that at the text's beginning.
    case prefix([UInt8], onlyFirst: Bool)
    /// Puts a text in the place of each space.
    case replaceSpaces([UInt8])
  }

  var steps: [Step] = []
  /// The model sees bytes as letters of `ByteAlphabet`.
  var spellsBytes = false

  /// New matchers for the steps that split, in their order.
  var matchers: [PatternMatcher] {
    steps.compactMap { step in
      if case .split(let splitter) = step { PatternMatcher(splitter.pattern) } else { nil }
    }
  }

  /// Hands over the words of a range of the text, with the text that they are ranges of and where it comes from.
  func split(
    _ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment, matchers: inout [PatternMatcher],
    body: (_ words: [Range<Int>], _ text: Span<UInt8>, _ source: Alignment) -> Void
  ) {
    split([range], of: text, source, steps: steps[...], matchers: &matchers, matcher: 0, body: body)
  }

  private func split(
    _ words: [Range<Int>], of text: Span<UInt8>, _ source: Alignment, steps: ArraySlice<Step>,
    matchers: inout [PatternMatcher], matcher: Int,
    body: (_ words: [Range<Int>], _ text: Span<UInt8>, _ source: Alignment) -> Void
  ) {
    var words = words
    var matcher = matcher
    for index in steps.indices {
      switch steps[index] {
      case .split(let splitter):
        var pieces: [Range<Int>] = []
        for word in words { splitter.split(word, of: text, matcher: &matchers[matcher], into: &pieces) }
        words = pieces
        matcher += 1
      case .prefix(let prefix, let onlyFirst):
        func needsPrefix(_ word: Range<Int>) -> Bool {
          (!onlyFirst || source[word.lowerBound] == 0) && !text.begins(with: prefix.span, in: word)
        }
        guard words.contains(where: needsPrefix) else { continue }
        return rewrite(
          words, of: text, source, steps: steps[(index + 1)...], matchers: &matchers, matcher: matcher, body: body
        ) { word, result in
          if needsPrefix(word) { result.append(prefix.span, upTo: source[word.lowerBound]) }
          result.append(word, of: text, source)
        }
      case .replaceSpaces(let replacement):
        return rewrite(
          words, of: text, source, steps: steps[(index + 1)...], matchers: &matchers, matcher: matcher, body: body
        ) { word, result in
          for position in word {
            if text[position] == UInt8(ascii: " ") {
              result.append(replacement.span, upTo: source[position + 1])
            } else {
              result.append(position..<(position + 1), of: text, source)
            }
          }
        }
      }
    }
    body(words, text, source)
  }

  /// Goes on with words that are written anew.
  private func rewrite(
    _ words: [Range<Int>], of text: Span<UInt8>, _ source: Alignment, steps: ArraySlice<Step>,
    matchers: inout [PatternMatcher], matcher: Int,
    body: (_ words: [Range<Int>], _ text: Span<UInt8>, _ source: Alignment) -> Void,
    append: (_ word: Range<Int>, _ result: inout AlignedText) -> Void
  ) {
    var result = AlignedText(from: source[words.first?.lowerBound ?? 0])
    var rewritten: [Range<Int>] = []
    for word in words {
      let start = result.bytes.count
      append(word, &result)
      rewritten.append(start..<result.bytes.count)
    }
    split(
      rewritten, of: result.bytes.span, result.alignment, steps: steps, matchers: &matchers, matcher: matcher,
      body: body)
  }
}

extension Span<UInt8> {
  /// Whether a range begins with a text.
  fileprivate func begins(with text: Span<UInt8>, in range: Range<Int>) -> Bool {
    range.count >= text.count && text.indices.allSatisfy { self[range.lowerBound + $0] == text[$0] }
  }
}
