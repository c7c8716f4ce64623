import Diagnostics
import System

/// A JSON value that keeps what Foundation's decoders lose: the order of an object's members,
/// keys that are canonically equivalent but differ in bytes (tokenizer vocabularies have them), duplicates
/// (so that they can be rejected), and the difference between `1` and `1.0`.
package enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// One `"key": value` of an object, in file order.
  package struct Member: Equatable, Sendable {
    package let key: String
    package let value: JSON

    package init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  /// The value of the last member called `key`, as Python has it; nil if this is not an object or has no such member.
  package subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The value as an integer; `2.0` counts as `2`.
  package var integer: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  package var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  package var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  package var object: [Member]? {
    if case .object(let value) = self { value } else { nil }
  }

  package var isNull: Bool { self == .null }

  /// The value's name in error messages: `"text"`, `12`, `a list`.
  package var shortDescription: String {
    switch self {
    case .array: "a list"
    case .object: "an object"
    default: compact.count <= 60 ? compact : String(compact.prefix(57)) + "…"
    }
  }
}

// MARK: - Reading

extension JSON {
  /// Reads a file that must hold one JSON value.
  ///
  /// - Throws: `InputError` (`missingInput` when it cannot be read; `badData` with line and column when malformed).
  package static func read(file path: String, allowing extensions: JSONExtensions = []) throws -> JSON {
    let bytes = try readBytes(of: path)
    if let found = otherKind(of: bytes.prefix(64)) { throw InputError.badData(path, "is \(found), expected JSON") }
    return try JSON(parsing: bytes, file: path, allowing: extensions)
  }

  /// Parses one JSON value (RFC 8259) from UTF-8 bytes; `file`, `firstLine` and `firstColumn` are for messages.
  ///
  /// - Throws: `InputError.badData` with line and column.
  package init(
    parsing bytes: [UInt8], file: String, firstLine: Int = 1, firstColumn: Int = 1,
    allowing extensions: JSONExtensions = []
  ) throws {
    var parser = JSONParser(
      bytes: bytes, file: file, firstLine: firstLine, firstColumn: firstColumn, extensions: extensions)
    self = try parser.parseDocument()
  }
}

/// What some files have beyond RFC 8259.
package struct JSONExtensions: OptionSet, Sendable {
  package let rawValue: Int

  package init(rawValue: Int) { self.rawValue = rawValue }

  /// `//` begins a comment that ends with the line.
  package static let comments = JSONExtensions(rawValue: 1)
  /// `NaN`, `Infinity` and `-Infinity`, which Python reads and writes.
  package static let nonFinite = JSONExtensions(rawValue: 2)
}

private struct JSONParser {
  let bytes: [UInt8]
  let file: String
  let firstLine: Int
  let firstColumn: Int
  let extensions: JSONExtensions
  var position = 0
  static let maximumDepth = 256

  init(bytes: [UInt8], file: String, firstLine: Int, firstColumn: Int, extensions: JSONExtensions) {
    self.bytes = bytes
    self.file = file
    self.firstLine = firstLine
    self.firstColumn = firstColumn
    self.extensions = extensions
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  mutating func parseDocument() throws -> JSON {
    let value = try parseValue(depth: 0)
    skipWhitespace()
    if position < bytes.count { throw syntaxError("the end of the JSON value") }
    return value
  }

  func syntaxError(_ expected: String, at offset: Int? = nil) -> InputError {
    let end = min(offset ?? position, bytes.count)
    let before = bytes[..<end]
    let line = before.count { $0 == UInt8(ascii: "\n") }
    let column = end - ((before.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1) + (line == 0 ? firstColumn : 1)
    let found = end < bytes.count ? "found \(quoted(bytes[end]))" : "the file ends"
    return .badData("\(file):\(firstLine + line):\(column)", "malformed JSON: expected \(expected), \(found)")
  }

  private func quoted(_ byte: UInt8) -> String {
    byte >= 0x20 && byte < 0x7F ? "\"\(Character(Unicode.Scalar(byte)))\"" : "byte \(byte)"
  }

  mutating func skipWhitespace() {
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
        position += 1
      } else if extensions.contains(.comments), bytes[position...].starts(with: [UInt8(ascii: "/"), UInt8(ascii: "/")])
      {
        position = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      } else {
        return
      }
    }
  }

