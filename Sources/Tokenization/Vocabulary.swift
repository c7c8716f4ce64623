/// The tokens of a model: ids from 0 without holes, and spellings, each other's inverse.
struct Vocabulary: Sendable {
  private var spellings: ByteStringTable
  /// The id of spelling `i`.
  private var ids: [Int32] = []
  /// The number of the spelling of each id, or -1 while it has none.
  private var indices: [Int32]

  /// A vocabulary that is to get `count` tokens.
  init(count: Int) {
    spellings = ByteStringTable(capacity: count)
    ids.reserveCapacity(count)
    indices = Array(repeating: -1, count: count)
  }

  /// Why a token cannot be added.
  enum Conflict: Error {
    /// The spelling has this id already.
    case spelling(id: Int)
    /// The id has this spelling already.
    case id(spelling: String)
  }

  /// Adds a token; `id` must be below the count of tokens it is to get.
  mutating func insert(_ spelling: String, id: Int) throws(Conflict) {
    guard indices[id] < 0 else { throw .id(spelling: String(decoding: spellings[Int(indices[id])], as: UTF8.self)) }
    let (index, isNew) = spellings.insert(spelling.utf8.span)
    guard isNew else { throw .spelling(id: Int(ids[index])) }
    ids.append(Int32(id))
    indices[id] = Int32(index)
  }

  /// How many tokens there are.
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

  /// The id of each scalar that is a token by itself, -1 for the others, of those below a limit.
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
