/// A rewriting of a text before it is split.
///
/// Source: Hugging Face tokenizers' `normalizers`.
indirect enum Normalizer: Sendable {
  case form(NormalizationForm)
  /// Inserts a text before a non-empty text.
  case prepend([UInt8])
  /// Replaces a non-empty text with another.
  case replace([UInt8], by: [UInt8])
  /// Replaces the matches of a pattern with a text.
  case replaceMatches(TextPattern, by: [UInt8])
  /// Rewrites character by character.
  case characters(CharacterRewriting)
  /// Rewrites by SentencePiece's map.
  case map(CharacterMap)
  /// Removes whitespace at the ends of the text.
  case strip(left: Bool, right: Bool)
  case sequence([Normalizer])

  /// The normalized text of a range of a text.
  func normalize(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment = .identical) throws -> AlignedText {
    var result = AlignedText(from: source[range.lowerBound])
    switch self {
    case .form(let form): form.append(range, of: text, source, to: &result)
    case .prepend(let prefix):
      if !range.isEmpty { result.append(prefix.span, upTo: source[range.lowerBound]) }
      result.append(range, of: text, source)
    case .replace(let pattern, let content):
      var copied = range.lowerBound
      while let start = text.firstOccurrence(of: pattern.span, in: copied..<range.upperBound) {
        result.append(copied..<start, of: text, source)
        copied = start + pattern.count
        result.append(content.span, upTo: source[copied])
      }
      result.append(copied..<range.upperBound, of: text, source)
    case .replaceMatches(let pattern, let content):
      var copied = range.lowerBound
      for match in try pattern.matches(in: text, range) {
        result.append(copied..<match.lowerBound, of: text, source)
        result.append(content.span, upTo: source[match.upperBound])
        copied = match.upperBound
      }
      result.append(copied..<range.upperBound, of: text, source)
    case .characters(let rewriting): rewriting.append(range, of: text, source, to: &result)
    case .map(let map): map.append(range, of: text, source, to: &result)
    case .strip(let left, let right):
      var start = range.lowerBound, end = range.upperBound
      while left, let scalar = text.scalar(startingAt: start, to: end), scalar.isWhitespace {
        start += UTF8.width(scalar)
      }
      while right, let scalar = text.scalar(endingAt: end, from: start), scalar.isWhitespace {
        end -= UTF8.width(scalar)
      }
      if start > range.lowerBound { result.end(at: source[start]) }
      result.append(start..<end, of: text, source)
    case .sequence(let parts):
      result.append(range, of: text, source)
      for part in parts {
        result = try part.normalize(0..<result.bytes.count, of: result.bytes.span, result.alignment)
      }
    }
    result.end(at: source[range.upperBound])
    return result
  }

  /// The normalized form of a text.
  func normalize(_ text: String) throws -> [UInt8] {
    try normalize(0..<text.utf8.count, of: text.utf8.span).bytes
  }
}

extension Span<UInt8> {
  /// The first occurrence of a non-empty text in a range.
  fileprivate func firstOccurrence(of text: Span<UInt8>, in range: Range<Int>) -> Int? {
    let first = text[0]
    var start = range.lowerBound
    while start + text.count <= range.upperBound {
      if self[start] == first, text.indices.allSatisfy({ self[start + $0] == text[$0] }) { return start }
      start += 1
    }
    return nil
  }
}
