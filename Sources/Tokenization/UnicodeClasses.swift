/// The character classes of regular expressions, in Unicode 16.
///
/// This is the version of Hugging Face tokenizers 0.23: later characters are neither letters nor numbers there, and so
/// here, under any version of the Swift library.
extension Unicode.Scalar {
  private var isInUnicode16: Bool {
    if value < 0x80 { return true }
    guard let age = properties.age else { return false }
    return age.major <= 16
  }

  /// `\s`: White_Space, which excludes U+001C to U+001F, U+180E, U+200B and U+FEFF.
  package var isWhitespace: Bool { properties.isWhitespace }

  /// The general category; `unassigned` for characters added after Unicode 16.
  package var category: Unicode.GeneralCategory {
    let category = properties.generalCategory
    return category == .unassigned || isInUnicode16 ? category : .unassigned
  }

  /// Punctuation in ASCII, including symbols, and in Unicode 8, the version of the pre-tokenizer `Punctuation`.
  package var isPunctuation: Bool {
    switch value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0x166D, 0x111C9: return true  // The categories of these two have changed since.
    default: break
    }
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return properties.age.map { $0.major <= 8 } ?? false
    default: return false
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
