import Diagnostics
import FileFormats

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
  }

  package let file: String
  package let rows: Int
  package let columns: [Column]
  package let textColumn: String
  package let labelColumn: String
  /// Other candidates for the columns, and the flags that choose them.
  package let notes: [String]
  /// The labels and how many rows have each, most frequent first.
  package let labels: [(label: String, rows: Int)]
  /// The texts, in the file's order.
  package let texts: [String]

  /// Examines a file.
  ///
  /// - Parameters:
  ///   - file: a CSV, TSV or JSONL file.
  ///   - textColumn: the column of the texts; nil: the one with the longest phrases that hardly repeat.
  ///   - labelColumn: the column of the labels; nil: one with few values, preferably with a typical name.
  /// - Throws: `InputError` with file and line, when no column fits, or when a row lacks text or label.
  package init(file: String, textColumn: String? = nil, labelColumn: String? = nil) throws {
    let table = try DataTable(file: file)
    if table.columns.contains("input_ids") {
      throw InputError.badData(file, "holds tokens (input_ids), expected rows of text; write the configuration by hand")
    }
    let columns = table.columns.enumerated().map { index, name in Column(name, table.rows.map { $0.values[index] }) }
    for (flag, name) in [("--text-column", textColumn), ("--label-column", labelColumn)] {
      if let name, !table.columns.contains(name) {
        throw InputError.usage(flag, "\(file) has no column \"\(name)\"" + suggestion(for: name, among: table.columns))
      }
    }
    var notes =
      table.peculiarities.isEmpty ? [] : ["\(file) is read as: \(table.peculiarities.joined(separator: ", "))"]
    let text = try textColumn ?? Self.text(of: columns, butNot: labelColumn, file: file, notes: &notes)
    let label = try labelColumn ?? Self.label(of: columns, rows: table.rows.count, butNot: text, file, notes: &notes)
    guard text != label else {
      throw InputError.usage("--label-column", "is the text column, \"\(text)\"; they must differ")
    }
    if textColumn == nil || labelColumn == nil, let textIndex = table.columns.firstIndex(of: text),
      let labelIndex = table.columns.firstIndex(of: label)
    {
      try table.refuseMissingHeader(text: textIndex, label: labelIndex)
    }
    let (texts, labels) = try Self.values(of: table, file: file, text: text, label: label)
    let counts = Dictionary(labels.map { (ExactText($0), 1) }, uniquingKeysWith: +)
    guard counts.count > 1 else {
      throw InputError.badData(
        file, "the label column \"\(label)\" has only one value; --label-column NAME chooses another column")
    }
    guard counts.count * 2 <= labels.count else {
      throw InputError.badData(
        file,
        "the label column \"\(label)\" has \(counts.count) values in \(labels.count) rows, too many for labels; "
          + "--label-column NAME chooses another column")
    }
    self.file = file
    self.rows = table.rows.count
    self.columns = columns
    self.textColumn = text
    self.labelColumn = label
    self.notes = notes
    self.texts = texts
    self.labels = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { (label: $0.key.text, rows: $0.value) }
  }

  /// Texts and labels of all rows, as training will read them.
  private static func values(
    of table: DataTable, file: String, text: String, label: String
  ) throws -> (texts: [String], labels: [String]) {
    guard let textIndex = table.columns.firstIndex(of: text), let labelIndex = table.columns.firstIndex(of: label)
    else { preconditionFailure("both are columns of the table") }
    for (index, name, flag) in [(textIndex, text, "--text-column"), (labelIndex, label, "--label-column")] {
      let empty = table.rows.filter { !($0.values[index] ?? "").contains { !$0.isWhitespace } }
      guard let first = empty.first else { continue }
      let others = empty.count == 1 ? "" : " (and \(empty.count - 1) more)"
      throw InputError.badData(
        first.place + others,
        "the column \"\(name)\" is empty; remove the row, fill it in, or choose another column with \(flag)")
    }
    return (table.rows.map { $0.values[textIndex] ?? "" }, table.rows.map { $0.values[labelIndex] ?? "" })
  }
}

// MARK: - Guessing

extension DataSurvey.Column {
  fileprivate init(_ name: String, _ values: [String?]) {
    let filledValues = values.compactMap { value in value.flatMap { $0.isEmpty ? nil : $0 } }
    let count = Double(max(1, filledValues.count))
    self.name = name
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
    of columns: [Column], butNot label: String?, file: String, notes: inout [String]
  ) throws -> String {
    let ranked = columns.filter { $0.name != label && !$0.isNumeric }.map { column in
      let varied = Double(column.distinct) / Double(max(1, column.filled))
      let score = column.meanLength * varied * (0.05 + column.shareOfPhrases) * (1 + Double(column.hint(textNames)) / 4)
      return (column: column, score: score)
    }.sorted { $0.score > $1.score }
    guard let best = ranked.first, best.column.distinct > 1 else {
      throw InputError.badData(file, "no column looks like texts; choose one with --text-column NAME")
    }
    let others = ranked.dropFirst().filter { other in
      other.score > best.score / 3
        || other.column.shareOfPhrases > 0.5 && 2 * other.column.distinct > other.column.filled
    }.map(\.column.name)
    if let other = others.first {
      notes.append(
        "the text might also be \"\(other)\": --text-column \"\(other)\"; only one column is read, so join columns "
          + "first to use " + (others.count == 1 ? "both" : "them (\(others.count + 1))")
          + ": python3 -c 'import pandas, sys; t = pandas.read_csv(sys.argv[1]); t[\"joined\"] = t[sys.argv[2:]]"
          + ".fillna(\"\").agg(\" \".join, axis=1); t.to_csv(\"joined.csv\", index=False)' FILE "
          + columns.map(\.name).filter { ([best.column.name] + others).contains($0) }.map(shellQuoted)
          .joined(separator: " "))
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
      let named = columns.filter { $0.name != text && $0.hint(labelNames) > 0 }
      if let single = named.first(where: { $0.distinct == 1 }) {
        throw InputError.badData(
          file,
          "the label column \"\(single.name)\" has only one value in \(rows) rows; --label-column NAME chooses another column"
        )
      }
      if let few = named.first, rows < 4 * few.distinct {
        throw InputError.badData(
          file,
          "has only \(rows) rows for \(few.distinct) values of the column \"\(few.name)\"; add rows, at least four of each label"
        )
      }
      throw InputError.badData(
        file, "no column other than \"\(text)\" has few enough values for labels; choose one with --label-column NAME")
    }
    if ranked.count > 1, best.rank.0 == 0 || ranked[1].rank.0 == best.rank.0 {
      let other = ranked[1].column
      notes.append(
        "the label might also be \"\(other.name)\" (\(other.distinct) values): --label-column \"\(other.name)\"")
    }
    return best.column.name
  }
}
