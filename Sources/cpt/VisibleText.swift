import CUTF8Proc

/// Columns a terminal takes to show a text.
func columns(of text: String) -> Int {
  text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } ? text.utf8.count : text.reduce(0) { $0 + columns(of: $1) }
}

/// Those of a letter with its marks, or of an emoji with its joiners: 2 for East Asian wide ones and emoji.
private func columns(of character: Character) -> Int {
  if character.unicodeScalars.contains(where: \.properties.isEmojiPresentation) { return 2 }
  return character.unicodeScalars.map { Int(utf8proc_charwidth(Int32($0.value))) }.max() ?? 0
}

/// Text that takes at most so many columns: what is too long ends in "…".
func clipped(_ text: String, to width: Int) -> String {
  if columns(of: text) <= width { return text }
  var result = ""
  var used = 1
  for character in text {
    used += columns(of: character)
    if used > width { break }
    result.append(character)
  }
  return result + "…"
}

/// Text with all of it visible: line breaks, what a terminal would show nothing for or obey, and spaces as `space`.
func visible(_ text: String, space: String = "·") -> String {
  text.map { character in
    switch character {
    case " ": space
    case "\t": "⇥"
    case "\n", "\r\n": "⏎"
    case _ where columns(of: character) == 0 || character.isWhitespace:
      character.unicodeScalars.map { "<U+\(hexadecimal($0.value))>" }.joined()
    default: String(character)
    }
  }.joined()
}

/// At least four digits.
private func hexadecimal(_ value: UInt32) -> String {
  let digits = String(value, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
