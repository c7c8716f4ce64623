import Diagnostics
import FileFormats
import Method
import Runs
import Tuning

/// The contents of a data file, and its text and label columns.
package struct DataSurvey: Sendable {
  /// The statistics of a column.
  package struct Column: Sendable {
    package let name: String
    /// Rows with a non-empty value.
    package let filled: Int
    /// Number of distinct values.
    package let distinct: Int
    /// Average characters per value.
    package let meanLength: Double
    /// Share of the values that look like language: several words, or letters beyond ASCII.
    fileprivate let shareOfPhrases: Double
    fileprivate let isNumeric: Bool
    /// Whether none of its values can be a text or a label: numbers with a point, lists, objects.
    fileprivate let isRefused: Bool
  }

  package let file: String
  /// How training reads the file: its columns, whether it has a header, and what becomes of rows with mistakes.
  let reading: DataConfiguration
  package let rows: Int
  package let columns: [Column]
  package var textColumn: String { reading.textColumn }
  package var labelColumn: String { reading.labelColumn }
  /// Other candidates for the columns, and the flags that choose them.
  package let notes: [String]
  /// The labels and how many rows have each, most frequent first.
  package let labels: [(label: String, rows: Int)]
  /// The texts, in the file's order.
  package let texts: [String]

  /// Examines a file.
  ///
  /// The first line of a table is a row if columns are given by numbers that it does not have, or if it looks like a row
  /// and not both columns are given.
  ///
  /// - Parameters:
  ///   - file: a CSV, TSV or JSONL file.
  ///   - textColumn: the column of the texts; nil: the one with the longest phrases that hardly repeat.
  ///   - labelColumn: the column of the labels; nil: one with few values, preferably with a typical name.
  ///   - skipsBadRows: whether rows with mistakes are left out.
  /// - Throws: `InputError` with file and line, when no column fits, or when a row lacks text or label.
  package init(
    file: String, textColumn: String? = nil, labelColumn: String? = nil, skipsBadRows: Bool = false
  ) throws {
    var table = try DataTable(file: file, skipsBadRows: skipsBadRows)
    func withoutHeader() throws -> DataTable {
      try DataTable(file: file, hasHeader: false, skipsBadRows: skipsBadRows)
    }
    if table.areNumbers([textColumn, labelColumn].compactMap { $0 }) { table = try withoutHeader() }
    var choice = try Choice(table, file: file, text: textColumn, label: labelColumn)
    if textColumn == nil || labelColumn == nil,
      let reason = table.missingHeader(text: choice.text, label: choice.label)
    {
      let numbers = [textColumn, labelColumn].map { $0.flatMap(table.number(of:)) }
      table = try withoutHeader()
      choice = try Choice(table, file: file, text: numbers[0], label: numbers[1])
      choice.notes.append(reason)
    }
    let text = choice.text, label = choice.label
    if !skipsBadRows { try Self.refuseEmpty(table, text: text, label: label) }
    var reading = DataConfiguration()
    reading.hasHeader = table.hasHeader
    reading.skipsBadRows = skipsBadRows
    reading.textColumn = text
    reading.labelColumn = label
    let rows = try DataFile(file, reading).rows
    var texts: [String] = [], labels: [String] = []
    for case .text(let text, let label) in rows.map(\.content) {
      texts.append(text)
      labels.append(label)
    }
    let counts = Dictionary(labels.map { (ExactText($0), 1) }, uniquingKeysWith: +)
    guard counts.count > 1 else {
      throw InputError.badData(
        file, "the label column \(quoted(label)) has only one value; --label-column NAME chooses another column")
    }
    guard counts.count * 2 <= labels.count else {
      throw InputError.badData(
        file,
        "the label column \(quoted(label)) has \(counts.count) values in \(counted(labels.count, "row")), too many for labels; "
          + "--label-column NAME chooses another column")
    }
    self.file = file
    self.reading = reading
    self.rows = rows.count
    columns = table.columns.map(Column.init)
    notes = choice.notes
    self.texts = texts
    self.labels = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { (label: $0.key.text, rows: $0.value) }
  }

  /// The text and label columns, given or guessed.
  private struct Choice {
    let text: String
    let label: String
    var notes: [String]

    init(_ table: DataTable, file: String, text textColumn: String?, label labelColumn: String?) throws {
      if table.column("input_ids") != nil {
        throw InputError.badData(
          file, "holds tokens (input_ids), expected rows of text; write the configuration by hand")
      }
      let columns = table.columns.map(Column.init)
      for (flag, name) in [("--text-column", textColumn), ("--label-column", labelColumn)] {
        if let name, table.column(name) == nil {
          throw InputError.usage(
            flag, "\(file) has no column \(quoted(name))" + suggestion(for: name, among: columns.map(\.name)))
        }
      }
      notes = table.peculiarities.isEmpty ? [] : ["\(file) is read as: \(table.peculiarities.joined(separator: ", "))"]
      text = try textColumn ?? DataSurvey.text(of: columns, butNot: labelColumn, table, file: file, notes: &notes)
      label =
        try labelColumn
        ?? DataSurvey.label(of: columns, rows: table.places.count, butNot: text, file, notes: &notes)
      guard text != label else {
        throw InputError.usage("--label-column", "is the text column, \(quoted(text)); they must differ")
      }
    }
  }

  /// Rejects rows without a text or a label.
  ///
  /// - Throws: `InputError.badData` with the first such row.
  private static func refuseEmpty(_ table: DataTable, text: String, label: String) throws {
    for (name, flag) in [(text, "--text-column"), (label, "--label-column")] {
      let empty = table.column(name).map(table.emptyPlaces) ?? []
      guard let first = empty.first else { continue }
      let others = empty.count == 1 ? "" : " (and \(empty.count - 1) more)"
      throw InputError.badData(
        first + others,
        "the column \(quoted(name)) is empty; remove the row, fill it in, or choose another column with \(flag)")
    }
  }
}

