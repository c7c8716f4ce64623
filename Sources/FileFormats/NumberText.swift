import Glibc

/// A number with this many digits after the decimal point: `fixed(0.5, 3)` is "0.500".
package func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  let scale = pow(10, Double(digits))
  guard abs(value) * scale < 9e15 else { return "\(value)" }
  let scaled = Int((abs(value) * scale).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  if digits == 0 { return sign + String(scaled) }
  let text = String(scaled)
  let whole = text.count > digits ? String(text.dropLast(digits)) : "0"
  let fraction = String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
  return "\(sign)\(whole).\(fraction)"
}

/// A number in scientific notation with two digits: 3.0e-04.
package func scientific(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var exponent = Int(log10(abs(value)).rounded(.down))
  var mantissa = value / pow(10, Double(exponent))
  if abs(mantissa) >= 9.95 {
    mantissa /= 10
    exponent += 1
  }
  let digits = String(abs(exponent))
  return "\(fixed(mantissa, 1))e\(exponent < 0 ? "-" : "+")\(digits.count < 2 ? "0" : "")\(digits)"
}

/// A share as a percentage: "71.3 %".
package func percent(_ share: Double) -> String { fixed(100 * share, 1) + " %" }

/// A time span: "42 s", "3:07", "1:02:03".
package func duration(_ seconds: Double) -> String {
  guard abs(seconds) < 1e15 else { return "\(seconds) s" }
  let total = Int(seconds.rounded())
  func two(_ value: Int) -> String { (value < 10 ? "0" : "") + String(value) }
  if total < 60 { return "\(total) s" }
  if total < 3600 { return "\(total / 60):\(two(total % 60))" }
  return "\(total / 3600):\(two(total / 60 % 60)):\(two(total % 60))"
}

/// A number of bytes: "1.4 GB".
package func byteCount(_ bytes: Int) -> String {
  if bytes >= 1_000_000_000 { return fixed(Double(bytes) / 1e9, 1) + " GB" }
  if bytes >= 1_000_000 { return fixed(Double(bytes) / 1e6, 1) + " MB" }
  return fixed(Double(bytes) / 1e3, 1) + " kB"
}
