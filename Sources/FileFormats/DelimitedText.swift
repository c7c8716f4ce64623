import Diagnostics

/// A record of a line-based file and the line it starts on (1-based).
package struct DelimitedRecord: Equatable, Sendable {
  package let line: Int
  package let fields: [String]
}

/// How the fields of a line-based table are separated.
package enum DelimitedFormat: Sendable {
  /// RFC 4180: commas; a field in double quotes may hold commas, line breaks, and quotes written twice.
  case commaSeparated
  /// text/tab-separated-values: tabs; quotes are ordinary characters, as in the GLUE and SST-2 files.
  case tabSeparated
  /// Every line is one field.
  case lines

  fileprivate var separator: UInt8? {
    switch self {
    case .commaSeparated: UInt8(ascii: ",")
    case .tabSeparated: UInt8(ascii: "\t")
    case .lines: nil
    }
  }

  /// A record as a line, with its line break; fields with commas, quotes or line breaks are quoted.
  ///
  /// - Precondition: in a format without quotes, no field holds a separator or a line break.
  package func line(_ fields: [String]) -> String {
    func quoted(_ field: String) -> String {
      let needsQuotes = field.utf8.contains { [0x0A, 0x0D, 0x22, 0x2C].contains($0) }
      guard self == .commaSeparated, needsQuotes else { return field }
      return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
    let separator = separator.map { String(Character(Unicode.Scalar($0))) } ?? ""
    return fields.map(quoted).joined(separator: separator) + "\n"
  }
}

/// Splits the bytes of a table into records as they arrive; `\r\n` and `\n` both end a line.
///
/// A mistake makes one record a failure; parsing continues with the next line.
package struct DelimitedParser {
  private enum State {
    case fieldStart
    case unquoted
    /// After a carriage return, which ends the line or is an ordinary character.
    case carriageReturn
    case quoted
    /// After a quote in a quoted field, which closes it or is the first of two.
    case closingQuote
    /// After a closing quote and a carriage return.
    case closedLine
    /// After a mistake, up to the end of the line.
    case skipping
  }

  private let format: DelimitedFormat
  private let file: String
  private var state = State.fieldStart
  private var fields: [String] = []
  private var field: [UInt8] = []
  private var line = 1
  private var firstLine = 1
  private var quoteLine = 1
  /// The first mistake of the record.
  private var mistake: InputError?

  /// A parser at the start of a file, whose name is used in messages.
  package init(_ format: DelimitedFormat, file: String) {
    self.format = format
    self.file = file
  }

  /// Takes the next byte.
  ///
  /// - Returns: the record it ends, or its error: a misplaced quote, bytes that are not UTF-8.
  package mutating func take(_ byte: UInt8) -> Result<DelimitedRecord, InputError>? {
    let lineFeed = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r"), quote = UInt8(ascii: "\"")
    if byte == lineFeed, state != .quoted {
      let record = endRecord()
      line += 1
      firstLine = line
      return record
    }
    switch state {
    case .fieldStart where format == .commaSeparated && byte == quote:
      state = .quoted
      quoteLine = line
    case .fieldStart, .unquoted:
      if byte == format.separator {
        endField()
      } else if byte == carriageReturn {
        state = .carriageReturn
      } else {
        state = .unquoted
        field.append(byte)
      }
    case .carriageReturn:
      field.append(carriageReturn)
      state = .unquoted
      return take(byte)
    case .quoted:
      if byte == quote {
        state = .closingQuote
      } else {
        if byte == lineFeed { line += 1 }
        field.append(byte)
      }
    case .closingQuote:
      if byte == quote {
        field.append(quote)
        state = .quoted
      } else if byte == format.separator {
        endField()
      } else if byte == carriageReturn {
        state = .closedLine
      } else {
        skipLine()
      }
    case .closedLine: skipLine()
    case .skipping: break
    }
    return nil
  }

  /// Ends the input.
  ///
  /// - Returns: the last record, if its line has no line break.
  /// - Throws: `InputError.badData` for a quoted field that is never closed: nothing can be read after it.
  package mutating func finish() throws -> Result<DelimitedRecord, InputError>? {
    guard state != .quoted else {
      throw InputError.badData("\(file):\(quoteLine)", "a quoted field opens here and is never closed")
    }
    return state == .fieldStart && fields.isEmpty ? nil : endRecord()
  }

  private mutating func skipLine() {
    mistake =
      mistake
      ?? .badData(
        "\(file):\(line)",
        "after a closing quote expected a comma or the end of the line; write quotes inside a field twice")
    state = .skipping
  }

  private mutating func endField() {
    if let text = String(validating: field, as: UTF8.self) {
      fields.append(text)
    } else {
      mistake = mistake ?? .badData("\(file):\(line)", "expected UTF-8 text; convert the file (iconv -t UTF-8)")
    }
    field.removeAll(keepingCapacity: true)
    state = .fieldStart
  }

  private mutating func endRecord() -> Result<DelimitedRecord, InputError> {
    endField()
    defer {
      fields = []
      mistake = nil
      firstLine = line
    }
    return mistake.map { .failure($0) } ?? .success(DelimitedRecord(line: firstLine, fields: fields))
  }
}
