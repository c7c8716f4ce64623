import Diagnostics
import System

/// The format of a data file.
package enum DataFormat: String, CaseIterable, Sendable {
  /// One JSON object per line.
  case jsonl
  /// A header line, then rows; RFC 4180.
  case csv
  /// A header line, then rows; tabs between fields, quotes are ordinary characters.
  case tsv
  /// One text per line.
  case lines

  /// The format of a file by its extension; nil for an unknown extension.
  package init?(endingOf path: String) {
    switch path.split(separator: ".").last.map({ $0.lowercased() }) {
    case "jsonl", "json", "ndjson": self = .jsonl
    case "csv": self = .csv
    case "tsv": self = .tsv
    case "txt": self = .lines
    default: return nil
    }
  }

  fileprivate var delimited: DelimitedFormat {
    switch self {
    case .csv: .commaSeparated
    case .tsv: .tabSeparated
    case .jsonl, .lines: .lines
    }
  }
}

/// A row of a data file, unchanged.
package struct DataRecord: Sendable {
  package enum Content: Sendable {
    /// A JSON object and the line that holds it.
    case object(JSON, line: String)
    /// The fields of a row, as many as the header has.
    case fields([String])
    case line(String)
  }

  /// "train.tsv:12", for messages.
  package let place: String
  package let content: Content
}

/// The key or column of a value in the records of a file.
package struct RecordColumn: Sendable {
  package let name: String
  /// Its index in the header, if there is one.
  fileprivate let index: Int?
}

/// Reads the records of a file or of standard input one by one, in constant memory.
package struct RecordReader {
  package let format: DataFormat
  /// The names of the columns; nil if the format has none.
  package private(set) var header: [String]?
  /// The place of the header, for messages.
  private var headerPlace: String
  private let input: ChunkedInput
  private var parser: DelimitedParser
  /// Input that is not parsed yet.
  private var bytes: ArraySlice<UInt8> = []
  private var isAtEnd = false

  /// Opens a file (`-`: standard input) and reads its header.
  ///
  /// - Throws: `InputError` when it cannot be read or lacks a header.
  package init(_ path: String, format: DataFormat) throws {
    self.format = format
    input = try ChunkedInput(path: path)
    parser = DelimitedParser(format.delimited, file: input.name)
    headerPlace = input.name
    guard format == .csv || format == .tsv else { return }
    guard let first = try nextLine(beforeWaiting: {})?.get() else {
      throw InputError.badData(input.name, "is empty; expected a header line")
    }
    header = first.fields
    headerPlace = "\(input.name):\(first.line)"
  }

  /// Finds a column; for JSON lines, each record decides whether it has the key.
  ///
  /// - Throws: `InputError.badData` when the header lacks it or has it twice; `remedy` ends the message.
  package func column(_ name: String, remedy: String) throws -> RecordColumn {
    guard let header else { return RecordColumn(name: name, index: nil) }
    if header.count(where: { $0 == name }) > 1 {
      throw InputError.badData(headerPlace, "has the column \"\(name)\" twice; rename one of them")
    }
    guard let index = header.firstIndex(of: name) else {
      throw InputError.badData(
        headerPlace, "has no column \"\(name)\"" + suggestion(for: name, among: header) + " (\(remedy))")
    }
    return RecordColumn(name: name, index: index)
  }

  /// Checks that the columns to add do not exist yet.
  ///
  /// - Throws: `InputError.badData` naming one that does.
  package func refuseColumns(_ names: [String]) throws {
    if let name = names.first(where: { header?.contains($0) == true }) {
      throw InputError.badData(headerPlace, "has a column \"\(name)\" already; rename it")
    }
  }

  /// Reads the next record; blank lines count only in files of one text per line.
  ///
  /// - Parameter beforeWaiting: called before waiting for bytes, for example from a pipe with a slow writer.
  /// - Returns: the record or its error; nil at the end.
  /// - Throws: `InputError` when reading cannot continue, and what `beforeWaiting` throws.
  package mutating func next(beforeWaiting: () throws -> Void = {}) throws -> Result<DataRecord, any Error>? {
    try nextLine(beforeWaiting: beforeWaiting).map { line in Result { try record(line.get()) } }
  }

  private mutating func nextLine(beforeWaiting: () throws -> Void) throws -> Result<DelimitedRecord, InputError>? {
    while !isAtEnd {
      while let byte = bytes.popFirst() {
        if let found = parser.take(byte), !isBlank(found) { return found }
      }
      bytes = try input.next(beforeWaiting: beforeWaiting)[...]
      if bytes.isEmpty {
        isAtEnd = true
        if let last = try parser.finish(), !isBlank(last) { return last }
      }
    }
    return nil
  }

  private func isBlank(_ found: Result<DelimitedRecord, InputError>) -> Bool {
    guard case .success(let record) = found, record.fields.count == 1 else { return false }
    return switch format {
    case .csv, .tsv: record.fields[0].isEmpty
    case .jsonl: record.fields[0].utf8.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
    case .lines: false
    }
  }

  private func record(_ line: DelimitedRecord) throws -> DataRecord {
    let place = "\(input.name):\(line.line)"
    if let header {
      guard line.fields.count == header.count else {
        throw InputError.badData(
          place, "expected \(header.count) fields as in the header, found \(line.fields.count)")
      }
      return DataRecord(place: place, content: .fields(line.fields))
    }
    guard format == .jsonl else { return DataRecord(place: place, content: .line(line.fields[0])) }
    let json = try JSON(parsing: Array(line.fields[0].utf8), file: input.name, firstLine: line.line)
    guard json.object != nil else { throw InputError.badData(place, "expected an object { … } on each line") }
    return DataRecord(place: place, content: .object(json, line: line.fields[0]))
  }
}

