/// A part of a template's source.
struct TemplateToken {
  enum Kind: Equatable {
    /// Text outside tags.
    case text(String)
    /// `{{`, `}}`, `{%` and `%}`.
    case beginOutput, endOutput, beginStatement, endStatement
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
  }

  let kind: Kind
  /// Its offset in the source.
  let position: Int
}

/// Cuts a template into text, tags and the parts of expressions, with the white space around tags as transformers sets
/// it: the line break after a statement or comment is dropped (`trim_blocks`), and so is the space before one that is
/// first on its line (`lstrip_blocks`).
struct TemplateLexer {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var found: [TemplateToken] = []
  /// Whether the text before `position` ends a line.
  private var isAtLineStart = true

  init(_ source: [Unicode.Scalar]) { self.source = source }

  /// The source with `\n` at line ends, and without the line break at its end.
  static func normalized(_ text: String) -> [Unicode.Scalar] {
    var source: [Unicode.Scalar] = []
    for scalar in text.unicodeScalars {
      if scalar == "\n", source.last == "\r" { source.removeLast() }
      source.append(scalar)
      if source.count > 1, source[source.count - 2] == "\r" { source[source.count - 2] = "\n" }
    }
    if source.last == "\r" { source[source.count - 1] = "\n" }
    if source.last == "\n" { source.removeLast() }
    return source
  }

  mutating func tokens() throws -> [TemplateToken] {
    while position < source.count { try readTextAndTag() }
    return found
  }

  // MARK: - Text and tags

  private func has(_ text: String, at offset: Int) -> Bool {
    var index = offset
    for scalar in text.unicodeScalars {
      guard index < source.count, source[index] == scalar else { return false }
      index += 1
    }
    return true
  }

  private func skippingSpace(from offset: Int) -> Int {
    var index = offset
    while index < source.count, isSpace(source[index]) { index += 1 }
    return index
  }

  private mutating func append(_ kind: TemplateToken.Kind, at position: Int) {
    found.append(TemplateToken(kind: kind, position: position))
  }

  private mutating func appendText(_ range: Range<Int>) {
    if !range.isEmpty { append(.text(String(source[range])), at: range.lowerBound) }
  }

  private mutating func readTextAndTag() throws {
    let start = position
    var tag = start
    while tag < source.count, !(has("{{", at: tag) || has("{%", at: tag) || has("{#", at: tag)) { tag += 1 }
    guard tag < source.count else {
      appendText(start..<tag)
      position = tag
      return
    }
    let kind = source[tag + 1]
    let sign: Unicode.Scalar? = tag + 2 < source.count ? source[tag + 2] : nil
    let isSigned = sign == "-" || sign == "+"
    var end = tag
    if sign == "-" {
      while end > start, isSpace(source[end - 1]) { end -= 1 }
    } else if sign != "+", kind != "{" {
      var line = tag
      while line > start, source[line - 1] != "\n", isSpace(source[line - 1]) { line -= 1 }
      if line > start ? source[line - 1] == "\n" : isAtLineStart { end = line }
    }
    appendText(start..<end)
    position = tag + (isSigned ? 3 : 2)
    switch kind {
    case "#": try skipComment(from: tag)
    case "%" where try readRaw(): break
    default: try readTag(from: tag, isOutput: kind == "{")
    }
    isAtLineStart = position > 0 && source[position - 1] == "\n"
  }

  /// The offset after a statement's or a comment's end, with what its sign drops; nil if it does not end here.
  private func end(of close: String, at offset: Int) -> Int? {
    if has("+" + close, at: offset) { return offset + 3 }
    if has("-" + close, at: offset) { return skippingSpace(from: offset + 3) }
    guard has(close, at: offset) else { return nil }
    return has("\n", at: offset + 2) ? offset + 3 : offset + 2
  }

  private mutating func skipComment(from tag: Int) throws {
    while position < source.count {
      if let end = end(of: "#}", at: position) {
        position = end
        return
      }
      position += 1
    }
    throw TemplateFault(tag, "the comment has no end, \"#}\"")
  }

  /// Reads `{% raw %}…{% endraw %}`; false if the tag is another one.
  private mutating func readRaw() throws -> Bool {
    func word(_ word: String, from offset: Int) -> Int? {
      let start = skippingSpace(from: offset)
      return has(word, at: start) ? skippingSpace(from: start + word.count) : nil
    }
    guard let close = word("raw", from: position) else { return false }
    let start: Int
    if has("-%}", at: close) {
      start = skippingSpace(from: close + 3)
    } else if has("%}", at: close) {
      start = close + 2
    } else {
      return false
    }
    for index in start..<source.count where has("{%", at: index) {
      let isTrimmed = has("-", at: index + 2)
      guard let close = word("endraw", from: index + (isTrimmed || has("+", at: index + 2) ? 3 : 2)),
        let after = end(of: "%}", at: close)
      else { continue }
      var end = index
      while isTrimmed, end > start, isSpace(source[end - 1]) { end -= 1 }
      appendText(start..<end)
      position = after
      return true
    }
    throw TemplateFault(position, "\"raw\" has no \"endraw\"")
  }

