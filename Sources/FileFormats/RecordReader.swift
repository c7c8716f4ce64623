import Diagnostics
import System

/// The format of a data file.
package enum DataFormat: String, CaseIterable, Sendable {
  /// One JSON object per line, or a list of objects.
  case jsonl
  /// A header line, then rows; RFC 4180, with commas, semicolons, tabs or `|` as its first lines show.
  case csv
  /// A header line, then rows; tabs between fields, quotes are ordinary characters.
  case tsv
  /// One text per line.
  case lines

  /// The format of a file by its extension, `.gz` aside; nil for an unknown extension.
  package init?(endingOf path: String) {
    let parts = path.split(separator: ".").map { $0.lowercased() }
    switch (parts.last == "gz" ? parts.dropLast() : parts[...]).last {
    case "jsonl", "json", "ndjson": self = .jsonl
    case "csv": self = .csv
    case "tsv": self = .tsv
    case "txt": self = .lines
    default: return nil
    }
  }

  /// The format of a file of labelled rows by its extension.
  ///
  /// - Throws: `InputError.badData` for another extension; it names the command that converts a format that is known.
  package static func ofRows(in path: String) throws -> DataFormat {
    if let format = DataFormat(endingOf: path), format != .lines { return format }
    try refuseForeign(path)
    throw InputError.badData(
      path,
      "unknown file type; expected a name that ends in .jsonl, .json, .csv or .tsv, and .gz behind it if compressed")
  }
}

extension DataFormat {
  /// Rejects a file whose extension is that of another format.
  ///
  /// - Throws: `InputError.badData` with the command that converts it.
  package static func refuseForeign(_ path: String) throws {
    if let foreign = ForeignFormat(endingOf: path), fileExists(path) { throw foreign.refusal(of: path, path: path) }
  }
}

/// A row of a data file, unchanged.
package struct DataRecord: Sendable {
  package enum Content: Sendable {
    /// A JSON object and the line that holds it.
    case object(JSON, line: String)
    /// The fields of a row, as many as there are columns.
    case fields([String])
    case line(String)
  }

  /// "train.tsv:12", for messages.
  package let place: String
  package let content: Content
  /// What a jq program begins with to see the rows of the file.
  fileprivate var rowsInJQ = ""

  fileprivate init(place: String, content: Content, rowsInJQ: String = "") {
    self.place = place
    self.content = content
    self.rowsInJQ = rowsInJQ
  }

  /// A text that no file holds.
  package init(place: String, text: String) { self.init(place: place, content: .line(text)) }
}

/// The key or column of a value in the records of a file.
package struct RecordColumn: Sendable {
  package let name: String
  /// Its index among the columns of a table.
  fileprivate let index: Int?

  /// The text of records that are lines.
  package static let ofLines = RecordColumn(name: "", index: nil)
}

