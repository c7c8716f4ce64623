/// The tokens of earlier words: text repeats its words, and a lookup is far faster than merging again.
struct WordCache: Sendable {
  /// Longest cached word in bytes; longer words rarely repeat.
  private static let longestWord = 32
  /// Number of words at which the cache is cleared.
  private static let largestCount = 1 << 16

  private var words = ByteStringTable()
  /// The tokens of all words, concatenated.
  private(set) var tokens: [WordToken] = []
  /// The start of each word's tokens in `tokens` and, last, their end.
  private var starts: [Int] = [0]

  /// The range of a word's tokens in `tokens`; nil for a word that is not in the cache.
  @inline(__always)
  func range(of word: Span<UInt8>) -> Range<Int>? {
    guard let index = words.index(of: word) else { return nil }
    return starts[index]..<starts[index + 1]
  }

  /// Stores the tokens of a word that is not in the cache.
  mutating func insert(_ word: Span<UInt8>, tokens wordTokens: [WordToken]) {
    guard word.count <= Self.longestWord else { return }
    if words.count == Self.largestCount {
      words.removeAll()
      tokens.removeAll(keepingCapacity: true)
      starts = [0]
    }
    words.insert(word)
    tokens += wordTokens
    starts.append(tokens.count)
  }
}