  mutating func parseValue(depth: Int) throws -> JSON {
    guard depth < Self.maximumDepth else { throw syntaxError("at most \(Self.maximumDepth) levels of nesting") }
    skipWhitespace()
    guard position < bytes.count else { throw syntaxError("a value") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "N") where extensions.contains(.nonFinite): return try parseWord("NaN", .number(.nan))
    case UInt8(ascii: "I") where extensions.contains(.nonFinite): return try parseWord("Infinity", .number(.infinity))
    default: return try parseNumber()
    }
  }

  mutating func parseWord(_ word: StaticString, _ value: JSON) throws -> JSON {
    let text = word.description.utf8
    guard bytes[position...].starts(with: text) else { throw syntaxError("a value") }
    position += text.count
    return value
  }

  mutating func parseObject(depth: Int) throws -> JSON {
    position += 1
    var members: [JSON.Member] = []
    skipWhitespace()
    if take("}") { return .object(members) }
    while true {
      skipWhitespace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw syntaxError("a key in quotes") }
      let key = try parseString()
      skipWhitespace()
      guard take(":") else { throw syntaxError("\":\"") }
      members.append(JSON.Member(key, try parseValue(depth: depth + 1)))
      skipWhitespace()
      if take(",") { continue }
      guard take("}") else { throw syntaxError("\",\" or \"}\"") }
      return .object(members)
    }
  }

  mutating func parseArray(depth: Int) throws -> JSON {
    position += 1
    var values: [JSON] = []
    skipWhitespace()
    if take("]") { return .array(values) }
    while true {
      values.append(try parseValue(depth: depth + 1))
      skipWhitespace()
      if take(",") { continue }
      guard take("]") else { throw syntaxError("\",\" or \"]\"") }
      return .array(values)
    }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func parseNumber() throws -> JSON {
    let start = position
    var isInteger = true
    if take("-"), extensions.contains(.nonFinite), position < bytes.count, bytes[position] == UInt8(ascii: "I") {
      return try parseWord("Infinity", .number(-.infinity))
    }
    let firstDigit = position
    func digits(_ parser: inout JSONParser) throws {
      let first = parser.position
      while parser.position < parser.bytes.count, (0x30...0x39).contains(parser.bytes[parser.position]) {
        parser.position += 1
      }
      if parser.position == first { throw parser.syntaxError(first == start ? "a value" : "a digit") }
    }
    try digits(&self)
    if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 {
      throw syntaxError("no leading zero", at: start)
    }
    if take(".") {
      isInteger = false
      try digits(&self)
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      try digits(&self)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite || extensions.contains(.nonFinite) else {
      throw syntaxError("a number that fits", at: start)
    }
    return .number(value)
  }

  mutating func parseString() throws -> String {
    let start = position
    position += 1
    var end = position
    while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20 {
      end += 1
    }
    if end < bytes.count, bytes[end] == UInt8(ascii: "\"") {
      defer { position = end + 1 }
      return try validated(bytes[position..<end], at: start)
    }
    var content = Array(bytes[position..<end])
    position = end
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return try validated(content[...], at: start)
      }
      if byte < 0x20 { throw syntaxError("no control character inside a string") }
      if byte != UInt8(ascii: "\\") {
        content.append(byte)
        position += 1
        continue
      }
      position += 1
      try parseEscape(into: &content)
    }
    throw syntaxError("a closing quote")
  }

  private func validated(_ slice: ArraySlice<UInt8>, at start: Int) throws -> String {
    guard let text = String(validating: slice, as: UTF8.self) else { throw syntaxError("valid UTF-8", at: start) }
    return text
  }

  private mutating func parseEscape(into content: inout [UInt8]) throws {
    guard position < bytes.count else { throw syntaxError("an escape") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      var code = try parseHex()
      if (0xD800..<0xDC00).contains(code), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try parseHex()
        guard (0xDC00..<0xE000).contains(low) else { throw syntaxError("the second half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw syntaxError("a whole surrogate pair") }
      content.append(contentsOf: Array(String(scalar).utf8))
    default: throw syntaxError("a known escape", at: position - 1)
    }
  }

  private mutating func parseHex() throws -> UInt32 {
    let end = position + 4
    guard end <= bytes.count,
      bytes[position..<end].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20) }),
      let code = UInt32(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16)
    else { throw syntaxError("four hexadecimal digits") }
    position = end
    return code
  }
}

// MARK: - Writing

extension JSON {
  /// The value on one line, `{"a": 1, "b": [2, 3]}`; non-finite numbers, which JSON lacks, become `null`.
  package var compact: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// The value on several lines, indented by two spaces; lists of plain numbers stay on one line.
  package var pretty: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.writeQuoted(value, to: &text)
    case .array(let values):
      let inner = values.allSatisfy(\.isScalar) ? nil : indent
      Self.writeList(values, brackets: ("[", "]"), indent: inner, to: &text) { value, text, indent in
        value.write(to: &text, indent: indent)
      }
    case .object(let members):
      Self.writeList(members, brackets: ("{", "}"), indent: indent, to: &text) { member, text, indent in
        Self.writeQuoted(member.key, to: &text)
        text += ": "
        member.value.write(to: &text, indent: indent)
      }
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], brackets: (String, String), indent: Int?, to text: inout String,
    writeElement: (Element, inout String, Int?) -> Void
  ) {
    text += brackets.0
    let inner = indent.map { $0 + 2 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += inner == nil ? ", " : "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      writeElement(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += brackets.1
  }

  private static func writeQuoted(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // Beyond what RFC 8259 asks for: those that a terminal or editor would obey.
      case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}"..."\u{202E}", "\u{2066}"..."\u{2069}":
        let hex = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
