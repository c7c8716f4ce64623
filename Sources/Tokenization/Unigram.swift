/// The model `Unigram`: the segmentation of a word into tokens with the largest sum of scores.
///
/// Source: Kudo, "Subword Regularization" (2018); Hugging Face tokenizers' `unigram/model.rs`.
struct Unigram: Sendable {
  let vocabulary: Vocabulary
  /// The logarithm of each token's probability.
  private let scores: [Double]
  /// The token for letters without a token.
  private let unknownToken: Int
  private let unknownScore: Double
  private let fallback: ByteFallback?
  private let trie: ByteTrie

  /// `scores` are those of the tokens 0, 1, 2, …
  init(vocabulary: Vocabulary, scores: [Double], unknownToken: Int, fallback: ByteFallback?) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknownToken = unknownToken
    self.fallback = fallback
    unknownScore = (scores.min() ?? 0) - 10
    var trie = ByteTrie()
    for (spelling, id) in vocabulary.tokens { trie.insert(spelling, id: id) }
    self.trie = trie
  }

  /// Appends the tokens of a word to `tokens`.
  func encode(_ word: Span<UInt8>, into tokens: inout [WordToken]) {
    for piece in bestPieces(of: word).reversed() {
      // Consecutive unknown letters became one piece, which can still be a token.
      if let id = vocabulary.id(of: word.extracting(piece)) {
        tokens.append(WordToken(id: Int32(id), start: Int32(piece.lowerBound), end: Int32(piece.upperBound)))
      } else if let fallback {
        for i in piece { tokens.append(WordToken(id: fallback[word[i]], start: Int32(i), end: Int32(i + 1))) }
      } else {
        tokens.append(
          WordToken(id: Int32(unknownToken), start: Int32(piece.lowerBound), end: Int32(piece.upperBound)))
      }
    }
  }

  /// The best path that ends at an offset.
  private struct Node {
    var score = 0.0
    var id = Int32(-1)
    /// The start of its last token; -1 while there is no path.
    var start = -1
  }

  /// The best segmentation of a word (Viterbi's algorithm), last piece first.
  private func bestPieces(of word: Span<UInt8>) -> [Range<Int>] {
    var nodes = [Node](repeating: Node(), count: word.count + 1)
    func offer(_ id: Int32, _ score: Double, _ range: Range<Int>) {
      let node = nodes[range.upperBound]
      if node.start < 0 || score > node.score {
        nodes[range.upperBound] = Node(score: score, id: id, start: range.lowerBound)
      }
    }
    var start = 0
    while start < word.count {
      let score = nodes[start].score
      let length = word.scalarValue(at: start).length
      var coversLetter = false
      var place = ByteTrie.root
      var end = start
      while end < word.count, let next = trie.child(of: place, by: word[end]) {
        place = next
        end += 1
        guard let id = trie.id(at: place) else { continue }
        offer(id, score + scores[Int(id)], start..<end)
        if end - start == length { coversLetter = true }
      }
      if !coversLetter { offer(Int32(unknownToken), score + unknownScore, start..<(start + length)) }
      start += length
    }
    var pieces: [Range<Int>] = []
    var end = word.count
    var lastIsUnknown = false
    while end > 0 {
      let node = nodes[end]
      let isUnknown = Int(node.id) == unknownToken
      if isUnknown, lastIsUnknown {
        pieces[pieces.count - 1] = node.start..<pieces[pieces.count - 1].upperBound
      } else {
        pieces.append(node.start..<end)
      }
      lastIsUnknown = isUnknown
      end = node.start
    }
    return pieces
  }
}

/// A trie of the tokens of a vocabulary by their bytes.
struct ByteTrie: Sendable {
  static let root = 0

  /// An open-addressing hash table; its size is a power of two.
  private var slots = [Slot](repeating: Slot(), count: 1024)
  /// The token that ends at each node, or -1.
  private var ids: [Int32] = [-1]

  private struct Slot {
    /// Node and byte, plus one; 0 if the slot is free.
    var key = 0
    var child = 0
  }

  /// Adds a token.
  mutating func insert(_ spelling: ArraySlice<UInt8>, id: Int32) {
    var place = Self.root
    for byte in spelling {
      if let next = child(of: place, by: byte) {
        place = next
        continue
      }
      ids.append(-1)
      if 2 * ids.count > slots.count { grow() }
      let key = place << 8 + Int(byte) + 1
      slots[slot(of: key)] = Slot(key: key, child: ids.count - 1)
      place = ids.count - 1
    }
    ids[place] = id
  }

  /// The node that a byte leads to.
  func child(of place: Int, by byte: UInt8) -> Int? {
    let slot = slots[slot(of: place << 8 + Int(byte) + 1)]
    return slot.key == 0 ? nil : slot.child
  }

  /// The token that ends at a node.
  func id(at place: Int) -> Int32? { ids[place] < 0 ? nil : ids[place] }

  private func slot(of key: Int) -> Int {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: (UInt64(key) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while slots[place].key != key, slots[place].key != 0 { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Slot(), count: 2 * old.count)
    for entry in old where entry.key != 0 { slots[slot(of: entry.key)] = entry }
  }
}
