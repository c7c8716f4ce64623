/// Numbers byte strings 0, 1, 2, … in order of insertion: an open-addressing hash table over one buffer.
///
/// Keys are bytes because Swift's `String` equality is canonical: "é" as one scalar and as two are the same `String`,
/// but different tokens.
struct ByteStringTable: Sendable {
  private struct Slot {
    var hash: UInt32 = 0
    /// The number of the string; -1 if the slot is free.
    var index: Int32 = -1
  }

  private var bytes: [UInt8] = []
  /// String `i` is `bytes[starts[i]..<starts[i + 1]]`.
  private var starts: [Int] = [0]
  /// A power of two, at least twice `count`.
  private var slots: [Slot]

  /// An empty table that does not grow until it holds `capacity` strings.
  init(capacity: Int = 0) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = Array(repeating: Slot(), count: size)
  }

  /// Number of strings.
  var count: Int { starts.count - 1 }

  /// Total bytes of the strings.
  var byteCount: Int { bytes.count }

  /// The string with a number below `count`.
  subscript(index: Int) -> ArraySlice<UInt8> { bytes[starts[index]..<starts[index + 1]] }

  /// The number of a string; nil if it has none.
  @inline(__always)
  func index(of key: Span<UInt8>) -> Int? {
    let index = slots[slot(of: key, hash: Self.hash(key))].index
    return index < 0 ? nil : Int(index)
  }

  /// Gives a string the next number, unless it already has one.
  @discardableResult
  mutating func insert(_ key: Span<UInt8>) -> (index: Int, isNew: Bool) {
    let hash = Self.hash(key)
    let place = slot(of: key, hash: hash)
    if slots[place].index >= 0 { return (Int(slots[place].index), false) }
    let index = count
    slots[place] = Slot(hash: hash, index: Int32(index))
    for i in key.indices { bytes.append(key[i]) }
    starts.append(bytes.count)
    if 2 * count > slots.count { grow() }
    return (index, true)
  }

  /// Removes all strings but keeps the memory.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    starts.removeLast(count)
    for i in slots.indices { slots[i] = Slot() }
  }

  @inline(__always)
  private static func hash(_ key: Span<UInt8>) -> UInt32 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for i in key.indices { hash = (hash ^ UInt64(key[i])) &* 0x0000_0100_0000_01B3 }  // FNV-1a
    return UInt32(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> 32)
  }

  /// The slot that holds the string, or the free slot for it.
  @inline(__always)
  private func slot(of key: Span<UInt8>, hash: UInt32) -> Int {
    let mask = slots.count - 1
    var place = Int(hash) & mask
    while true {
      let slot = slots[place]
      if slot.index < 0 || (slot.hash == hash && isEqual(Int(slot.index), key)) { return place }
      place = (place + 1) & mask
    }
  }

  @inline(__always)
  private func isEqual(_ index: Int, _ key: Span<UInt8>) -> Bool {
    let start = starts[index]
    guard starts[index + 1] - start == key.count else { return false }
    for i in key.indices where bytes[start + i] != key[i] { return false }
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Slot(), count: 2 * old.count)
    let mask = slots.count - 1
    for slot in old where slot.index >= 0 {
      var place = Int(slot.hash) & mask
      while slots[place].index >= 0 { place = (place + 1) & mask }
      slots[place] = slot
    }
  }
}
