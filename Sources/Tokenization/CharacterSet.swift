/// A set of Unicode scalars, as in a character class of a regular expression.
///
/// Categories are those of Unicode 16 (see `Unicode.Scalar.category`).
package indirect enum CharacterSet: Hashable, Sendable {
  case range(Unicode.Scalar, Unicode.Scalar)
  case categories(Set<Unicode.GeneralCategory>)
  case whitespace
  case wordCharacter
  /// Punctuation in the sense of the pre-tokenizer `Punctuation`.
  case punctuation
  case union([CharacterSet])
  case complement(CharacterSet)

  /// The set of one scalar.
  static func only(_ scalar: Unicode.Scalar) -> CharacterSet { .range(scalar, scalar) }

  /// Whether a scalar is in the set.
  package func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .range(let first, let last): first <= scalar && scalar <= last
    case .categories(let categories): categories.contains(scalar.category)
    case .whitespace: scalar.isWhitespace
    case .wordCharacter: scalar.isWordCharacter
    case .punctuation: scalar.isPunctuation
    case .union(let sets): sets.contains { $0.contains(scalar) }
    case .complement(let set): !set.contains(scalar)
    }
  }

  /// The categories of a property's short or long name, such as `Lu` or `Letter`; nil for an unknown name.
  package static func categories(named name: String) -> CharacterSet? {
    let found = generalCategories.filter { $0.names.contains(name) }.map(\.category)
    return found.isEmpty ? nil : .categories(Set(found))
  }

  /// Each category with the names that include it.
  private static let generalCategories: [(category: Unicode.GeneralCategory, names: [String])] = [
    (.uppercaseLetter, ["Lu", "L", "Letter"]), (.lowercaseLetter, ["Ll", "L", "Letter"]),
    (.titlecaseLetter, ["Lt", "L", "Letter"]), (.modifierLetter, ["Lm", "L", "Letter"]),
    (.otherLetter, ["Lo", "L", "Letter"]),
    (.nonspacingMark, ["Mn", "M", "Mark"]), (.spacingMark, ["Mc", "M", "Mark"]), (.enclosingMark, ["Me", "M", "Mark"]),
    (.decimalNumber, ["Nd", "N", "Number"]), (.letterNumber, ["Nl", "N", "Number"]),
    (.otherNumber, ["No", "N", "Number"]),
    (.connectorPunctuation, ["Pc", "P", "Punctuation"]), (.dashPunctuation, ["Pd", "P", "Punctuation"]),
    (.openPunctuation, ["Ps", "P", "Punctuation"]), (.closePunctuation, ["Pe", "P", "Punctuation"]),
    (.initialPunctuation, ["Pi", "P", "Punctuation"]), (.finalPunctuation, ["Pf", "P", "Punctuation"]),
    (.otherPunctuation, ["Po", "P", "Punctuation"]),
    (.mathSymbol, ["Sm", "S", "Symbol"]), (.currencySymbol, ["Sc", "S", "Symbol"]),
    (.modifierSymbol, ["Sk", "S", "Symbol"]), (.otherSymbol, ["So", "S", "Symbol"]),
    (.spaceSeparator, ["Zs", "Z", "Separator"]), (.lineSeparator, ["Zl", "Z", "Separator"]),
    (.paragraphSeparator, ["Zp", "Z", "Separator"]),
    (.control, ["Cc", "C", "Other"]), (.format, ["Cf", "C", "Other"]), (.privateUse, ["Co", "C", "Other"]),
    (.surrogate, ["Cs", "C", "Other"]), (.unassigned, ["Cn", "C", "Other"]),
  ]
}
