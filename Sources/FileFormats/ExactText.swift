/// A text that equals another only if their bytes are equal; `String` also equates different spellings of a letter.
package struct ExactText: Hashable, Comparable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  package static func == (a: ExactText, b: ExactText) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

  package func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
    hasher.combine(0xFF as UInt8)
  }

  /// The order of `String`, and that of bytes between spellings that are one to it.
  package static func < (a: ExactText, b: ExactText) -> Bool {
    a.text == b.text ? a.text.utf8.lexicographicallyPrecedes(b.text.utf8) : a.text < b.text
  }
}

extension String {
  /// The text without the white space around it.
  package var trimmed: String {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
    guard let first = unicodeScalars.firstIndex(where: { !isSpace($0) }),
      let last = unicodeScalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(unicodeScalars[first...last])
  }
}
