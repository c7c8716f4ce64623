/// The classes of characters that regular expressions name, in Unicode 16.
///
/// The version is that of Hugging Face tokenizers 0.23: later characters are to it, and so to us, neither letters nor
/// numbers, whatever the version of the Swift library.
extension Unicode.Scalar {
  private var isInUnicode16: Bool {
    if value < 0x80 { return true }
    guard let age = properties.age else { return false }
    return age.major <= 16
  }

  /// `\s`: White_Space, which none of U+001C to U+001F, U+180E, U+200B and U+FEFF is.
  package var isWhitespace: Bool { properties.isWhitespace }

  /// `\p{L}`.
  package var isLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: isInUnicode16
    default: false
    }
  }

  /// `\p{N}`.
  package var isNumber: Bool {
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: isInUnicode16
    default: false
    }
  }

  /// `\w`, as in UTS #18, annex C.
  package var isWordCharacter: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return isInUnicode16 }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return isInUnicode16
    default: return false
    }
  }
}