  private mutating func readTag(from tag: Int, isOutput: Bool) throws {
    append(isOutput ? .beginOutput : .beginStatement, at: tag)
    var open: [Unicode.Scalar] = []
    let first = found.count
    while true {
      // Each part may be one level of the expression.
      guard found.count - first < Self.maximumParts else {
        throw TemplateFault(tag, "the tag has more than \(Self.maximumParts) parts")
      }
      position = skippingSpace(from: position)
      guard position < source.count else {
        throw TemplateFault(tag, "the tag has no end, \"\(isOutput ? "}}" : "%}")\"")
      }
      if open.isEmpty {
        if isOutput, has("-}}", at: position) || has("}}", at: position) {
          append(.endOutput, at: position)
          position = has("-", at: position) ? skippingSpace(from: position + 3) : position + 2
          return
        }
        if !isOutput, let end = end(of: "%}", at: position) {
          append(.endStatement, at: position)
          position = end
          return
        }
      }
      let start = position
      switch source[position] {
      case "'", "\"": append(.string(try readString()), at: start)
      case "0"..."9": append(try readNumber(), at: start)
      case let scalar where isNameStart(scalar):
        while position < source.count, isNameStart(source[position]) || isDigit(source[position]) { position += 1 }
        append(.name(String(source[start..<position])), at: start)
      case let scalar:
        guard let symbol = Self.symbols.first(where: { has($0, at: start) }) else {
          throw TemplateFault(start, "unexpected \"\(scalar)\"")
        }
        position += symbol.count
        append(.symbol(symbol), at: start)
        switch scalar {
        case "(", "[", "{": open.append(scalar == "(" ? ")" : scalar == "[" ? "]" : "}")
        case ")", "]", "}":
          guard open.popLast() == scalar else { throw TemplateFault(start, "unexpected \"\(scalar)\"") }
        default: break
        }
      }
    }
  }

  // MARK: - Parts of expressions

  private static let maximumParts = 2000

  private static let symbols = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
  ]

  private func isNameStart(_ scalar: Unicode.Scalar) -> Bool { scalar == "_" || scalar.properties.isXIDStart }
  private func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isXIDContinue }

  private mutating func readNumber() throws -> TemplateToken.Kind {
    let start = position
    func digits(_ lexer: inout TemplateLexer) {
      while lexer.position < lexer.source.count,
        ("0"..."9").contains(lexer.source[lexer.position]) || lexer.has("_", at: lexer.position)
      {
        lexer.position += 1
      }
    }
    func isDigit(_ offset: Int) -> Bool { offset < source.count && ("0"..."9").contains(source[offset]) }
    digits(&self)
    var isInteger = true
    // In "list.0.1", both numbers are places.
    if has(".", at: position), isDigit(position + 1), found.last?.kind != .symbol(".") {
      isInteger = false
      position += 1
      digits(&self)
    }
    if has("e", at: position) || has("E", at: position) {
      let sign = has("+", at: position + 1) || has("-", at: position + 1) ? 1 : 0
      if isDigit(position + 1 + sign) {
        isInteger = false
        position += 1 + sign
        digits(&self)
      }
    }
    let text = String(source[start..<position]).filter { $0 != "_" }
    if isInteger, let value = Int(text) { return .integer(value) }
    guard !isInteger, let value = Double(text), value.isFinite else {
      throw TemplateFault(start, "the number \(text) is too large")
    }
    return .number(value)
  }

  /// Reads a string with the escapes of Python.
  private mutating func readString() throws -> String {
    let start = position, quote = source[position]
    var text = String.UnicodeScalarView()
    position += 1
    while position < source.count, source[position] != quote {
      guard source[position] == "\\", position + 1 < source.count else {
        text.append(source[position])
        position += 1
        continue
      }
      let escape = source[position + 1]
      position += 2
      switch escape {
      case "n": text.append("\n")
      case "t": text.append("\t")
      case "r": text.append("\r")
      case "a": text.append("\u{7}")
      case "b": text.append("\u{8}")
      case "f": text.append("\u{C}")
      case "v": text.append("\u{B}")
      case "\\", "'", "\"": text.append(escape)
      case "\n": break
      case "x", "u", "U":
        let count = escape == "x" ? 2 : escape == "u" ? 4 : 8
        let digits = String(String.UnicodeScalarView(source[position..<min(source.count, position + count)]))
        guard digits.utf8.count == count, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
          throw TemplateFault(position - 2, "expected \(count) hexadecimal digits of a character after \"\\\(escape)\"")
        }
        text.append(scalar)
        position += count
      case "0"..."7":
        var code = escape.value - 48
        for _ in 0..<2 where position < source.count && ("0"..."7").contains(source[position]) {
          code = code * 8 + source[position].value - 48
          position += 1
        }
        if let scalar = Unicode.Scalar(code) { text.append(scalar) }
      case "N": throw TemplateFault(position - 2, "characters by their names, \"\\N{…}\", are not supported")
      default:
        text.append("\\")
        text.append(escape)
      }
    }
    guard position < source.count else { throw TemplateFault(start, "the string has no end") }
    position += 1
    return String(text)
  }
}

extension String {
  init(_ scalars: ArraySlice<Unicode.Scalar>) {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    self.init(text)
  }
}

/// Whether Python counts a character as white space.
func isSpace(_ scalar: Unicode.Scalar) -> Bool {
  scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
}
