import Diagnostics
import FileFormats

/// A data file with all of its columns, before the text and label columns are chosen.
struct DataTable {
  let columns: [String]
  /// The place of each row, and its values by column; nil for values that can be neither text nor label.
  let rows: [(place: String, values: [String?])]

  /// Reads a CSV, TSV or JSONL file; the columns of JSONL are its rows' keys, in order of first occurrence.
  ///
  /// - Throws: `InputError` with file and line.
  init(file: String) throws {
    guard let format = DataFormat(endingOf: file), format != .lines else {
      throw InputError.badData(file, "unknown file type; expected a name that ends in .jsonl, .csv or .tsv")
    }
    var reader = try RecordReader(file, format: format)
    for name in reader.header ?? [] { _ = try reader.column(name, remedy: "") }
    var columns = reader.header ?? []
    var indices: [String: Int] = [:]
    var rows: [(place: String, values: [String?])] = []
    while let record = try reader.next()?.get() {
      switch record.content {
      case .fields(let fields): rows.append((record.place, fields))
      case .line(let text): rows.append((record.place, [text]))
      case .object(let json, _):
        var values = [String?](repeating: nil, count: columns.count)
        for member in json.object ?? [] {
          if indices[member.key] == nil {
            indices[member.key] = columns.count
            columns.append(member.key)
            values.append(nil)
          }
          guard let index = indices[member.key] else { continue }
          switch member.value {
          case .string(let text): values[index] = text
          case .integer, .bool: values[index] = member.value.compact
          default: break
          }
        }
        rows.append((record.place, values))
      }
    }
    guard !rows.isEmpty else { throw InputError.badData(file, "holds no rows") }
    self.columns = columns
    let count = columns.count
    self.rows = rows.map { row in (row.place, row.values + [String?](repeating: nil, count: count - row.values.count)) }
  }
}
