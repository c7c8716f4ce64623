/// A token of a word and the bytes of the word it covers.
struct WordToken {
  var id: Int32
  var start: Int32
  var end: Int32
}

/// The model `BPE`: a word starts as its letters; the neighbouring pair with the lowest rank is merged into one token,
/// leftmost first, until no pair has a rank.
///
/// Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016);
/// Hugging Face tokenizers' `bpe/model.rs` and `bpe/word.rs`.
struct BytePairEncoding: Sendable {
  /// The options of the model besides its tokens and merges.
  struct Options: Sendable {
    /// The letters are those of `ByteAlphabet`, one per byte, not the characters of the text.
    var spellsBytes = true
    /// A word that is itself a token becomes that token, without merges.
    var ignoresMerges = false
    /// The token for letters the vocabulary lacks; nil: they vanish.
    var unknownToken: Int?
    /// Neighbouring unknown letters become one token.
    var fusesUnknown = false
    /// The byte tokens that spell letters the vocabulary lacks, if it has them.
    var fallback: ByteFallback?
    /// Begins the spelling of each letter but a word's first; merges leave it out of their right token.
    var continuationPrefix: [UInt8] = []
    /// Ends the spelling of a word's last letter.
    var endSuffix: [UInt8] = []
  }

  let vocabulary: Vocabulary
  private let options: Options
  private let merges: MergeTable
  /// The token of each letter of `ByteAlphabet` or else of each scalar below U+10000; -1 if there is none.
  private let letterTokens: [Int32]
  /// The places where words can be split; nil if they cannot.
  let joints: Joints?

