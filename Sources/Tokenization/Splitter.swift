/// Splits text at the matches of a pattern.
///
/// Source: Hugging Face tokenizers' `split.rs` and `normalizer.rs`.
struct Splitter: Sendable {
  /// The treatment of the matches.
  enum Behavior: String, CaseIterable, Sendable {
    case isolated = "Isolated"
    case removed = "Removed"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Consecutive matches become one.
    case contiguous = "Contiguous"
  }

  var pattern: Pattern
  var behavior = Behavior.isolated
  /// Swaps the matches and the text between them.
  var isInverted = false

  /// Appends the words of a range of the text to `words`; `matcher` belongs to the pattern.
  func split(
    _ range: Range<Int>, of text: Span<UInt8>, matcher: inout PatternMatcher, into words: inout [Range<Int>]
  ) {
    let first = words.count
    var lastIsMatch = false
    func add(_ piece: Range<Int>, isMatch: Bool, to words: inout [Range<Int>]) {
      let isMerged =
        switch behavior {
        case .isolated: false
        case .removed: false
        case .mergedWithPrevious: isMatch && !lastIsMatch
        case .mergedWithNext: !isMatch && lastIsMatch
        case .contiguous: isMatch == lastIsMatch
        }
      lastIsMatch = isMatch
      if isMerged, words.count > first {
        words[words.count - 1] = words[words.count - 1].lowerBound..<piece.upperBound
      } else if behavior != .removed || !isMatch {
        words.append(piece)
      }
    }
    var start = range.lowerBound
    var position = start
    while position < range.upperBound {
      guard let end = matcher.endOfMatch(from: position, to: range.upperBound, in: text) else {
        position += matcher.lengthOfCharacter(at: position, in: text)
        continue
      }
      if behavior == .isolated {
        if start < position { words.append(start..<position) }
        words.append(position..<end)
      } else {
        if start < position { add(start..<position, isMatch: isInverted, to: &words) }
        add(position..<end, isMatch: !isInverted, to: &words)
      }
      start = end
      position = end
    }
    if start < position { add(start..<position, isMatch: isInverted, to: &words) }
  }
}