// MARK: - Guessing

extension DataSurvey.Column {
  fileprivate init(_ column: DataTable.Column) {
    let filledValues = column.values.compactMap { value in value.flatMap { $0.isEmpty ? nil : $0 } }
    let count = Double(max(1, filledValues.count))
    name = column.name
    isRefused = filledValues.isEmpty && column.values.contains(nil)
    filled = filledValues.count
    distinct = Set(filledValues).count
    meanLength = Double(filledValues.reduce(0) { $0 + $1.count }) / count
    shareOfPhrases =
      Double(filledValues.count { $0.contains(" ") || $0.utf8.contains { $0 > 0x7F } }) / count
    isNumeric = filledValues.allSatisfy { Double($0) != nil }
  }

  /// How well a name matches: 2 if it is one of the words, 1 if it contains one of them.
  fileprivate func hint(_ words: Set<String>) -> Int {
    let name = name.lowercased()
    if words.contains(name) { return 2 }
    return name.split { !$0.isLetter }.contains { words.contains(String($0)) } ? 1 : 0
  }
}

extension DataSurvey {
  private static let labelNames: Set = [
    "label", "labels", "category", "categories", "class", "intent", "topic", "sentiment", "target", "tag", "team",
    "department", "queue", "type", "group", "rating",
  ]
  private static let textNames: Set = [
    "text", "texts", "sentence", "message", "review", "body", "content", "comment", "question", "utterance", "query",
    "description", "document", "tweet", "post", "input",
  ]

  private static func text(
    of columns: [Column], butNot label: String?, _ table: DataTable, file: String, notes: inout [String]
  ) throws -> String {
    let ranked = columns.filter { $0.name != label && !$0.isNumeric }.map { column in
      let varied = Double(column.distinct) / Double(max(1, column.filled))
      let score = column.meanLength * varied * (0.05 + column.shareOfPhrases) * (1 + Double(column.hint(textNames)) / 4)
      return (column: column, score: score)
    }.sorted { $0.score > $1.score }
    guard let best = ranked.first, best.column.distinct > 1 else {
      // Reading it says what is wrong with it.
      if let refused = columns.first(where: { $0.isRefused && $0.hint(textNames) > 0 }) { return refused.name }
      throw InputError.badData(file, "no column looks like texts; choose one with --text-column NAME")
    }
    let others = ranked.dropFirst().filter { other in
      other.score > best.score / 3
        || other.column.shareOfPhrases > 0.5 && 2 * other.column.distinct > other.column.filled
    }.map(\.column.name)
    if let other = others.first {
      var sentence = "the text might also be \(quoted(other)): --text-column \(shellWord(other))"
      let names = columns.map(\.name).filter(Set([best.column.name] + others).contains)
      let pattern = names.map { "\(DraftTemplates.name(of: $0, otherwise: "Text")): {\($0)}" }.joined(separator: "\n")
      // Names that are too long for a line, too many or with braces cannot be shown so.
      if pattern.utf8.count < 200, TemplatePattern(pattern)?.fields == names {
        sentence +=
          "; to use \(others.count == 1 ? "both" : "all \(names.count)"), edit template.input, or --set "
          + shellWord("template.input=" + JSON.string(pattern).compact)
      }
      notes.append(sentence)
    }
    return best.column.name
  }

  private static func label(
    of columns: [Column], rows: Int, butNot text: String, _ file: String, notes: inout [String]
  ) throws -> String {
    let ranked = columns.filter { column in
      column.name != text && column.distinct > 1 && column.distinct <= min(200, max(2, rows / 4))
    }.map { column in
      (column: column, rank: (-column.hint(labelNames), column.isNumeric ? 1 : 0, column.distinct))
    }.sorted { $0.rank < $1.rank }
    guard let best = ranked.first else {
      if columns.count == 1 {
        throw InputError.badData(
          file, "has no column but \(quoted(text)); add one with the label of each row")
      }
      if let refused = columns.first(where: { $0.isRefused && $0.name != text && $0.hint(labelNames) > 0 }) {
        return refused.name
      }
      let named = columns.filter { $0.name != text && $0.hint(labelNames) > 0 }
      if let single = named.first(where: { $0.distinct == 1 }) {
        throw InputError.badData(
          file,
          "the label column \(quoted(single.name)) has only one value in \(counted(rows, "row")); --label-column NAME "
            + "chooses another column"
        )
      }
      if let few = named.first, rows < 4 * few.distinct {
        throw InputError.badData(
          file,
          "has only \(counted(rows, "row")) for \(counted(few.distinct, "value")) of the column \(quoted(few.name)); add rows, at "
            + "least four of each label"
        )
      }
      throw InputError.badData(
        file,
        "no column other than \(quoted(text)) has few enough values for labels; choose one with --label-column NAME")
    }
    if ranked.count > 1, best.rank.0 == 0 || ranked[1].rank.0 == best.rank.0 {
      let other = ranked[1].column
      notes.append(
        "the label might also be \(quoted(other.name)) (\(other.distinct) values): --label-column \(shellWord(other.name))"
      )
    }
    return best.column.name
  }
}