  init(vocabulary: Vocabulary, merges: MergeTable, options: Options = Options()) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.options = options
    if options.spellsBytes {
      letterTokens = ByteAlphabet.letters.map { letter in
        Int32(vocabulary.id(of: String(letter).utf8.span) ?? -1)
      }
    } else {
      letterTokens = vocabulary.tokensOfScalars(below: 0x10000)
    }
    joints =
      options.spellsBytes || options.hasAffixes ? nil : Joints(vocabulary: vocabulary, merges: merges, options: options)
  }

  /// Appends the tokens of a word to `tokens`.
  func encode(_ word: Span<UInt8>, workspace: inout MergeWorkspace, into tokens: inout [WordToken]) {
    if options.ignoresMerges, let id = id(of: word) {
      tokens.append(WordToken(id: Int32(id), start: 0, end: Int32(word.count)))
      return
    }
    workspace.symbols.removeAll(keepingCapacity: true)
    if options.hasAffixes {
      beginSymbolsWithAffixes(of: word, in: &workspace)
    } else if options.spellsBytes {
      beginByteSymbols(of: word, in: &workspace)
    } else {
      beginCharacterSymbols(of: word, in: &workspace)
    }
    if !workspace.symbols.isEmpty { workspace.symbols[workspace.symbols.count - 1].next = -1 }
    merge(in: &workspace)
    var index = workspace.symbols.isEmpty ? -1 : 0
    while index >= 0 {
      let symbol = workspace.symbols[index]
      tokens.append(WordToken(id: symbol.id, start: symbol.start, end: symbol.end))
      index = Int(symbol.next)
    }
  }

  private func id(of word: Span<UInt8>) -> Int? {
    guard options.spellsBytes else { return vocabulary.id(of: word) }
    var spelling = ""
    for i in word.indices { spelling.unicodeScalars.append(ByteAlphabet.letters[Int(word[i])]) }
    return vocabulary.id(of: spelling.utf8.span)
  }

  private func beginByteSymbols(of word: Span<UInt8>, in workspace: inout MergeWorkspace) {
    var lastIsUnknown = false
    for i in word.indices {
      let id = letterTokens[Int(word[i])]
      if id >= 0 {
        workspace.append(id, i..<(i + 1))
        lastIsUnknown = false
      } else {
        appendUnknown(i..<(i + 1), lastIsUnknown: &lastIsUnknown, in: &workspace)
      }
    }
  }

  private func beginCharacterSymbols(of word: Span<UInt8>, in workspace: inout MergeWorkspace) {
    var lastIsUnknown = false
    var position = 0
    while position < word.count {
      let (value, length) = word.scalarValue(at: position)
      let letter = position..<(position + length)
      position += length
      var id = Int32(-1)
      if value < letterTokens.count {
        id = letterTokens[Int(value)]
      } else if let known = vocabulary.id(of: word.extracting(letter)) {
        id = Int32(known)
      }
      if id >= 0 {
        workspace.append(id, letter)
        lastIsUnknown = false
      } else if let fallback = options.fallback {
        for i in letter { workspace.append(fallback[word[i]], i..<(i + 1)) }
      } else {
        appendUnknown(letter, lastIsUnknown: &lastIsUnknown, in: &workspace)
      }
    }
  }

  private func beginSymbolsWithAffixes(of word: Span<UInt8>, in workspace: inout MergeWorkspace) {
    var lastIsUnknown = false
    var position = 0
    while position < word.count {
      let length = options.spellsBytes ? 1 : word.scalarValue(at: position).length
      let letter = position..<(position + length)
      position += length
      var spelling = letter.lowerBound > 0 ? options.continuationPrefix : []
      for i in letter { spelling += options.spellsBytes ? ByteAlphabet.spelling(of: word[i]) : [word[i]] }
      if position == word.count { spelling += options.endSuffix }
      if let id = vocabulary.id(of: spelling.span) {
        workspace.append(Int32(id), letter)
        lastIsUnknown = false
      } else {
        appendUnknown(letter, lastIsUnknown: &lastIsUnknown, in: &workspace)
      }
    }
  }

  private func appendUnknown(_ letter: Range<Int>, lastIsUnknown: inout Bool, in workspace: inout MergeWorkspace) {
    guard let unknownToken = options.unknownToken else { return }
    if options.fusesUnknown, lastIsUnknown {
      workspace.symbols[workspace.symbols.count - 1].end = Int32(letter.upperBound)
    } else {
      workspace.append(Int32(unknownToken), letter)
    }
    lastIsUnknown = true
  }

  /// Merges the symbols, a doubly linked list; a heap holds the candidates, and outdated ones are skipped.
  private func merge(in workspace: inout MergeWorkspace) {
    for index in workspace.symbols.indices { consider(index, in: &workspace) }
    while let candidate = workspace.candidates.popSmallest() {
      let rank = UInt32(candidate >> 32)
      let left = Int(candidate & 0xFFFF_FFFF)
      guard workspace.symbols[left].rank == rank else { continue }
      let right = Int(workspace.symbols[left].next)
      let next = workspace.symbols[right].next
      workspace.symbols[left].id = merges.merged(rank: rank)
      workspace.symbols[left].end = workspace.symbols[right].end
      workspace.symbols[left].next = next
      workspace.symbols[right].rank = MergeTable.noRank
      if next >= 0 { workspace.symbols[Int(next)].previous = Int32(left) }
      consider(left, in: &workspace)
      let previous = Int(workspace.symbols[left].previous)
      if previous >= 0 { consider(previous, in: &workspace) }
    }
  }

  /// Finds the rank of a symbol with its right neighbour and, if it has one, makes the pair a candidate.
  private func consider(_ index: Int, in workspace: inout MergeWorkspace) {
    let next = Int(workspace.symbols[index].next)
    guard next >= 0 else {
      workspace.symbols[index].rank = MergeTable.noRank
      return
    }
    let rank = merges.rank(workspace.symbols[index].id, workspace.symbols[next].id)
    workspace.symbols[index].rank = rank
    if rank != MergeTable.noRank { workspace.candidates.insert(UInt64(rank) << 32 | UInt64(index)) }
  }
}

extension BytePairEncoding.Options {
  fileprivate var hasAffixes: Bool { !continuationPrefix.isEmpty || !endSuffix.isEmpty }
}

/// A token in a word during merging.
private struct Symbol {
  var id: Int32
  var start: Int32
  var end: Int32
  var previous: Int32
  /// The index of the right neighbour, or -1.
  var next: Int32
  /// The rank of the pair of this symbol and its right neighbour.
  var rank = MergeTable.noRank
}

