/// The tokens of a model: a one-to-one map between ids, from 0 without gaps, and spellings.
struct Vocabulary: Sendable {
  private var spellings: ByteStringTable
  /// The id of spelling `i`.
  private var ids: [Int32] = []
  /// The number of the spelling of each id, or -1 while it has none.
  private var indices: [Int32]

  /// An empty vocabulary for `count` tokens.
  init(count: Int) {
    spellings = ByteStringTable(capacity: count)
    ids.reserveCapacity(count)
    indices = Array(repeating: -1, count: count)
  }

  /// Why a token cannot be added.
  enum Conflict: Error {
    /// The spelling already has this id.
    case spelling(id: Int)
    /// The id already has this spelling.
    case id(spelling: String)
  }

  /// Adds a token; `id` must be below the vocabulary's final number of tokens.
  mutating func insert(_ spelling: String, id: Int) throws(Conflict) {
    guard indices[id] < 0 else { throw .id(spelling: String(decoding: spellings[Int(indices[id])], as: UTF8.self)) }
    let (index, isNew) = spellings.insert(spelling.utf8.span)
    guard isNew else { throw .spelling(id: Int(ids[index])) }
    ids.append(Int32(id))
    indices[id] = Int32(index)
  }

  /// Number of tokens.
  var count: Int { spellings.count }

  /// The id of a spelling.
  func id(of spelling: Span<UInt8>) -> Int? {
    spellings.index(of: spelling).map { Int(ids[$0]) }
  }

  /// The spelling of an id, as UTF-8.
  func spelling(of id: Int) -> ArraySlice<UInt8>? {
    guard indices.indices.contains(id) else { return nil }
    return spellings[Int(indices[id])]
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
