import Diagnostics
import FileFormats

/// A data file with all of its columns, before the text and label columns are chosen.
struct DataTable {
  let columns: [String]
  /// The place of each row, and its values by column; nil for values that can be neither text nor label.
  let rows: [(place: String, values: [String?])]
  /// How the file differs from plain UTF-8 with the format's usual separator or layout, in words.
  let peculiarities: [String]
  /// The reader of the file, if it has a header.
  private let reader: RecordReader

  /// Reads a CSV, TSV or JSONL file; the columns of JSONL are its rows' keys, in order of first occurrence.
  ///
  /// - Throws: `InputError` with file and line.
  init(file: String) throws {
    var reader = try RecordReader(file, format: .ofRows(in: file))
    for name in reader.header ?? [] { _ = try reader.column(name, remedy: "") }
    var columns = reader.header ?? []
    var indices: [ExactText: Int] = [:]
    var first: DataRecord?
    var rows: [(place: String, values: [String?])] = []
    while let record = try reader.next()?.get() {
      switch record.content {
      case .fields(let fields): rows.append((record.place, fields))
      case .line(let text): rows.append((record.place, [text]))
      case .object(let json, _):
        var values = [String?](repeating: nil, count: columns.count)
        if first == nil {
          first = record
          if json.object?.contains(where: { $0.value.string != nil }) == false { try record.refuseTable(json) }
        }
        for member in json.object ?? [] {
          let key = ExactText(member.key)
          if indices[key] == nil {
            indices[key] = columns.count
            columns.append(member.key)
            values.append(nil)
          }
          guard let index = indices[key] else { continue }
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
    if rows.count == 1, let first, case .object(let json, _) = first.content { try first.refuseTable(json) }
    self.columns = columns
    self.reader = reader
    peculiarities = reader.peculiarities
    let count = columns.count
    self.rows = rows.map { row in (row.place, row.values + [String?](repeating: nil, count: count - row.values.count)) }
  }

  /// Rejects a header that is a row itself: a number, a sentence, or a label that occurs among the labels.
  ///
  /// - Throws: `InputError.badData` with the command that adds a header.
  func refuseMissingHeader(text: Int, label: Int) throws {
    guard let header = reader.header else { return }
    let isLabel = rows.contains { $0.values[label].map(ExactText.init) == ExactText(header[label]) }
    guard isLabel || RecordReader.looksLikeData(header[text]) || Double(header[label]) != nil else { return }
    throw InputError.badData(
      reader.headerPlace,
      "looks like a row (\"\(header[label])\"\(isLabel ? " is also a value of its column" : "")), expected a header; "
        + reader.remedyForMissingHeader(label: label, text: text))
  }
}
