import Diagnostics

/// A record of a line-based file and the line it starts on (1-based).
package struct DelimitedRecord: Equatable, Sendable {
  package let line: Int
  package let fields: [String]
}

/// How the fields of a line-based table are separated.
package enum DelimitedFormat: Sendable, Equatable {
  /// RFC 4180 with any separator; a field in double quotes may hold separators, line breaks, and quotes written twice.
  case quoted(separator: UInt8)
  /// text/tab-separated-values: tabs; quotes are ordinary characters, as in the GLUE and SST-2 files.
  case tabSeparated
  /// Every line is one field.
  case lines

  /// RFC 4180: commas.
  package static let commaSeparated = DelimitedFormat.quoted(separator: UInt8(ascii: ","))

  fileprivate var separator: UInt8? {
    switch self {
    case .quoted(let separator): separator
    case .tabSeparated: UInt8(ascii: "\t")
    case .lines: nil
    }
  }

  fileprivate var hasQuotes: Bool { if case .quoted = self { true } else { false } }

  /// A record as a line, with its line break; fields with separators, quotes or line breaks are quoted.
  ///
  /// - Precondition: in a format without quotes, no field holds a separator or a line break.
  package func line(_ fields: [String]) -> String {
    let separator = separator
    func quoted(_ field: String) -> String {
      let needsQuotes = field.utf8.contains { [0x0A, 0x0D, 0x22].contains($0) || $0 == separator }
      guard hasQuotes, needsQuotes else { return field }
      return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
    return fields.map(quoted).joined(separator: separator.map { String(Character(Unicode.Scalar($0))) } ?? "") + "\n"
  }
}

/// Splits the bytes of a table into records as they arrive; `\r\n`, `\n` and `\r` all end a line.
///
/// A mistake makes one record a failure; parsing continues with the next line. Tables have no blank lines.
package struct DelimitedParser {
  private enum State {
    case fieldStart
    case unquoted
    case quoted
    /// After a quote in a quoted field, which closes it or is the first of two.
    case closingQuote
    /// After a mistake, up to the end of the line.
    case skipping
  }

  /// The most bytes of a record.
  package static let largestRecord = 64 << 20

  private let format: DelimitedFormat
  private let file: String
  private let remedyForOtherEncodings: String
  private let limit: Int
  private var state = State.fieldStart
  /// Whether the last byte was a carriage return, after which a line feed does not end another line.
  private var followsCarriageReturn = false
  private var fields: [String] = []
  private var field: [UInt8] = []
  /// Bytes of the record so far.
  private var size = 0
  private var hasQuotes = false
  private var line = 1
  private var firstLine = 1
  private var quoteLine = 1
  /// The first mistake of the record.
  private var mistake: InputError?

  /// A parser at the start of a file.
  ///
  /// - Parameters:
  ///   - format: the table's format.
  ///   - file: its name in messages.
  ///   - remedyForOtherEncodings: what to do with bytes that are not UTF-8.
  ///   - limit: the most bytes of a record.
  package init(
    _ format: DelimitedFormat, file: String, remedyForOtherEncodings: String = "convert the file",
    limit: Int = largestRecord
  ) {
    self.format = format
    self.file = file
    self.remedyForOtherEncodings = remedyForOtherEncodings
    self.limit = limit
  }

  /// Takes the next byte.
  ///
  /// - Returns: the record it ends, or its error: a misplaced quote, bytes that are not UTF-8, too many bytes.
  /// - Throws: `InputError.badData` for a quoted field with too many bytes: nothing can be read after it.
  package mutating func take(_ byte: UInt8) throws -> Result<DelimitedRecord, InputError>? {
    let lineFeed = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r"), quote = UInt8(ascii: "\"")
    let endsLine = byte == lineFeed || byte == carriageReturn
    let isSecondOfTwo = byte == lineFeed && followsCarriageReturn
    followsCarriageReturn = byte == carriageReturn
    if endsLine, state != .quoted {
      if isSecondOfTwo { return nil }
      let record = endRecord()
      line += 1
      firstLine = line
      return record
    }
    size += 1
    if size > limit, state != .skipping {
      if state == .quoted { throw unclosedQuote("is longer than \(limit >> 20) MB; is its closing quote missing?") }
      skipLine("\(file):\(firstLine)", "is longer than \(limit >> 20) MB; shorten it")
    }
    switch state {
    case .fieldStart where format.hasQuotes && byte == quote:
      state = .quoted
      hasQuotes = true
      quoteLine = line
    case .fieldStart, .unquoted:
      if byte == format.separator {
        endField()
      } else {
        state = .unquoted
        field.append(byte)
      }
    case .quoted:
      if byte == quote {
        state = .closingQuote
      } else {
        if endsLine, !isSecondOfTwo { line += 1 }
        field.append(byte)
      }
    case .closingQuote:
      if byte == quote {
        field.append(quote)
        state = .quoted
      } else if byte == format.separator {
        endField()
      } else {
        let expected = "expected a separator or the end of the line; write quotes inside a field twice"
        if line == quoteLine {
          skipLine("\(file):\(line)", "after a closing quote \(expected)")
        } else {
          skipLine(
            "\(file):\(quoteLine)",
            "a quoted field opens here and closes in line \(line), where \(expected), or close the field where it ends")
        }
      }
    case .skipping: break
    }
    return nil
  }

  /// Ends the input.
  ///
  /// - Returns: the last record, if its line has no line break.
  /// - Throws: `InputError.badData` for a quoted field that is never closed: nothing can be read after it.
  package mutating func finish() throws -> Result<DelimitedRecord, InputError>? {
    guard state != .quoted else { throw unclosedQuote("is never closed") }
    return state == .fieldStart && fields.isEmpty ? nil : endRecord()
  }

  private func unclosedQuote(_ problem: String) -> InputError {
    .badData("\(file):\(quoteLine)", "a quoted field opens here and \(problem); the rows from here on cannot be read")
  }

  private mutating func skipLine(_ place: String, _ problem: String) {
    mistake = mistake ?? .badData(place, problem)
    state = .skipping
    field = []
  }

  private mutating func endField() {
    if field.contains(0) {
      mistake = mistake ?? .badData("\(file):\(line)", "holds a zero byte, which no text has; is the file damaged?")
    } else if let text = String(validating: field, as: UTF8.self) {
      fields.append(text)
    } else {
      mistake = mistake ?? .badData("\(file):\(line)", "expected UTF-8 text; \(remedyForOtherEncodings)")
    }
    if field.capacity > 1 << 20 { field = [] } else { field.removeAll(keepingCapacity: true) }
    state = .fieldStart
  }

  /// The record, or nil for a blank line of a table.
  private mutating func endRecord() -> Result<DelimitedRecord, InputError>? {
    endField()
    defer {
      fields = []
      mistake = nil
      firstLine = line
      size = 0
      hasQuotes = false
    }
    if let mistake { return .failure(mistake) }
    if format != .lines, fields.count == 1, !hasQuotes, fields[0].utf8.allSatisfy({ $0 == 0x20 }) { return nil }
    return .success(DelimitedRecord(line: firstLine, fields: fields))
  }
}

