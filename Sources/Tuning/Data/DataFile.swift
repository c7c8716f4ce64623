import Diagnostics
import FileFormats
import Method

/// A row of a data file, before it is encoded.
package struct DataRow: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    case text(String, label: String)
    /// Tokens and types, in the form PEFT's collator takes.
    case tokens(TypedTokens)
  }

  /// "train.tsv:12", for messages.
  package let place: String
  package let content: Content
  /// The text of each column that the input takes, if it takes several: `content` then has them as one text.
  package var columns: [String] = []

  var isText: Bool { if case .text = content { true } else { false } }
}

/// Reads the labelled rows of JSON, CSV and TSV files.
package enum DataFile {
  /// All rows of a file, by its ending: `.jsonl` (or `.json`), `.csv`, `.tsv`.
  ///
  /// `input` is the template's pattern, which names columns or takes the text column.
  ///
  /// A JSON row is an object with the text and label columns, or with `input_ids` and `input_type_mask`; all rows of a
  /// file are of one kind.
  /// - Throws: `InputError` with file and line.
  package static func rows(
    of file: String, input: TemplatePattern = Template().inputPattern, textColumn: String, labelColumn: String
  ) throws -> [DataRow] {
    var reader = try RecordReader(file, format: .ofRows(in: file))
    let remedy = "set data.text_column and data.label_column"
    let text = try InputColumns(of: reader, input: input, textColumn: textColumn, remedy: remedy)
    let label = try reader.column(labelColumn, remedy: remedy)
    var rows: [DataRow] = []
    while let record = try reader.next()?.get() {
      let row: DataRow
      if case .object(let json, _) = record.content, json["input_ids"] != nil {
        row = try tokenRow(record.place, json)
      } else if rows.first?.isText == false {
        throw InputError.badData(
          record.place, "has no \"input_ids\", and the rows before it hold tokens; keep tokens and texts in two files")
      } else {
        let found = try text.texts(of: record)
        row = DataRow(
          place: record.place, content: .text(found.text, label: try record.label(in: label)), columns: found.columns)
      }
      if let first = rows.first, first.isText, !row.isText {
        throw InputError.badData(
          row.place,
          "holds tokens (\"input_ids\"), and the rows before it hold text; keep tokens and texts in two files")
      }
      rows.append(row)
    }
    guard !rows.isEmpty else { throw InputError.badData(file, "holds no rows") }
    return rows
  }

  private static func tokenRow(_ place: String, _ json: JSON) throws -> DataRow {
    func integers(_ key: String) throws -> [Int] {
      guard let values = json[key]?.array, case let integers = values.compactMap(\.integer),
        integers.count == values.count,
        integers.allSatisfy({ (0...Int(Int32.max)).contains($0) })
      else {
        throw InputError.badData(
          place,
          "\"\(key)\" must be a list of whole numbers of at least 0, found \(json[key]?.shortDescription ?? "nothing")")
      }
      return integers
    }
    let ids = try integers("input_ids"), types = try integers("input_type_mask")
    guard ids.count == types.count else {
      throw InputError.badData(
        place, "\"input_ids\" has \(ids.count) entries, \"input_type_mask\" \(types.count); they must be equal")
    }
    return DataRow(place: place, content: .tokens(TypedTokens(ids: ids, types: types)))
  }
}
