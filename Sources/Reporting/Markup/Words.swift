import FileFormats

/// A share as a percentage with a non-breaking space: "71.3 %".
func percentage(_ share: Double) -> String { percent(share).replacing(" ", with: "\u{A0}") }

/// A number with three digits after the decimal point, or in scientific notation if it is too small or large for that.
func number(_ value: Double) -> String {
  value == 0 || (1e-2..<1e5).contains(abs(value)) ? fixed(value, 3) : scientific(value)
}

/// A difference of shares in percentage points, with its sign: "+31.9".
func points(_ difference: Double) -> String {
  (difference > 0 ? "+" : "") + fixed(100 * difference, 1).replacing("-", with: "\u{2212}")
}

/// A list in words: "a, b and c".
func inWords(_ names: [String]) -> String {
  guard let last = names.last, names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " and " + last
}
