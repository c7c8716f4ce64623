import Diagnostics
import FileFormats

/// A data file with all of its columns, before the text and label columns are chosen.
struct DataTable {
  /// A column, with the rows that have it: JSON rows may have keys of their own.
  struct Column {
    let name: String
    /// Indices of the rows with a value, ascending.
    fileprivate(set) var rows: [Int] = []
    /// Their values; nil for one that can be neither text nor label.
    fileprivate(set) var values: [String?] = []

    fileprivate init(_ name: String) { self.name = name }

    fileprivate mutating func add(_ value: String?, row: Int) {
      rows.append(row)
      values.append(value)
    }
  }

  private(set) var columns: [Column]
  /// The place of each row.
  private(set) var places: [String] = []
  /// How the file differs from plain UTF-8 with the format's usual separator or layout, in words.
  let peculiarities: [String]
  /// Whether the first line names the columns; true for JSON, whose keys do.
  let hasHeader: Bool
  private let isTable: Bool

  /// Reads a CSV, TSV or JSONL file; the columns of JSONL are its rows' keys, in order of first occurrence.
  ///
  /// - Parameters:
  ///   - file: its path.
  ///   - hasHeader: for tables: whether the first line names the columns; it is a row all the same if it has a name twice
  ///     and looks like one.
  ///   - skipsBadRows: whether rows that cannot be read are left out.
  /// - Throws: `InputError` with file and line.
  init(file: String, hasHeader: Bool = true, skipsBadRows: Bool = false) throws {
    let format = try DataFormat.ofRows(in: file)
    var reader = try RecordReader(file, format: format, hasHeader: hasHeader)
    if let header = reader.header, reader.hasHeader, Set(header).count < header.count,
      header.contains(where: RecordReader.looksLikeData)
    {
      reader = try RecordReader(file, format: format, hasHeader: false)
    }
    for name in reader.header ?? [] { _ = try reader.column(name, remedy: "") }
    columns = (reader.header ?? []).map { Column($0) }
    var indices: [ExactText: Int] = [:]
    var first: DataRecord?
    while let next = try reader.next() {
      let record: DataRecord
      do {
        record = try next.get()
      } catch is InputError where skipsBadRows {
        continue
      }
      let row = places.count
      places.append(record.place)
      switch record.content {
      case .fields(let fields): for (index, field) in fields.enumerated() { columns[index].add(field, row: row) }
      case .line: preconditionFailure("files of rows are tables or JSON")
      case .object(let json, _):
        if first == nil {
          first = record
          if json.object?.contains(where: { $0.value.string != nil }) == false { try record.refuseTable(json) }
        }
        for member in json.object ?? [] where !member.value.isNull {
          let index = indices[ExactText(member.key), default: columns.count]
          if index == columns.count {
            indices[ExactText(member.key)] = index
            columns.append(Column(member.key))
          }
          // A row with a key twice is refused when its columns are read.
          if columns[index].rows.last == row { continue }
          switch member.value {
          case .string(let text): columns[index].add(text, row: row)
          case .integer, .bool: columns[index].add(member.value.compact, row: row)
          default: columns[index].add(nil, row: row)
          }
        }
      }
    }
    guard !places.isEmpty else { throw InputError.badData(file, "holds no rows") }
    if places.count == 1, let first, case .object(let json, _) = first.content { try first.refuseTable(json) }
    self.hasHeader = reader.hasHeader
    isTable = reader.header != nil
    peculiarities = reader.peculiarities
  }

  /// The column of a name.
  func column(_ name: String) -> Column? {
    columns.first { ExactText($0.name) == ExactText(name) } ?? columns.first { $0.name == name }
  }

  /// The places of the rows that have nothing in a column.
  func emptyPlaces(_ column: Column) -> [String] {
    var empty = Array(repeating: true, count: places.count)
    for (row, value) in zip(column.rows, column.values) { empty[row] = value.map(isBlank) ?? false }
    return places.indices.filter { empty[$0] }.map { places[$0] }
  }

  /// Whether names of columns are numbers that the header lacks, and that columns without a header have.
  func areNumbers(_ names: [String]) -> Bool {
    isTable && hasHeader && !names.isEmpty
      && names.allSatisfy { name in column(name) == nil && columns.indices.contains { String($0 + 1) == name } }
  }

  /// The name that a column has without the header.
  func number(of name: String) -> String? {
    columns.firstIndex { ExactText($0.name) == ExactText(name) }.map { String($0 + 1) }
  }

  /// Why the header looks like a row: a number, a sentence, or a label that occurs among the labels; nil if it does not.
  func missingHeader(text: String, label: String) -> String? {
    guard isTable, hasHeader, let labels = column(label)?.values else { return nil }
    let isLabel = labels.contains { $0.map { ExactText($0.trimmed) } == ExactText(label.trimmed) }
    guard isLabel || RecordReader.looksLikeData(text) || Double(label) != nil else { return nil }
    return
      "the first line looks like a row (\(quoted(label))\(isLabel ? " is also a value of its column" : "")), so the "
      + "columns have numbers (data.header); if it names them, give --text-column and --label-column"
  }
}
