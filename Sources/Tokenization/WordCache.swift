/// The tokens of words met before: text repeats its words, and looking one up is far quicker than merging it anew.
struct WordCache: Sendable {
  /// In bytes; longer words are rarely met again.
  private static let longestWord = 32
  /// How many words there may be before the cache begins anew.
  private static let largestCount = 1 << 16

  private var words = ByteStringTable()
  /// The tokens of all words, one after the other.
  private(set) var tokens: [WordToken] = []
  /// Where in `tokens` the tokens of each word begin and, last, where they end.
  private var starts: [Int] = [0]

  /// Where in `tokens` the tokens of a word are; nil for a word that is not in the cache.
  @inline(__always)
  func range(of word: Span<UInt8>) -> Range<Int>? {
    guard let index = words.index(of: word) else { return nil }
    return starts[index]..<starts[index + 1]
  }

  /// Remembers the tokens of a word that is not in the cache.
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
