import CUTF8Proc
import Diagnostics

/// Columns of a text on a terminal.
func columns(of text: String) -> Int {
  text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } ? text.utf8.count : text.reduce(0) { $0 + columns(of: $1) }
}

/// Columns of one character: 2 for East Asian wide characters and emoji.
private func columns(of character: Character) -> Int {
  if character.unicodeScalars.contains(where: \.properties.isEmojiPresentation) { return 2 }
  return character.unicodeScalars.map { Int(utf8proc_charwidth(Int32($0.value))) }.max() ?? 0
}

/// Text clipped to a number of columns; clipped text ends in "…".
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

/// Text with line breaks, tabs and control characters made visible, and spaces as `space`.
func visible(_ text: String, space: String = "·") -> String {
  text.map { character in
    switch character {
    case " ": space
    case "\t": "⇥"
    case "\n", "\r\n": "⏎"
    case _ where columns(of: character) == 0 || character.isWhitespace:
      character.unicodeScalars.map { codePoint($0) }.joined()
    default: String(character)
    }
  }.joined()
}