/// Finds what separates the fields of a table with quotes, from its first two records.
///
/// A first line `sep=;`, as Excel writes it, names the separator. Otherwise the separator is the one of `,`, `;`, tab and
/// `|` that splits both records into the same number of fields, more than one; of several, the one with the most fields.
struct SeparatorFinder {
  private struct Candidate {
    let separator: UInt8
    var parser: DelimitedParser
    /// Fields of the first records; 0 for a record with a mistake.
    var counts: [Int] = []
    var hasEnded = false
  }

  private static let comma = UInt8(ascii: ",")
  private var candidates = [comma, UInt8(ascii: ";"), UInt8(ascii: "\t"), UInt8(ascii: "|")].map {
    Candidate(separator: $0, parser: DelimitedParser(.quoted(separator: $0), file: ""))
  }
  /// The first line, as far as it may name the separator.
  private var line: [UInt8] = []
  private var isFirstLine = true
  /// Whether the first line names the separator.
  private(set) var isNamed = false

  /// Takes the next byte.
  ///
  /// - Returns: the separator, once it is known.
  mutating func take(_ byte: UInt8) -> UInt8? {
    if isFirstLine {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        isFirstLine = false
        if let separator = Self.separator(named: line) {
          isNamed = true
          return separator
        }
      } else if line.count < 8 {
        line.append(byte)
      }
    }
    for index in candidates.indices where candidates[index].counts.count < 2 && !candidates[index].hasEnded {
      do {
        guard let found = try candidates[index].parser.take(byte) else { continue }
        candidates[index].counts.append((try? found.get())?.fields.count ?? 0)
      } catch {
        candidates[index].hasEnded = true
      }
    }
    return decided(atEnd: false)
  }

  /// Ends the input.
  ///
  /// - Returns: the separator.
  mutating func finish() -> UInt8 {
    for index in candidates.indices where candidates[index].counts.count < 2 && !candidates[index].hasEnded {
      if let found = try? candidates[index].parser.finish() {
        candidates[index].counts.append((try? found.get())?.fields.count ?? 0)
      }
    }
    return Self.separator(named: line) ?? decided(atEnd: true) ?? Self.comma
  }

  private func decided(atEnd: Bool) -> UInt8? {
    func isOpen(_ candidate: Candidate, _ count: Int) -> Bool {
      !atEnd && !candidate.hasEnded && candidate.counts.count < count
    }
    if candidates.contains(where: { isOpen($0, 1) }) { return nil }
    let splitting = candidates.filter { ($0.counts.first ?? 0) > 1 }
    if splitting.isEmpty || splitting.map(\.separator) == [Self.comma] { return Self.comma }
    if splitting.contains(where: { isOpen($0, 2) }) { return nil }
    // The first row shows whether a header such as "What do you like; why?" is one column.
    let confirmed = splitting.filter { $0.counts.count < 2 || $0.counts[1] == $0.counts[0] }
    let possible = confirmed.isEmpty ? splitting.filter { $0.counts[1] != 1 } : confirmed
    let most = possible.map { $0.counts[0] }.max()
    return possible.first { $0.counts[0] == most }?.separator ?? Self.comma
  }

  /// The separator of a line `sep=;`, which may be in quotes.
  private static func separator(named line: [UInt8]) -> UInt8? {
    let quote = UInt8(ascii: "\"")
    let text = line.count == 7 && line.first == quote && line.last == quote ? line.dropFirst().dropLast() : line[...]
    guard text.count == 5, text.prefix(4).map({ $0 | 0x20 }) == Array("sep=".utf8).map({ $0 | 0x20 }),
      let separator = text.last, separator < 0x80, separator != quote
    else { return nil }
    return separator
  }
}
