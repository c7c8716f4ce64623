import FileFormats

/// A share as a percentage that no line break takes apart: "71.3 %".
func percentage(_ share: Double) -> String { percent(share).replacing(" ", with: "\u{A0}") }

/// A number with three digits behind the point, or in scientific notation where those say little.
func number(_ value: Double) -> String {
  value == 0 || (1e-2..<1e5).contains(abs(value)) ? fixed(value, 3) : scientific(value)
}

/// A difference of shares in percentage points, with its sign: "+31.9".
func points(_ difference: Double) -> String {
  (difference > 0 ? "+" : "") + fixed(100 * difference, 1).replacing("-", with: "\u{2212}")
}

/// A count and what is counted: "1 row", "20 rows".
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// A word of a shell's command line.
func shellWord(_ text: String) -> String {
  let isPlain =
    !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./=:,".contains($0)) }
  return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}