extension DataRecord {
  /// The text of a record.
  ///
  /// - Throws: `InputError.badData` when there is none, it is empty, or the key is repeated.
  package func text(in column: RecordColumn) throws -> String {
    let text: String
    switch content {
    case .line(let line): text = line
    case .fields(let fields): text = column.index.map { fields[$0] } ?? ""
    case .object(let json, _):
      if let found = try member(column, of: json), found.string == nil {
        throw InputError.badData(place, "\"\(column.name)\" must be a string, found \(found.shortDescription)")
      }
      guard let found = json[column.name]?.string else { throw lacks("text", column, json) }
      text = found
    }
    guard text.contains(where: { !$0.isWhitespace }) else { throw InputError.badData(place, "the text is empty") }
    return text
  }

  /// The label of a record.
  ///
  /// - Throws: `InputError.badData` when there is none, it is empty, or the key is repeated.
  package func label(in column: RecordColumn) throws -> String {
    let label: String
    switch content {
    case .line: label = ""
    case .fields(let fields): label = column.index.map { fields[$0] } ?? ""
    case .object(let json, _):
      switch try member(column, of: json) {
      case .string(let value): label = value
      case .integer(let value): label = String(value)
      case .bool(let value): label = String(value)
      case nil: throw lacks("label", column, json)
      case .some(let found):
        throw InputError.badData(
          place,
          "\"\(column.name)\" must be a string, a whole number, or true or false, found \(found.shortDescription)")
      }
    }
    guard !label.isEmpty else { throw InputError.badData(place, "the label (column \"\(column.name)\") is empty") }
    return label
  }

  private func member(_ column: RecordColumn, of json: JSON) throws -> JSON? {
    if let members = json.object, members.count(where: { $0.key == column.name }) > 1 {
      throw InputError.badData(place, "has the key \"\(column.name)\" twice")
    }
    return json[column.name]
  }

  private func lacks(_ what: String, _ column: RecordColumn, _ json: JSON) -> InputError {
    .badData(
      place,
      "has no \(what) under \"\(column.name)\"" + suggestion(for: column.name, among: (json.object ?? []).map(\.key)))
  }
}
