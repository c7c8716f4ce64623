/// The 256 letters with which byte-level vocabularies spell bytes: bytes that are printable in Latin-1 are themselves,
/// the others are U+0100, U+0101, … in order (the space is "Ġ").
///
/// Source: GPT-2's `encoder.py` (`bytes_to_unicode`) and Hugging Face tokenizers' `byte_level.rs`.
enum ByteAlphabet {
  /// The letter of each byte.
  static let letters: [Unicode.Scalar] = {
    var next: UInt8 = 0
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(UInt16(0x100) + UInt16(next)) ?? "\u{FFFD}"  // U+0100 to U+0143: always a scalar.
      }
    }
  }()

  /// The letter of a byte as UTF-8.
  static func spelling(of byte: UInt8) -> [UInt8] { Array(String(letters[Int(byte)]).utf8) }

  /// The byte of each letter, by scalar value; -1 for scalars that are not letters.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, letter) in letters.enumerated() { bytes[Int(letter.value)] = Int16(byte) }
    return bytes
  }()

  /// The bytes of a spelling; a spelling with other characters than the 256 letters is taken as its UTF-8.
  static func bytes(spelledBy spelling: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.count)
    for scalar in String(decoding: spelling, as: UTF8.self).unicodeScalars {
      guard scalar.value < bytes.count, bytes[Int(scalar.value)] >= 0 else { return Array(spelling) }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return result
  }
}