/// Reads the records of a file or of standard input one by one, in memory for the longest record.
package struct RecordReader {
  package let format: DataFormat
  /// How fields are separated, for tables.
  package private(set) var table: DelimitedFormat
  /// The names of the columns, "1", "2", … in a table without a header; nil if the format has none.
  package private(set) var header: [String]?
  /// Whether the first line of a table names its columns.
  package let hasHeader: Bool
  /// How the input differs from plain UTF-8 with the format's usual separator or layout, in words.
  package private(set) var peculiarities: [String] = []
  /// The place of the header, or the file's name if it has none, for messages.
  package private(set) var headerPlace: String
  /// The first rows of a table without a header, which were read to count its columns.
  private var firstRows: [Result<RecordText, InputError>] = []
  /// Whether the input begins with a byte-order mark.
  package var hasByteOrderMark: Bool { input.hasMark }
  /// How its lines end: "\n" or "\r\n", by the first that has been read.
  package var lineBreak: String { input.lineBreak ?? "\n" }
  private var input: TextInput
  private var parser: DelimitedParser
  /// What splits the input in place of `parser`, for JSON that is not one object per line.
  private var json: JSONSplitter?
  /// Input that is not parsed yet.
  private var bytes: ArraySlice<UInt8> = []
  private var isAtEnd = false
  /// Whether the first line names the separator.
  private var isSeparatorNamed = false

  /// Opens a file (`-`: standard input) and reads its header.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - format: its format.
  ///   - hasHeader: for tables: whether the first line names the columns, or is a row.
  /// - Throws: `InputError` when it cannot be read or is an empty table.
  package init(_ path: String, format: DataFormat, hasHeader: Bool = true) throws {
    self.format = format
    self.hasHeader = hasHeader
    input = try TextInput(path: path)
    headerPlace = input.name
    table = .lines
    parser = DelimitedParser(.lines, file: input.name)
    switch format {
    case .lines: break
    case .jsonl: try findLayout()
    case .tsv: table = .tabSeparated
    case .csv: try findSeparator()
    }
    parser = DelimitedParser(
      table, file: input.name, remedyForOtherEncodings: input.remedyForOtherEncodings)
    peculiarities += input.conversions
    guard format == .csv || format == .tsv else { return }
    // The line that names the separator is no header.
    if isSeparatorNamed { _ = try nextText(beforeWaiting: {}) }
    guard hasHeader else {
      try numberColumns()
      return
    }
    guard let first = try nextText(beforeWaiting: {})?.get() else {
      throw InputError.badData(input.name, "is empty; expected a header line")
    }
    header = first.fields
    headerPlace = "\(input.name):\(first.line)"
  }

  /// Reads the first row that is well formed: it has a field for each column. Rows before it stay errors of their own.
  private mutating func numberColumns() throws {
    while let row = try nextText(beforeWaiting: {}) {
      firstRows.append(row)
      guard case .success(let text) = row else { continue }
      header = text.fields.indices.map { String($0 + 1) }
      return
    }
    _ = try firstRows.first?.get()
    throw InputError.badData(input.name, "is empty; expected rows")
  }

  /// Reads as much of a table as shows its separator.
  private mutating func findSeparator() throws {
    var finder = SeparatorFinder()
    var separator: UInt8?
    var read: [UInt8] = []
    while separator == nil, case let more = try input.next(), !more.isEmpty {
      read += more
      for byte in more {
        separator = finder.take(byte)
        if separator != nil { break }
      }
      // Behind a quote that is never closed there are no more records.
      if read.count > 1 << 20 { break }
    }
    let found = separator ?? finder.finish()
    bytes = read[...]
    table = .quoted(separator: found)
    isSeparatorNamed = finder.isNamed
    let names = [UInt8(ascii: ","): "commas", UInt8(ascii: ";"): "semicolons", UInt8(ascii: "\t"): "tabs"]
    if table != .commaSeparated {
      peculiarities.append(
        "fields separated by \(names[found] ?? "\"\(Character(Unicode.Scalar(found)))\"")"
          + (finder.isNamed ? ", as its first line says" : ""))
    }
  }

  /// Reads the first bytes of JSON: a list begins with `[`; an object over several lines begins with a line `{`.
  private mutating func findLayout() throws {
    var read: [UInt8] = []
    var layout: UInt8?
    var isOpen = true
    while isOpen, case let more = try input.next(), !more.isEmpty {
      read += more
      for byte in more where isOpen {
        if layout == nil, byte == 0x20 || (0x09...0x0D).contains(byte) { continue }
        if layout == UInt8(ascii: "{"), byte == 0x20 || byte == 0x09 { continue }
        isOpen = layout == nil && byte == UInt8(ascii: "{")
        if layout == nil {
          layout = byte
        } else if byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") {
          layout = nil
        }
      }
    }
    bytes = read[...]
    if layout == UInt8(ascii: "[") {
      json = JSONSplitter(isList: true, file: input.name)
      peculiarities.append("a JSON list")
    } else if layout == UInt8(ascii: "{") {
      json = JSONSplitter(isList: false, file: input.name)
      peculiarities.append("JSON objects over several lines")
    }
  }

  /// Finds a column; for JSON, each record decides whether it has the key.
  ///
  /// - Throws: `InputError.badData` when the header lacks it or has it twice; `remedy` ends the message.
  package func column(_ name: String, remedy: String) throws -> RecordColumn {
    guard let header else { return RecordColumn(name: name, index: nil) }
    var found = header.indices.filter { header[$0].utf8.elementsEqual(name.utf8) }
    if found.isEmpty { found = header.indices.filter { header[$0] == name } }
    if found.count > 1 {
      throw InputError.badData(headerPlace, "has the column \"\(name)\" twice; rename one of them")
    }
    guard let index = found.first else {
      guard hasHeader else {
        throw InputError.badData(
          headerPlace,
          "has no column \"\(name)\": data.header is false, so "
            + (header.count == 1 ? "its only column is \"1\"" : "its columns are \"1\" to \"\(header.count)\"")
            + " (\(remedy))")
      }
      let other = [",", ";", "\t", "|"].first { (other: String) in header.count == 1 && header[0].contains(other) }
      throw InputError.badData(
        headerPlace,
        "has no column \"\(name)\"" + suggestion(for: name, among: header) + " (\(remedy))"
          + (header.contains(where: Self.looksLikeData)
            ? "; if that is a row, set data.header to false: the columns are then \"1\", \"2\" and so on" : "")
          + (other.map {
            "; the header is one column with \"\($0 == "\t" ? "a tab" : $0)\" in it: is its extension right?"
          } ?? ""))
    }
    return RecordColumn(name: name, index: index)
  }

  /// Whether a header's cell looks like a value: a number, or a sentence.
  package static func looksLikeData(_ cell: String) -> Bool {
    let words = cell.split(whereSeparator: \.isWhitespace)
    guard let last = words.last?.last else { return false }
    return Double(cell) != nil || words.count > 10 || words.count > 3 && (last == "." || last == "!")
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
    let text = firstRows.isEmpty ? try nextText(beforeWaiting: beforeWaiting) : firstRows.removeFirst()
    return text.map { text in Result { try record(text.get()) } }
  }

  /// A record as text: the fields of a line, or a JSON value.
  private struct RecordText {
    let line: Int
    var column = 1
    let fields: [String]
  }

  private mutating func nextText(beforeWaiting: () throws -> Void) throws -> Result<RecordText, InputError>? {
    while !isAtEnd {
      while let byte = bytes.popFirst() {
        if let found = try take(byte), !isBlank(found) { return found }
      }
      do {
        bytes = try input.next(beforeWaiting: beforeWaiting)[...]
      } catch {
        isAtEnd = true
        throw error
      }
      if bytes.isEmpty {
        isAtEnd = true
        if let last = try finish(), !isBlank(last) { return last }
      }
    }
    return nil
  }

  private mutating func take(_ byte: UInt8) throws -> Result<RecordText, InputError>? {
    do {
      if json != nil { return try json?.take(byte)?.flatMap(text) }
      return try parser.take(byte)?.map(Self.text)
    } catch {
      isAtEnd = true
      bytes = []
      throw error
    }
  }

  private mutating func finish() throws -> Result<RecordText, InputError>? {
    if json != nil { return try json?.finish()?.flatMap(text) }
    return try parser.finish()?.map(Self.text)
  }

  private static func text(_ record: DelimitedRecord) -> RecordText {
    RecordText(line: record.line, fields: record.fields)
  }

  private func text(_ value: JSONText) -> Result<RecordText, InputError> {
    guard let text = String(validating: value.bytes, as: UTF8.self) else {
      return .failure(.badData("\(input.name):\(value.line)", "expected UTF-8 text; \(input.remedyForOtherEncodings)"))
    }
    return .success(RecordText(line: value.line, column: value.column, fields: [text]))
  }

  /// Whether a line of JSON lines is blank; blank lines of tables are no records.
  private func isBlank(_ found: Result<RecordText, InputError>) -> Bool {
    guard format == .jsonl, case .success(let record) = found else { return false }
    return record.fields[0].utf8.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
  }

  private func record(_ text: RecordText) throws -> DataRecord {
    let place = "\(input.name):\(text.line)"
    if let header {
      guard text.fields.count == header.count else {
        throw InputError.badData(
          place,
          "expected \(counted(header.count, "field")) as in the \(hasHeader ? "header" : "first row"), found "
            + "\(text.fields.count)")
      }
      if hasHeader, header.count > 1, text.fields == header {
        throw InputError.badData(place, "repeats the header; remove the line")
      }
      return DataRecord(place: place, content: .fields(text.fields))
    }
    guard format == .jsonl else { return DataRecord(place: place, content: .line(text.fields[0])) }
    let json = try JSON(
      parsing: Array(text.fields[0].utf8), file: input.name, firstLine: text.line, firstColumn: text.column)
    guard json.object != nil else {
      throw InputError.badData(
        place,
        "expected an object { … }\(isSplitAtLines ? " on each line" : ""), found \(json.shortDescription)"
          + remedyForLists(json))
    }
    return DataRecord(place: place, content: .object(json, line: oneLine(text.fields[0])), rowsInJQ: rowsInJQ)
  }

  /// What to do about a row, or a line, that is a list of values.
  private func remedyForLists(_ found: JSON) -> String {
    let program = shellWord(found.array == nil ? "@csv" : rowsInJQ + "@csv")
    if found.array != nil {
      return "; if the first list has the names of the columns, jq -r \(program) writes a table (.csv)"
    }
    return isSplitAtLines ? "" : "; if each line is a list of values, jq -r \(program) writes a table (.csv)"
  }

  private var isSplitAtLines: Bool { json == nil }

  private var rowsInJQ: String { json?.isList == true ? ".[] | " : "" }

  /// JSON without the line breaks between its parts.
  private func oneLine(_ text: String) -> String {
    if isSplitAtLines { return text }
    // Strings hold no line breaks of their own.
    return text.utf8.split { $0 == 0x0A || $0 == 0x0D }.compactMap { part in
      String(part.drop { $0 == 0x20 || $0 == 0x09 })
    }.joined(separator: " ")
  }
}

