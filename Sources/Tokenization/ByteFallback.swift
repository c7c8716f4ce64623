/// The tokens `<0x00>` to `<0xFF>`, with which a vocabulary spells the bytes of characters it lacks.
struct ByteFallback: Sendable {
  /// The token of each byte; -1 for bytes that never occur in UTF-8.
  private let tokens: [Int32]

  /// Why a vocabulary cannot spell all bytes.
  struct Missing: Error {
    var token: String
  }

  /// The byte tokens of a vocabulary; nil if it has none at all.
  ///
  /// - Throws: `Missing` if it has some, but not one for each byte that occurs in UTF-8.
  init?(_ vocabulary: Vocabulary) throws(Missing) {
    tokens = (UInt8.min...UInt8.max).map { byte in
      Int32(vocabulary.id(of: Self.spelling(of: byte).utf8.span) ?? -1)
    }
    if tokens.allSatisfy({ $0 < 0 }) { return nil }
    for byte in UInt8.min...0xF4 where byte != 0xC0 && byte != 0xC1 && tokens[Int(byte)] < 0 {
      throw Missing(token: Self.spelling(of: byte))
    }
  }

  /// The token of a byte.
  subscript(byte: UInt8) -> Int32 { tokens[Int(byte)] }

  /// All tokens of bytes.
  var all: Set<Int32> { Set(tokens) }

  /// `<0x0A>`, in capitals.
  static func spelling(of byte: UInt8) -> String {
    (byte < 0x10 ? "<0x0" : "<0x") + String(byte, radix: 16, uppercase: true) + ">"
  }

  /// The byte that a token's spelling names, in capitals or not.
  static func byte(spelledBy spelling: some Collection<UInt8>) -> UInt8? {
    guard spelling.count == 6, spelling.starts(with: "<0x".utf8), spelling.suffix(1).elementsEqual(">".utf8),
      !spelling.contains(UInt8(ascii: "-"))
    else { return nil }
    return UInt8(String(decoding: spelling.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
  }
}
