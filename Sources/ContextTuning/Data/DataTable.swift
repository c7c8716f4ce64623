import FileFormats

/// A data file with all of its columns, before anybody has said which of them count.
struct DataTable {
  let columns: [String]
  /// The line a row begins on, and its values by column; nil where it has none that could be a text or a label.
  let rows: [(line: Int, values: [String?])]

  /// Reads a CSV, TSV or JSONL file; the columns of JSONL are its rows' keys, in the order they first occur in.
  ///
  /// - Throws: `InputError` with file and line.
  init(file: String) throws {
    let bytes = try readBytes(of: file)
    if let format = try DataFile.delimitedFormat(of: file) {
      try self.init(records: format.records(in: bytes, file: file), file: file)
    } else {
      try self.init(jsonLines: bytes, file: file)
    }
    guard !rows.isEmpty else { throw InputError.badData(file, "holds no rows") }
  }

  private init(records: [DelimitedRecord], file: String) throws {
    let columns = records.first?.fields ?? []
    if let twice = columns.indices.first(where: { columns[..<$0].contains(columns[$0]) }) {
      throw InputError.badData("\(file):1", "has the column \"\(columns[twice])\" twice; rename one of them")
    }
    self.columns = columns
    rows = try records.dropFirst().map { record in
      guard record.fields.count == columns.count else {
        throw InputError.badData(
          "\(file):\(record.line)",
          "expected \(columns.count) fields as in the header, found \(record.fields.count)")
      }
      return (record.line, record.fields)
    }
  }

  private init(jsonLines bytes: [UInt8], file: String) throws {
    var columns: [String] = []
    var indices: [String: Int] = [:]
    var rows: [(line: Int, values: [String: String])] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { continue }
      let json = try JSON(parsing: Array(line), file: file, firstLine: index + 1)
      guard let members = json.object else {
        throw InputError.badData("\(file):\(index + 1)", "expected an object { … } on each line")
      }
      var values: [String: String] = [:]
      for member in members {
        if indices[member.key] == nil {
          indices[member.key] = columns.count
          columns.append(member.key)
        }
        switch member.value {
        case .string(let text): values[member.key] = text
        case .integer, .bool: values[member.key] = member.value.compact
        default: break
        }
      }
      rows.append((index + 1, values))
    }
    self.columns = columns
    self.rows = rows.map { row in (row.line, columns.map { row.values[$0] }) }
  }
}
