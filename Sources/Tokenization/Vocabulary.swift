/// The tokens of a model: spellings and their ids, which may have gaps.
struct Vocabulary: Sendable {
  private var spellings: ByteStringTable
  /// The id of spelling `i`.
  private var ids: [Int32] = []
  /// The number of the spelling of each id below `2 * capacity`, or -1 while it has none.
  private var indices: [Int32]
  /// The same for larger ids.
  private var indicesOfLargeIDs: [Int: Int32] = [:]
  /// The largest id; -1 without tokens.
  private(set) var largestID = -1

  /// An empty vocabulary for `capacity` tokens.
  init(capacity: Int) {
    spellings = ByteStringTable(capacity: capacity)
    ids.reserveCapacity(capacity)
    indices = Array(repeating: -1, count: 2 * capacity)
  }

  /// Adds a token, or gives it another id; `id` is at least 0. Of two tokens with one id, the later is its spelling.
  ///
  /// - Returns: whether it is new.
  @discardableResult
  mutating func insert(_ spelling: Span<UInt8>, id: Int32) -> Bool {
    let (index, isNew) = spellings.insert(spelling)
    if isNew {
      ids.append(id)
    } else {
      if self.index(of: Int(ids[index])) == index { setIndex(-1, of: Int(ids[index])) }
      ids[index] = id
    }
    setIndex(Int32(index), of: Int(id))
    largestID = max(largestID, Int(id))
    return isNew
  }

  private mutating func setIndex(_ index: Int32, of id: Int) {
    if id < indices.count {
      indices[id] = index
    } else {
      indicesOfLargeIDs[id] = index
    }
  }

  /// Number of tokens.
  var count: Int { spellings.count }

  /// The id of a spelling.
  func id(of spelling: Span<UInt8>) -> Int? {
    spellings.index(of: spelling).map { Int(ids[$0]) }
  }

  /// The spelling of an id, as UTF-8.
  func spelling(of id: Int) -> ArraySlice<UInt8>? { index(of: id).map { spellings[$0] } }

  /// The number of the spelling of an id.
  private func index(of id: Int) -> Int? {
    let index = indices.indices.contains(id) ? indices[id] : indicesOfLargeIDs[id] ?? -1
    return index < 0 ? nil : Int(index)
  }

  /// The spelling and the id of each token, in the order in which they were added.
  var tokens: some Sequence<(spelling: ArraySlice<UInt8>, id: Int32)> {
    (0..<count).lazy.map { (spellings[$0], ids[$0]) }
  }

  /// The id of each scalar below a limit that is a token on its own; -1 for other scalars.
  func tokensOfScalars(below limit: Int) -> [Int32] {
    var tokens = [Int32](repeating: -1, count: limit)
    for index in 0..<count {
      let spelling = spellings[index]
      guard let first = spelling.first, spelling.count <= 4 else { continue }
      let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      guard length == spelling.count, let scalar = String(decoding: spelling, as: UTF8.self).unicodeScalars.first,
        scalar.value < limit
      else { continue }
      tokens[Int(scalar.value)] = ids[index]
    }
    return tokens
  }
}
