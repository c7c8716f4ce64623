import Diagnostics

/// A JSON value as text, and where it starts (1-based).
struct JSONText {
  let line: Int
  let column: Int
  let bytes: [UInt8]
}

/// Splits the bytes of JSON into values as they arrive: the elements of a list, or values one after the other.
///
/// A mistake makes one value a failure; splitting continues behind it. Values are not checked.
struct JSONSplitter {
  private enum State {
    case beforeList
    /// Before a value; `isFirst` if the list may end here.
    case beforeValue(isFirst: Bool)
    case value
    case behindValue
    case behindList
    case failed
  }

  /// Whether the file is one list.
  let isList: Bool
  private let file: String
  private let limit: Int
  private var state: State
  private var bytes: [UInt8] = []
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  /// Where the string starts in `bytes`.
  private var stringStart = 0
  private var followsCarriageReturn = false
  private var line = 1
  private var column = 0
  private var start = (line: 1, column: 1)
  /// The mistake before the value.
  private var missingComma: InputError?

  /// A splitter at the start of a file, which holds a list of values, or values.
  init(isList: Bool, file: String, limit: Int = DelimitedParser.largestRecord) {
    self.isList = isList
    self.file = file
    self.limit = limit
    state = isList ? .beforeList : .beforeValue(isFirst: true)
  }

  /// Takes the next byte.
  ///
  /// - Returns: the value it ends, or the mistake it makes.
  /// - Throws: `InputError.badData` for a value with too many bytes.
  mutating func take(_ byte: UInt8) throws -> Result<JSONText, InputError>? {
    let isSecondOfTwo = byte == UInt8(ascii: "\n") && followsCarriageReturn
    followsCarriageReturn = byte == UInt8(ascii: "\r")
    let endsLine = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    column += 1
    defer {
      if endsLine {
        if !isSecondOfTwo { line += 1 }
        column = 0
      }
    }
    let isSpace = byte == 0x20 || (0x09...0x0D).contains(byte)
    switch state {
    case .failed: return nil
    case .beforeList:
      if !isSpace { state = .beforeValue(isFirst: true) }
      return nil
    case .behindList:
      if isSpace { return nil }
      state = .failed
      return .failure(mistake("the end of the file behind the list"))
    case .behindValue:
      if isSpace { return nil }
      if byte == UInt8(ascii: ",") {
        state = .beforeValue(isFirst: false)
      } else if byte == UInt8(ascii: "]") {
        state = .behindList
      } else {
        begin()
        missingComma = mistake("\",\" or \"]\" behind an element of the list")
        return try take(value: byte)
      }
      return nil
    case .beforeValue(let isFirst):
      if isSpace { return nil }
      if isList, byte == UInt8(ascii: "]") {
        state = .behindList
        return isFirst ? nil : .failure(mistake("a value behind the comma"))
      }
      if isList, byte == UInt8(ascii: ",") { return .failure(mistake("a value")) }
      begin()
      return try take(value: byte)
    case .value: return try take(value: byte)
    }
  }

  /// Ends the input.
  ///
  /// - Returns: the last value, if nothing follows it.
  /// - Throws: `InputError.badData` for a value or a list that is not closed.
  mutating func finish() throws -> Result<JSONText, InputError>? {
    switch state {
    case .value where depth == 0 && !isInString && !isList: return end()
    case .value:
      throw InputError.badData(
        "\(file):\(start.line)", "the JSON value that starts here is not closed when the file ends")
    case .beforeValue where isList, .behindValue where isList:
      throw InputError.badData("\(file):\(line)", "the file ends before the \"]\" of its JSON list; is it complete?")
    default: return nil
    }
  }

  private mutating func begin() {
    state = .value
    start = (line, column)
  }

  private mutating func take(value byte: UInt8) throws -> Result<JSONText, InputError>? {
    if depth == 0, !isInString, !bytes.isEmpty {
      // A number or a word, which ends before this byte.
      let isSpace = byte == 0x20 || (0x09...0x0D).contains(byte)
      if isList, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") {
        state = byte == UInt8(ascii: ",") ? .beforeValue(isFirst: false) : .behindList
        return end(then: state)
      }
      if isSpace { return end() }
    }
    guard bytes.count < limit else {
      throw InputError.badData(
        "\(file):\(start.line)",
        "a JSON value of more than \(limit >> 20) MB starts here; expected rows, as a list of objects or an object a line"
      )
    }
    bytes.append(byte)
    if isInString {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { return endOpenString() }
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      }
      return nil
    }
    switch byte {
    case UInt8(ascii: "\""):
      isInString = true
      stringStart = bytes.count
    case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      if depth <= 0 { return end() }
    default: break
    }
    return nil
  }

  /// Ends a string at a line break, which it cannot hold: its brackets count, so that the mistake is this value's alone.
  private mutating func endOpenString() -> Result<JSONText, InputError>? {
    isInString = false
    isEscaped = false
    for (index, byte) in bytes[stringStart...].enumerated() {
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") { depth += 1 }
      if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { depth -= 1 }
      guard depth <= 0 else { continue }
      let endsWithComma = bytes[(stringStart + index)...].contains(UInt8(ascii: ","))
      return end(then: isList && endsWithComma ? .beforeValue(isFirst: false) : nil)
    }
    return nil
  }

  /// The value so far.
  private mutating func end(then next: State? = nil) -> Result<JSONText, InputError> {
    defer {
      bytes = []
      missingComma = nil
      depth = 0
      state = next ?? (isList ? .behindValue : .beforeValue(isFirst: true))
    }
    return missingComma.map { .failure($0) }
      ?? .success(JSONText(line: start.line, column: start.column, bytes: bytes))
  }

  private func mistake(_ expected: String) -> InputError {
    .badData("\(file):\(line):\(column)", "malformed JSON: expected \(expected)")
  }
}
