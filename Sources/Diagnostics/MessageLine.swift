/// The private-use characters that stand for bytes 0x80 to 0xFF of a file name that are not UTF-8: the first value plus
/// the byte.
package let undecodedBytes: ClosedRange<UInt32> = 0x10F780...0x10F7FF
/// What is added to a byte.
package let undecodedByteOffset: UInt32 = 0x10F700

/// A text as one line that a terminal shows unchanged: line breaks become spaces, control characters and those that change
/// the direction of writing become `\u{1B}`, undecoded bytes of file names `\xE9`. A long text loses its middle.
package func messageLine(_ text: String, limit: Int = 800) -> String {
  // What is shown for a character may be longer than it.
  withoutMiddle(visible(withoutMiddle(text, limit: limit)), limit: limit)
}

/// A text of at most about `limit` characters: a longer one loses its middle.
private func withoutMiddle(_ text: String, limit: Int) -> String {
  let scalars = text.unicodeScalars
  guard scalars.count > limit else { return text }
  let end = scalars.index(scalars.startIndex, offsetBy: limit / 2)
  let start = scalars.index(scalars.endIndex, offsetBy: -limit / 2)
  return String(scalars[..<end]) + " … " + String(scalars[start...])
}

/// A text in visible characters.
private func visible(_ text: String) -> String {
  var line = ""
  for character in text {
    if character.isNewline {
      line += " "
      continue
    }
    for scalar in character.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator, .surrogate:
        line += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      case .format where changesDirection(scalar):
        line += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      case .privateUse where undecodedBytes.contains(scalar.value):
        line += "\\x\(String(scalar.value - undecodedByteOffset, radix: 16, uppercase: true))"
      default: line.unicodeScalars.append(scalar)
      }
    }
  }
  return line
}

/// The characters of Unicode's bidirectional algorithm that hide what a text says (CVE-2021-42574).
private func changesDirection(_ scalar: Unicode.Scalar) -> Bool {
  [0x202A...0x202E, 0x2066...0x2069].contains { $0.contains(scalar.value) }
}
