import Diagnostics
import FileFormats
import Method
import Runs

/// A row of a data file, before it is encoded.
package struct DataRow: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    /// A text and the name of its class.
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

/// Rows that were left out, by `data.skip_bad_rows`.
package struct SkippedRows: Sendable {
  /// The errors that are kept to be shown.
  package static let mostShown = 5

  package private(set) var count = 0
  /// The errors of the first rows.
  package private(set) var errors: [InputError] = []

  package init() {}

  mutating func add(_ error: InputError) {
    count += 1
    if errors.count < Self.mostShown { errors.append(error) }
  }

  mutating func add(_ other: SkippedRows) {
    count += other.count
    errors += other.errors.prefix(Self.mostShown - errors.count)
  }

  /// What the user should know: how many, and the first of them.
  package var sentences: [String] {
    if count == 0 { return [] }
    let first = count > errors.count ? ", first these" : ""
    return [
      "\(counted(count, "row")) with mistakes \(count == 1 ? "is" : "are") skipped (data.skip_bad_rows)\(first)"
    ] + errors.map { "skipped: \($0)" }
  }
}

/// The labelled rows of a JSON, CSV or TSV file.
package struct DataFile {
  package let rows: [DataRow]
  package let skipped: SkippedRows

  /// Reads all rows of a file, by its ending: `.jsonl` (or `.json`), `.csv`, `.tsv`.
  ///
  /// `input` is the template's pattern, which names columns or takes the text column.
  ///
  /// A JSON row is an object with the text and label columns, or with `input_ids` and `input_type_mask`; all rows of a
  /// file are of one kind.
  ///
  /// - Parameters:
  ///   - file: its path.
  ///   - configuration: columns, labels, and whether rows with mistakes are left out.
  /// - Throws: `InputError` with file and line.
  package init(_ file: String, _ configuration: DataConfiguration) throws {
    var reader = try RecordReader(file, format: .ofRows(in: file), hasHeader: configuration.hasHeader)
    let remedy = "set data.text_column and data.label_column"
    let text = try InputColumns(
      of: reader, input: configuration.input, textColumn: configuration.textColumn, remedy: remedy)
    let label = try reader.column(configuration.labelColumn, remedy: remedy)
    let classes = configuration.classNames
    var rows: [DataRow] = []
    var skipped = SkippedRows()
    func row(_ record: DataRecord) throws -> DataRow {
      let row: DataRow
      if case .object(let json, _) = record.content, json["input_ids"] != nil {
        row = try Self.tokenRow(record.place, json)
      } else if rows.first?.isText == false {
        throw InputError.badData(
          record.place, "has no \"input_ids\", and the rows before it hold tokens; keep tokens and texts in two files")
      } else {
        let name = try record.label(in: label)
        let found = try text.texts(of: record)
        row = DataRow(
          place: record.place, content: .text(found.text, label: classes[ExactText(name)] ?? name),
          columns: found.columns)
      }
      if let first = rows.first, first.isText, !row.isText {
        throw InputError.badData(
          row.place,
          "holds tokens (\"input_ids\"), and the rows before it hold text; keep tokens and texts in two files")
      }
      return row
    }
    while let record = try reader.next() {
      do {
        rows.append(try row(record.get()))
      } catch let error as InputError where configuration.skipsBadRows {
        skipped.add(error)
      }
    }
    guard !rows.isEmpty else {
      throw InputError.badData(
        file,
        "holds no rows"
          + (skipped.errors.first.map { " that can be read; the first of \(skipped.count) that cannot: \($0)" } ?? ""))
    }
    self.rows = rows
    self.skipped = skipped
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