extension DataRecord {
  /// The text of a record.
  ///
  /// - Throws: `InputError.badData` when there is none, the key is repeated, or it is empty and may not be.
  package func text(in column: RecordColumn, allowsEmpty: Bool = false) throws -> String {
    let text: String
    switch content {
    case .line(let line): text = line
    case .fields(let fields): text = column.index.map { fields[$0] } ?? ""
    case .object(let json, _):
      if let found = try member(column, of: json), found.string == nil {
        try refuseTable(json)
        throw wrongValue(column, found, expected: "a string")
      }
      guard let found = json[column.name]?.string else {
        try refuseTable(json)
        throw lacks("text", column, json)
      }
      text = found
    }
    guard allowsEmpty || !isBlank(text) else { throw InputError.badData(place, "the text is empty") }
    return text
  }

  /// The label of a record, without the white space around it.
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
        throw wrongValue(column, found, expected: "a string, a whole number, or true or false")
      }
    }
    guard !isBlank(label) else {
      throw InputError.badData(place, "the label (column \"\(column.name)\") is empty")
    }
    return label.trimmed
  }

  /// Rejects an object that holds all rows, or a row inside another object.
  ///
  /// - Throws: `InputError.badData` naming the key with the rows, or for columns as lists or objects.
  package func refuseTable(_ json: JSON) throws {
    guard let members = json.object, json["input_ids"] == nil else { return }
    func jq(_ program: String) -> String { "jq -c \(shellWord(rowsInJQ + program)) writes" }
    func key(_ name: String) -> String { ".[\(JSON.string(name).compact)]" }
    if let rows = json["data"]?.array, json["columns"]?.array != nil, !rows.isEmpty,
      rows.allSatisfy({ $0.array != nil })
    {
      throw InputError.badData(
        place,
        "holds names (\"columns\") and values (\"data\") apart, expected rows: a list of objects or an object a line ("
          + jq(".columns as $names | .data[] | [$names, .] | transpose | map({(.[0] | tostring): .[1]}) | add")
          + " them)")
    }
    let sizes = members.map { $0.value.array?.count ?? $0.value.object?.count }
    if members.count > 1, let first = sizes[0], first > 0, sizes.allSatisfy({ $0 == first }) {
      throw InputError.badData(
        place,
        "holds columns (\(members.prefix(3).map { quoted($0.key) }.joined(separator: ", "))), expected rows: a list of "
          + "objects or an object a line (pandas: to_json(…, orient=\"records\", lines=True))")
    }
    let holders = members.filter { member in
      member.value.array.map { !$0.isEmpty && $0.allSatisfy { $0.object != nil } } == true
    }
    if let holder = holders.max(by: { $0.value.array?.count ?? 0 < $1.value.array?.count ?? 0 }) {
      throw InputError.badData(
        place,
        "holds its rows under \(quoted(holder.key)); expected the rows themselves, as a list of objects or an object a "
          + "line (\(jq(key(holder.key) + "[]")) them)")
    }
    let objects = members.filter { $0.value.object?.isEmpty == false }
    if objects.count == 1, !members.contains(where: { $0.value.string != nil }) {
      throw InputError.badData(
        place,
        "holds its row under \(quoted(objects[0].key)); expected the row itself (\(jq(key(objects[0].key))) it)")
    }
  }

  private func wrongValue(_ column: RecordColumn, _ found: JSON, expected: String) -> InputError {
    let remedy =
      switch found {
      case .null: "fill it in or remove the row"
      case .array, .object: "make one string of it"
      default: "write it in quotes"
      }
    return .badData(
      place, "\(quoted(column.name)) must be \(expected), found \(found.shortDescription); \(remedy)")
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
