/// The model `WordPiece`: a word becomes the longest token that begins it, then the longest that continues it, and so on;
/// a word that cannot be covered is unknown.
///
/// Source: Hugging Face tokenizers' `wordpiece/mod.rs`.
struct WordPiece: Sendable {
  let vocabulary: Vocabulary
  private let unknownToken: Int32
  /// Words with more characters are unknown.
  private let longestWord: Int
  private let trie: ByteTrie
  /// Where tokens that continue a word begin in the trie; nil if there are none.
  private let continuation: Int?

  /// `prefix` begins the spellings of the tokens that continue a word.
  init(vocabulary: Vocabulary, unknownToken: Int32, prefix: String, longestWord: Int) {
    self.vocabulary = vocabulary
    self.unknownToken = unknownToken
    self.longestWord = longestWord
    var trie = ByteTrie()
    for (spelling, id) in vocabulary.tokens { trie.insert(spelling, id: id) }
    self.trie = trie
    var place: Int? = ByteTrie.root
    for byte in prefix.utf8 { place = place.flatMap { trie.child(of: $0, by: byte) } }
    continuation = place
  }

  /// Appends the tokens of a word to `tokens`.
  func encode(_ word: Span<UInt8>, into tokens: inout [WordToken]) {
    let first = tokens.count
    var start = 0
    let isTooLong = word.count > longestWord && word.indices.count { word[$0] & 0xC0 != 0x80 } > longestWord
    while !isTooLong, start < word.count, var place = start == 0 ? ByteTrie.root : continuation {
      var longest: (id: Int32, end: Int)?
      var end = start
      while end < word.count, let next = trie.child(of: place, by: word[end]) {
        place = next
        end += 1
        if let id = trie.id(at: place) { longest = (id, end) }
      }
      guard let (id, end) = longest else { break }
      tokens.append(WordToken(id: id, start: Int32(start), end: Int32(end)))
      start = end
    }
    if start < word.count {
      tokens.removeLast(tokens.count - first)
      tokens.append(WordToken(id: unknownToken, start: 0, end: Int32(word.count)))
    }
  }
}

/// The model `WordLevel`: a word is a token, or unknown.
///
/// Source: Hugging Face tokenizers' `wordlevel/mod.rs`.
struct WordLevel: Sendable {
  let vocabulary: Vocabulary
  let unknownToken: Int32

  /// Appends the token of a word to `tokens`.
  func encode(_ word: Span<UInt8>, into tokens: inout [WordToken]) {
    let id = vocabulary.id(of: word).map { Int32($0) } ?? unknownToken
    tokens.append(WordToken(id: id, start: 0, end: Int32(word.count)))
  }
}
