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
    } else {
      for scalar in character.unicodeScalars { line += harmless(scalar) }
    }
  }
  return line
}

/// A text of several lines that a terminal shows unchanged: as `messageLine`, but line feeds and tabs stay, and all of the
/// text.
package func messageLines(_ text: String) -> String {
  var lines = ""
  for scalar in text.unicodeScalars {
    if scalar == "\n" || scalar == "\t" { lines.unicodeScalars.append(scalar) } else { lines += harmless(scalar) }
  }
  return lines
}

/// A character, or its escape if it controls a terminal, changes the direction of writing or is a byte of a file name.
private func harmless(_ scalar: Unicode.Scalar) -> String {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator, .surrogate: escaped(scalar)
  case .format where changesDirection(scalar): escaped(scalar)
  case .privateUse where undecodedBytes.contains(scalar.value):
    "\\x\(String(scalar.value - undecodedByteOffset, radix: 16, uppercase: true))"
  default: String(scalar)
  }
}

/// A character as Swift writes it in texts: `\u{1B}`.
private func escaped(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16, uppercase: true))}" }

/// A character by its number, where a text shows what it holds: `<U+200B>`.
package func codePoint(_ scalar: Unicode.Scalar) -> String {
  let digits = String(scalar.value, radix: 16, uppercase: true)
  return "<U+\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)>"
}

/// The characters of Unicode's bidirectional algorithm that hide what a text says (CVE-2021-42574).
private func changesDirection(_ scalar: Unicode.Scalar) -> Bool {
  [0x202A...0x202E, 0x2066...0x2069].contains { $0.contains(scalar.value) }
}

// MARK: - Names from a user's files

/// A name in quotes; one longer than the limit loses its end.
package func quoted(_ name: String, limit: Int = 60) -> String {
  "\"\(name.unicodeScalars.count <= limit ? name : String(name.unicodeScalars.prefix(limit)) + "…")\""
}

/// Two names in quotes where they look alike: from where they differ, characters that do not show it become escapes,
/// as in `"caf\u{E9}"` and `"cafe\u{301}"`. If `lettersDiffer`, letters stay as they are.
package func quotedApart(_ first: String, _ second: String, lettersDiffer: Bool, limit: Int = 60) -> (String, String) {
  let names = [first, second].map { Array($0.unicodeScalars) }
  let start = zip(names[0], names[1]).prefix { $0 == $1 }.count
  let rest = names.map { $0.dropFirst(start) }
  let end = zip(rest[0].reversed(), rest[1].reversed()).prefix { $0 == $1 }.count
  let texts = names.map { name in
    // What differs may be far from the beginning.
    let from = start > limit / 2 ? start - limit / 4 : 0
    var text = from == 0 ? "" : "…"
    for index in name.indices.dropFirst(from).prefix(limit) {
      let scalar = name[index], properties = scalar.properties
      let isUnseen =
        scalar != " " && (properties.isWhitespace || properties.isDefaultIgnorableCodePoint)
        || !lettersDiffer && !scalar.isASCII
      let differs = index >= start && index < name.count - end
      if differs, isUnseen { text += escaped(scalar) } else { text.unicodeScalars.append(scalar) }
    }
    return "\"\(text)\(name.count > from + limit ? "…" : "")\""
  }
  return (texts[0], texts[1])
}

/// Whether a text shows nothing: only white space and characters such as the zero-width space.
package func isBlank(_ text: String) -> Bool {
  text.unicodeScalars.allSatisfy { $0.properties.isWhitespace || $0.properties.isDefaultIgnorableCodePoint }
}

/// A count and its noun: "1 row", "20 rows".
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
