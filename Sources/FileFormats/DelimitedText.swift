/// A record of a CSV or TSV file and the line it starts on (1-based).
public struct DelimitedRecord: Equatable, Sendable {
  public let line: Int
  public let fields: [String]
}

/// How the fields of a line-based table are separated.
public enum DelimitedFormat: Sendable {
  /// RFC 4180: commas; a field in double quotes may hold commas, line breaks, and quotes written twice.
  case commaSeparated
  /// text/tab-separated-values: tabs; quotes are ordinary characters, as in the GLUE and SST-2 files.
  case tabSeparated

  /// Splits a file into records; blank lines are skipped, `\r\n` and `\n` both end a line, a byte-order mark is ignored.
  ///
  /// - Throws: `InputError.badData` with file and line: an unclosed or misplaced quote, bytes that are no UTF-8.
  public func records(in bytes: [UInt8], file: String) throws -> [DelimitedRecord] {
    var records: [DelimitedRecord] = []
    var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    var line = 1
    while position < bytes.count {
      let record = try record(in: bytes, at: &position, line: &line, file: file)
      if record.fields != [""] { records.append(record) }
    }
    return records
  }

  private func record(
    in bytes: [UInt8], at position: inout Int, line: inout Int, file: String
  ) throws -> DelimitedRecord {
    let separator = self == .commaSeparated ? UInt8(ascii: ",") : UInt8(ascii: "\t")
    let quote = UInt8(ascii: "\""), lineFeed = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r")
    let firstLine = line
    var fields: [String] = []
    var field: [UInt8] = []

    func isLineEnd(_ offset: Int) -> Bool {
      offset >= bytes.count || bytes[offset] == lineFeed
        || (bytes[offset] == carriageReturn && (offset + 1 >= bytes.count || bytes[offset + 1] == lineFeed))
    }
    func endField() throws {
      guard let text = String(validating: field, as: UTF8.self) else {
        throw InputError.badData("\(file):\(line)", "expected UTF-8 text; convert the file (iconv -t UTF-8)")
      }
      fields.append(text)
      field.removeAll(keepingCapacity: true)
    }

    while true {
      if self == .commaSeparated, field.isEmpty, position < bytes.count, bytes[position] == quote {
        position += 1
        while true {
          guard position < bytes.count else {
            throw InputError.badData("\(file):\(firstLine)", "a quoted field opens here and is never closed")
          }
          if bytes[position] == quote {
            position += 1
            if position < bytes.count, bytes[position] == quote {
              field.append(quote)
              position += 1
              continue
            }
            break
          }
          if bytes[position] == lineFeed { line += 1 }
          field.append(bytes[position])
          position += 1
        }
        guard isLineEnd(position) || bytes[position] == separator else {
          throw InputError.badData(
            "\(file):\(line)",
            "after a closing quote expected a comma or the end of the line; write quotes inside a field twice")
        }
      }
      while !isLineEnd(position), bytes[position] != separator {
        field.append(bytes[position])
        position += 1
      }
      try endField()
      if position < bytes.count, bytes[position] == separator {
        position += 1
        continue
      }
      if position < bytes.count, bytes[position] == carriageReturn { position += 1 }
      if position < bytes.count { position += 1 }
      line += 1
      return DelimitedRecord(line: firstLine, fields: fields)
    }
  }
}
