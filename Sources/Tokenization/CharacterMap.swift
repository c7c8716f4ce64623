/// SentencePiece's precompiled map of characters, as the normalizer `Precompiled` applies it: a trie of character
/// sequences with their replacements.
///
/// Source: the crate `spm_precompiled` and Hugging Face tokenizers' `normalizers/precompiled.rs`.
struct CharacterMap: Sendable {
  /// The units of a double-array trie (darts-clone).
  private var units: [UInt32] = []
  /// The replacements, each ended by a zero byte.
  private var replacements: [UInt8] = []

  /// Reads the bytes of a map; nil if they are none.
  init?(_ bytes: [UInt8]) {
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
    guard bytes.count >= 4 else { return nil }
    let count = Int(word(0))
    guard count % 4 == 0, count > 0, 4 + count <= bytes.count else { return nil }
    units = stride(from: 4, to: 4 + count, by: 4).map(word)
    replacements = Array(bytes[(4 + count)...])
    guard String(validating: replacements, as: UTF8.self) != nil else { return nil }
  }

  /// Appends the rewritten text of a range.
  ///
  /// As in Hugging Face tokenizers, a short grapheme is replaced as a whole by what replaces the shortest of its beginnings
  /// that the map has; otherwise each of its characters is looked up alone.
  func append(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment, to result: inout AlignedText) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    for i in range { bytes.append(text[i]) }
    var copied = range.lowerBound
    var position = copied
    func replace(_ length: Int) -> Bool {
      let start = position - range.lowerBound
      guard let replacement = replacement(of: bytes[start..<(start + length)]) else { return false }
      result.append(copied..<position, of: text, source)
      copied = position + length
      if !replacement.isEmpty { result.append(Array(replacement).span, upTo: source[copied]) }
      return true
    }
    for grapheme in String(decoding: bytes, as: UTF8.self) {
      let length = grapheme.utf8.count
      if length < 6, replace(length) {
        position += length
        continue
      }
      for scalar in grapheme.unicodeScalars {
        let length = UTF8.width(scalar)
        _ = replace(length)
        position += length
      }
    }
    result.append(copied..<range.upperBound, of: text, source)
  }

  /// What replaces the shortest beginning of a text that the map has; nil if it has none.
  private func replacement(of text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }
    var place = offset(units[0])
    for byte in text {
      if byte == 0 { return nil }
      place ^= Int(byte)
      guard place < units.count, units[place] & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
      let unit = units[place]
      place ^= offset(unit)
      guard unit >> 8 & 1 == 1 else { continue }
      guard place < units.count else { return nil }
      let start = Int(units[place] & (1 << 31 - 1))
      guard start <= replacements.count, start == replacements.count || replacements[start] & 0xC0 != 0x80 else {
        return nil
      }
      return replacements[start...].prefix { $0 != 0 }
    }
    return nil
  }
}

extension CharacterMap {
  /// Reads a map in base 64; nil if it is none.
  init?(base64 text: String) {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count: UInt32 = 0
    for character in text.utf8 where character != UInt8(ascii: "=") {
      let value: UInt8
      switch character {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      default: return nil
      }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> count))
      }
    }
    self.init(bytes)
  }
}
