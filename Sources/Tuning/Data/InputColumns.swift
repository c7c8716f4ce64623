import Diagnostics
import FileFormats
import Method

/// The columns of a file that an input's pattern takes.
package struct InputColumns: Sendable {
  private let input: TemplatePattern
  private let columns: [RecordColumn]

  /// Finds the columns; `remedy` names what chooses the text column. Without a reader, records are texts.
  ///
  /// - Throws: `InputError.badData` naming a column that the header lacks, with the nearest one.
  package init(of reader: RecordReader?, input: TemplatePattern, textColumn: String, remedy: String) throws {
    self.input = input
    guard let reader, reader.format != .lines else {
      if let name = input.fields.first(where: { !$0.isEmpty }) {
        throw InputError.badData(
          "template.input", "takes the column \"\(name)\", and lines of text have no columns; use a table or JSON lines"
        )
      }
      columns = [.ofLines]
      return
    }
    columns = try input.fields.map { name in
      try name.isEmpty
        ? reader.column(textColumn, remedy: remedy) : reader.column(name, remedy: "template.input names it")
    }
  }

  /// The text of a record, and that of each column if there are several; some of several may be empty.
  ///
  /// - Throws: `InputError.badData` naming the record and the column that it lacks.
  package func texts(of record: DataRecord) throws -> (text: String, columns: [String]) {
    if columns.count == 1 { return (try record.text(in: columns[0]), []) }
    let texts = try columns.map { try record.text(in: $0, allowsEmpty: true) }
    guard !texts.allSatisfy(isBlank) else {
      let names = columns.map { "\"\($0.name)\"" }.joined(separator: " and ")
      throw InputError.badData(record.place, "the texts (\(names)) are empty")
    }
    return (input.filled(texts), texts)
  }
}
