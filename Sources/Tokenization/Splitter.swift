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

  var pattern: TextPattern
  var behavior = Behavior.isolated
  /// Swaps the matches and the text between them.
  var isInverted = false

  /// Appends the words of a range of the text to `words`; `matcher` belongs to the pattern.
  func split(
    _ range: Range<Int>, of text: Span<UInt8>, matcher: inout PatternMatcher, into words: inout [Range<Int>]
  ) {
    var pieces = Pieces(self, startingWith: words.count)
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
        if start < position { pieces.add(start..<position, isMatch: isInverted, to: &words) }
        pieces.add(position..<end, isMatch: !isInverted, to: &words)
      }
      start = end
      position = end
    }
    if start < position { pieces.add(start..<position, isMatch: isInverted, to: &words) }
  }

  /// The same with the matches already found; empty ones are matches too, but no words.
  func split(_ range: Range<Int>, at matches: [Range<Int>], into words: inout [Range<Int>]) {
    var pieces = Pieces(self, startingWith: words.count)
    var start = range.lowerBound
    for match in matches {
      if start < match.lowerBound { pieces.add(start..<match.lowerBound, isMatch: isInverted, to: &words) }
      pieces.add(match, isMatch: !isInverted, to: &words)
      start = match.upperBound
    }
    if start < range.upperBound { pieces.add(start..<range.upperBound, isMatch: isInverted, to: &words) }
    if matches.contains(where: \.isEmpty) {
      let found = words[pieces.first...].filter { !$0.isEmpty }
      words.replaceSubrange(pieces.first..., with: found)
    }
  }

  /// The matches of a text and the pieces between them become words.
  private struct Pieces {
    private let behavior: Behavior
    /// The number of words before.
    let first: Int
    private var lastIsMatch = false

    init(_ splitter: Splitter, startingWith first: Int) {
      behavior = splitter.behavior
      self.first = first
    }

    mutating func add(_ piece: Range<Int>, isMatch: Bool, to words: inout [Range<Int>]) {
      let isMerged =
        switch behavior {
        case .isolated, .removed: false
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
  }
}
