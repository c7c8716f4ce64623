/// Finds the words of GPT-2's regular expression
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
///
/// It is the one of `ByteLevel` with `use_regex`.
package struct WordScanner: Sendable {
  private enum Kind: UInt8 {
    case unknown, whitespace, letter, number, other
  }

  /// The kinds of the scalars below U+10000, found out when first met.
  private var kinds: [Kind] = Array(repeating: .unknown, count: 0x80)

  package init() {}

  /// The end of the word that begins at `start`; `end > start` is the end of the text, which is valid UTF-8.
  package mutating func endOfWord(from start: Int, to end: Int, in bytes: Span<UInt8>) -> Int {
    let first = bytes[start]
    if first == UInt8(ascii: "'"), let length = contractionLength(at: start, to: end, in: bytes) {
      return start + length
    }
    var position = start
    var (kind, length) = scalar(at: start, in: bytes)
    if first == UInt8(ascii: " "), start + 1 < end {
      let next = scalar(at: start + 1, in: bytes)
      if next.kind != .whitespace {
        position += 1
        (kind, length) = next
      }
    }
    var last = position
    repeat {
      last = position
      position += length
      if position == end { return end }
      let next = scalar(at: position, in: bytes)
      length = next.length
      if next.kind != kind { break }
    } while true
    // \s+(?!\S): before a word, the last whitespace of a run is not part of the run.
    return kind == .whitespace && last > start ? last : position
  }

  private func contractionLength(at start: Int, to end: Int, in bytes: Span<UInt8>) -> Int? {
    guard start + 1 < end else { return nil }
    switch bytes[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return start + 2 < end && bytes[start + 2] == UInt8(ascii: "e") ? 3 : nil
    case UInt8(ascii: "l"): return start + 2 < end && bytes[start + 2] == UInt8(ascii: "l") ? 3 : nil
    default: return nil
    }
  }

  @inline(__always)
  private mutating func scalar(at position: Int, in bytes: Span<UInt8>) -> (kind: Kind, length: Int) {
    let first = bytes[position]
    if first < 0x80, kinds[Int(first)] != .unknown { return (kinds[Int(first)], 1) }
    return newScalar(at: position, in: bytes)
  }

  @inline(never)
  private mutating func newScalar(at position: Int, in bytes: Span<UInt8>) -> (kind: Kind, length: Int) {
    func continuation(_ offset: Int) -> UInt32 { UInt32(bytes[position + offset] & 0x3F) }
    let first = UInt32(bytes[position])
    let value: UInt32
    let length: Int
    switch first {
    case ..<0x80: (value, length) = (first, 1)
    case ..<0xE0: (value, length) = ((first & 0x1F) << 6 | continuation(1), 2)
    case ..<0xF0: (value, length) = ((first & 0x0F) << 12 | continuation(1) << 6 | continuation(2), 3)
    default:
      value = (first & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3)
      length = 4
    }
    guard value < 0x10000 else { return (Self.kind(of: value), length) }
    if value >= kinds.count { kinds += Array(repeating: .unknown, count: 0x10000 - kinds.count) }
    if kinds[Int(value)] == .unknown { kinds[Int(value)] = Self.kind(of: value) }
    return (kinds[Int(value)], length)
  }

  private static func kind(of value: UInt32) -> Kind {
    guard let scalar = Unicode.Scalar(value) else { return .other }
    return scalar.isWhitespace ? .whitespace : scalar.isLetter ? .letter : scalar.isNumber ? .number : .other
  }
}
