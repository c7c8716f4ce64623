import FileFormats

/// A row of a data file, before it is encoded.
public struct DataRow: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    case text(String, label: String)
    /// Tokens and types as PEFT's collator takes them.
    case tokens(TypedTokens)
  }

  /// "train.tsv:12", for messages.
  public let place: String
  public let content: Content
}

/// Reads the rows of JSONL, CSV and TSV files.
enum DataFile {
  /// All rows of a file, by its ending: `.jsonl` (or `.json`), `.csv`, `.tsv`.
  ///
  /// A JSONL row is an object with the text and label columns, or with `input_ids` and `input_type_mask`.
  /// - Throws: `InputError` with file and line.
  static func rows(of file: String, textColumn: String, labelColumn: String) throws -> [DataRow] {
    let bytes = try readBytes(of: file)
    let rows: [DataRow]
    if let format = try delimitedFormat(of: file) {
      rows = try delimited(
        format.records(in: bytes, file: file), file: file, textColumn: textColumn, labelColumn: labelColumn)
    } else {
      rows = try jsonLines(bytes, file: file, textColumn: textColumn, labelColumn: labelColumn)
    }
    guard !rows.isEmpty else { throw InputError.badData(file, "holds no rows") }
    return rows
  }

  /// How the fields of a file are separated, by its ending; nil for lines of JSON.
  ///
  /// - Throws: `InputError.badData` for another ending.
  static func delimitedFormat(of file: String) throws -> DelimitedFormat? {
    switch lastComponent(of: file).split(separator: ".").last?.lowercased() {
    case "csv": return .commaSeparated
    case "tsv": return .tabSeparated
    case "jsonl", "json", "ndjson": return nil
    default:
      throw InputError.badData(file, "unknown kind of file; expected a name that ends in .jsonl, .csv or .tsv")
    }
  }

  private static func delimited(
    _ records: [DelimitedRecord], file: String, textColumn: String, labelColumn: String
  ) throws -> [DataRow] {
    guard let header = records.first else { throw InputError.badData(file, "is empty; expected a header line") }
    func column(_ name: String) throws -> Int {
      if header.fields.count(where: { $0 == name }) > 1 {
        throw InputError.badData("\(file):\(header.line)", "has the column \"\(name)\" twice; rename one of them")
      }
      guard let index = header.fields.firstIndex(of: name) else {
        throw InputError.badData(
          "\(file):\(header.line)",
          "has no column \"\(name)\"" + suggestion(for: name, among: header.fields)
            + " (set data.text_column and data.label_column)")
      }
      return index
    }
    let text = try column(textColumn), label = try column(labelColumn)
    return try records.dropFirst().map { record in
      let place = "\(file):\(record.line)"
      guard record.fields.count == header.fields.count else {
        throw InputError.badData(
          place, "expected \(header.fields.count) fields as in the header, found \(record.fields.count)")
      }
      return try textRow(place, text: record.fields[text], label: record.fields[label], labelColumn: labelColumn)
    }
  }

  private static func textRow(_ place: String, text: String, label: String, labelColumn: String) throws -> DataRow {
    guard text.contains(where: { !$0.isWhitespace }) else { throw InputError.badData(place, "the text is empty") }
    guard !label.isEmpty else { throw InputError.badData(place, "the label (column \"\(labelColumn)\") is empty") }
    return DataRow(place: place, content: .text(text, label: label))
  }

  private static func jsonLines(
    _ bytes: [UInt8], file: String, textColumn: String, labelColumn: String
  ) throws -> [DataRow] {
    var rows: [DataRow] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { continue }
      let place = "\(file):\(index + 1)"
      let json = try JSON(parsing: Array(line), file: file, firstLine: index + 1)
      guard let members = json.object else { throw InputError.badData(place, "expected an object { … } on each line") }
      if json["input_ids"] != nil {
        rows.append(try tokenRow(place, json))
        continue
      }
      for column in [textColumn, labelColumn] where members.count(where: { $0.key == column }) > 1 {
        throw InputError.badData(place, "has the key \"\(column)\" twice")
      }
      if let found = json[textColumn], found.string == nil {
        throw InputError.badData(place, "\"\(textColumn)\" must be a text, found \(found.shortDescription)")
      }
      guard let text = json[textColumn]?.string else {
        throw InputError.badData(
          place, "has no text under \"\(textColumn)\"" + suggestion(for: textColumn, among: members.map(\.key)))
      }
      let label: String? =
        switch json[labelColumn] {
        case .string(let value): value
        case .integer, .bool: json[labelColumn]?.compact
        default: nil
        }
      if let found = json[labelColumn], label == nil {
        throw InputError.badData(
          place, "\"\(labelColumn)\" must be a text, a whole number or true or false, found \(found.shortDescription)")
      }
      guard let label else {
        throw InputError.badData(
          place, "has no label under \"\(labelColumn)\"" + suggestion(for: labelColumn, among: members.map(\.key)))
      }
      rows.append(try textRow(place, text: text, label: label, labelColumn: labelColumn))
    }
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
