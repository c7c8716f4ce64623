/// A text as one word of a shell's command line, for commands that a user can copy.
///
/// Plain words stay. Others are in single quotes; a word with characters that a terminal does not show is written
/// `$'a\nb'`, with its bytes as `\xE9`, as bash, ksh and zsh read it.
package func shellWord(_ text: String) -> String {
  let isPlain =
    !text.isEmpty && text.first != "~" && text.first != "="
    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./=:,+@%".contains($0)) }
  if isPlain { return text }
  guard text.unicodeScalars.contains(where: isUnseen) else {
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
  var word = "$'"
  for scalar in text.unicodeScalars {
    switch scalar {
    case "'", "\\": word += "\\\(scalar)"
    case "\n": word += "\\n"
    case "\r": word += "\\r"
    case "\t": word += "\\t"
    case _ where undecodedBytes.contains(scalar.value): word += escaped(UInt8(scalar.value - undecodedByteOffset))
    case _ where isUnseen(scalar): word += scalar.utf8.map(escaped).joined()
    default: word.unicodeScalars.append(scalar)
    }
  }
  return word + "'"
}

private func escaped(_ byte: UInt8) -> String {
  (byte < 0x10 ? "\\x0" : "\\x") + String(byte, radix: 16, uppercase: true)
}

/// Whether a character does not show, or is white space other than a space.
private func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
  let properties = scalar.properties
  return switch properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator, .format, .surrogate, .privateUse, .unassigned: true
  case .spaceSeparator: scalar != " "
  default: properties.isDefaultIgnorableCodePoint
  }
}