/// The working memory of merging, reused from word to word.
struct MergeWorkspace: Sendable {
  fileprivate var symbols: [Symbol] = []
  /// Rank (upper half) and index of the left symbol (lower half): the smallest is the leftmost of the lowest rank.
  fileprivate var candidates = MinimumHeap()

  /// Adds a letter that is a token.
  fileprivate mutating func append(_ id: Int32, _ letter: Range<Int>) {
    let count = Int32(symbols.count)
    symbols.append(
      Symbol(
        id: id, start: Int32(letter.lowerBound), end: Int32(letter.upperBound), previous: count - 1, next: count + 1))
  }

  /// Frees the memory of an unusually long word.
  mutating func releaseIfLarge() {
    if symbols.capacity > 1 << 16 { self = MergeWorkspace() }
  }
}

/// The pairs of tokens that merge: their ranks, from 0, and the resulting tokens.
struct MergeTable: Sendable {
  /// The rank of a pair that does not merge.
  static let noRank = UInt32.max

  private struct Slot {
    var pair = UInt64.max
    var rank = MergeTable.noRank
  }

  /// An open-addressing hash table; its size is a power of two.
  private var slots: [Slot]
  private let shift: Int
  /// The token that results from the merge of each rank.
  private var merged: [Int32] = []

  /// An empty table for `capacity` merges.
  init(capacity: Int) {
    var bits = 4
    while 1 << bits < 2 * capacity { bits += 1 }
    slots = Array(repeating: Slot(), count: 1 << bits)
    shift = 64 - bits
    merged.reserveCapacity(capacity)
  }

  /// Adds the merge of the next rank; if a pair is added twice, the later one counts, as in Hugging Face tokenizers.
  mutating func append(_ left: Int, _ right: Int, becoming id: Int) {
    precondition(2 * merged.count < slots.count, "more merges than the table was made for")
    let pair = Self.pair(Int32(left), Int32(right))
    slots[slot(of: pair)] = Slot(pair: pair, rank: UInt32(merged.count))
    merged.append(Int32(id))
  }

  /// Whether one of these tokens is part of a pair that merges.
  func contains(anyOf tokens: Set<Int32>) -> Bool {
    slots.contains { slot in
      slot.rank != Self.noRank
        && (tokens.contains(Int32(truncatingIfNeeded: slot.pair >> 32))
          || tokens.contains(Int32(truncatingIfNeeded: slot.pair)))
    }
  }

  /// The rank of a pair, or `noRank`.
  func rank(_ left: Int32, _ right: Int32) -> UInt32 {
    slots[slot(of: Self.pair(left, right))].rank
  }

  /// The token that results from the merge of a rank.
  func merged(rank: UInt32) -> Int32 { merged[Int(rank)] }

  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func slot(of pair: UInt64) -> Int {
    var place = Int((pair &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
    while slots[place].pair != pair, slots[place].pair != .max { place = (place + 1) & (slots.count - 1) }
    return place
  }
}

/// A binary heap that returns the smallest number first.
struct MinimumHeap: Sendable {
  private var numbers: [UInt64] = []

  /// Adds a number.
  mutating func insert(_ number: UInt64) {
    var hole = numbers.count
    numbers.append(number)
    while hole > 0 {
      let parent = (hole - 1) / 2
      if numbers[parent] <= number { break }
      numbers[hole] = numbers[parent]
      hole = parent
    }
    numbers[hole] = number
  }

  /// Removes the smallest number; nil when there is none.
  mutating func popSmallest() -> UInt64? {
    guard let last = numbers.popLast() else { return nil }
    guard let smallest = numbers.first else { return last }
    let count = numbers.count
    var hole = 0
    while true {
      var child = 2 * hole + 1
      if child >= count { break }
      if child + 1 < count, numbers[child + 1] < numbers[child] { child += 1 }
      if last <= numbers[child] { break }
      numbers[hole] = numbers[child]
      hole = child
    }
    numbers[hole] = last
    return smallest
  }
}
