/// The tokens of a model: ids and spellings, each other's inverse; ids may have holes.
struct Vocabulary: Sendable {
  /// The largest id a file may use; what is beyond it is a damaged file, not a vocabulary.
  static let largestID = 1 << 24 - 1

  private var spellings: ByteStringTable
  /// The id of spelling `i`.
  private var ids: [Int32] = []
  /// The number of the spelling of an id, or -1 for a hole.
  private var indices: [Int32] = []

  /// An empty vocabulary that does not grow before it holds `capacity` tokens.
  init(capacity: Int) {
    spellings = ByteStringTable(capacity: capacity)
    ids.reserveCapacity(capacity)
    indices.reserveCapacity(capacity)
  }

  /// Why a token cannot be added.
  enum Conflict: Error {
    /// The spelling has this id already.
    case spelling(id: Int)
    /// The id has this spelling already.
    case id(spelling: String)
  }

  /// Adds a token; `id` must lie in `0...largestID`.
  mutating func insert(_ spelling: String, id: Int) throws(Conflict) {
    while indices.count <= id { indices.append(-1) }
    guard indices[id] < 0 else { throw .id(spelling: String(decoding: spellings[Int(indices[id])], as: UTF8.self)) }
    let (index, isNew) = spellings.insert(spelling.utf8.span)
    guard isNew else { throw .spelling(id: Int(ids[index])) }
    ids.append(Int32(id))
    indices[id] = Int32(index)
  }

  /// How many tokens there are.
  var count: Int { spellings.count }

  /// The largest id + 1.
  var size: Int { indices.count }

  /// The id of a spelling.
  func id(of spelling: Span<UInt8>) -> Int? {
    spellings.index(of: spelling).map { Int(ids[$0]) }
  }

  /// The spelling of an id, as UTF-8.
  func spelling(of id: Int) -> ArraySlice<UInt8>? {
    guard indices.indices.contains(id), indices[id] >= 0 else { return nil }
    return spellings[Int(indices[id])]
  }
}
