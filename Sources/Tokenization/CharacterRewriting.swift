/// A rewriting of a text character by character.
///
/// Source: Hugging Face tokenizers' `normalizers/bert.rs`, `normalizers/strip.rs`, `normalizers/unicode.rs`.
enum CharacterRewriting: Sendable {
  case lowercase
  /// Removes marks.
  case stripMarks
  /// Removes marks without a width, as `BertNormalizer` does after NFD.
  case stripNonspacingMarks
  /// Removes control characters and turns whitespace into spaces.
  case cleanText
  /// Puts spaces around CJK ideographs.
  case spaceIdeographs
  /// Removes and replaces what SentencePiece's rule `nmt` does.
  case nmt
  /// Spells bytes as letters of `ByteAlphabet`.
  case byteLetters

  /// What replaces a character; nil if it stays.
  func replacement(of scalar: Unicode.Scalar) -> [UInt8]? {
    let properties = scalar.properties
    func isOfUnicode(_ major: Int) -> Bool { properties.age.map { $0.major <= major } ?? false }
    switch self {
    case .lowercase:
      if scalar.isASCII { return ("A"..."Z").contains(scalar) ? [UInt8(scalar.value) | 0x20] : nil }
      return properties.changesWhenLowercased ? Array(properties.lowercaseMapping.utf8) : nil
    case .stripMarks:
      switch properties.generalCategory {
      case .nonspacingMark, .spacingMark, .enclosingMark: return isOfUnicode(9) ? [] : nil
      default: return nil
      }
    case .stripNonspacingMarks:
      return properties.generalCategory == .nonspacingMark && isOfUnicode(8) ? [] : nil
    case .cleanText:
      if ["\t", "\n", "\r"].contains(scalar) { return [UInt8(ascii: " ")] }
      switch properties.generalCategory {
      case .control, .format, .privateUse: return []
      default: return scalar == "\u{FFFD}" ? [] : scalar.isWhitespace ? [UInt8(ascii: " ")] : nil
      }
    case .spaceIdeographs:
      switch scalar.value {
      case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
        0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
        return Array(" \(scalar) ".utf8)
      default: return nil
      }
    case .nmt:
      switch scalar.value {
      case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: return []
      case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
        return [UInt8(ascii: " ")]
      default: return nil
      }
    case .byteLetters:
      return String(scalar).utf8.flatMap(ByteAlphabet.spelling(of:))
    }
  }

  /// Appends the rewritten text of a range.
  func append(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment, to result: inout AlignedText) {
    var copied = range.lowerBound
    var position = copied
    while position < range.upperBound {
      let (value, length) = text.scalarValue(at: position)
      if case .byteLetters = self {
        for byte in position..<(position + length) {
          result.append(ByteAlphabet.spelling(of: text[byte]).span, upTo: source[byte + 1])
        }
        copied = position + length
      } else if let scalar = Unicode.Scalar(value), let replacement = replacement(of: scalar) {
        result.append(copied..<position, of: text, source)
        copied = position + length
        if !replacement.isEmpty { result.append(replacement.span, upTo: source[copied]) }
      }
      position += length
    }
    result.append(copied..<range.upperBound, of: text, source)
  }
}
