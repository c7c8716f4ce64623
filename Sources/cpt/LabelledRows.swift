import Diagnostics
import FileFormats
import Tuning

/// Rows with what was predicted for them, in the shape they came in: JSON lines stay JSON lines, tables get columns, and
/// plain lines become a table of tabs.
struct LabelledRows {
  private let format: DataFormat
  private let header: [String]?
  private let labels: [String]

  /// What is added to a JSON object.
  private static let keys = ["prediction", "probability", "log_probabilities"]

  /// - Throws: `InputError.badData` when the rows have such columns already, or a label cannot name a column.
  init(of reader: RecordReader, labels: [String], asJSON: Bool) throws {
    format = asJSON ? .jsonl : reader.format
    header = reader.header
    self.labels = labels
    try reader.refuseColumns(format == .jsonl ? Self.keys : columns)
    if let label = labels.first(where: { $0.contains { $0 == "\t" || $0.isNewline } }), [.tsv, .lines].contains(format)
    {
      throw InputError.badData("data.label_words", "\"\(label)\" does not fit between tabs; use --json")
    }
  }

  /// What is added to a table.
  private var columns: [String] { ["prediction", "probability"] + labels.map { "log_probability_" + $0 } }

  /// The table that is written; plain lines become one of tabs.
  private var table: DelimitedFormat { format == .csv ? .commaSeparated : .tabSeparated }

  /// What comes before the rows: a table's header.
  var start: String {
    format == .jsonl ? "" : table.line(header.map { $0 + columns } ?? columns + ["text"])
  }

  /// Makes sure that a row can take what is to be added.
  ///
  /// - Throws: `InputError.badData` for a JSON object that has such a member already.
  func check(_ record: DataRecord) throws {
    guard case .object(let json, _) = record.content else { return }
    if let key = Self.keys.first(where: { json[$0] != nil }) {
      throw InputError.badData(record.place, "has a \"\(key)\" already; rename it")
    }
  }

  /// A row as it is written, with its line break.
  func line(_ record: DataRecord, _ scores: CandidateScores) -> String {
    format == .jsonl ? jsonLine(record, scores) : tableLine(record, scores)
  }

  private func tableLine(_ record: DataRecord, _ scores: CandidateScores) -> String {
    let added =
      [labels[scores.predicted], fixed(scores.probabilities[scores.predicted], 6)]
      + scores.logProbabilities.map { fixed($0, 6) }
    return switch record.content {
    case .fields(let fields): table.line(fields + added)
    case .line(let text), .object(_, let text): table.line(added + [String(text.map { $0 == "\t" ? " " : $0 })])
    }
  }

  private func jsonLine(_ record: DataRecord, _ scores: CandidateScores) -> String {
    let added: [JSON.Member] = [
      .init("prediction", .string(labels[scores.predicted])),
      .init("probability", .number(scores.probabilities[scores.predicted])),
      .init("log_probabilities", .object(zip(labels, scores.logProbabilities).map { .init($0, .number($1)) })),
    ]
    switch record.content {
    case .object(_, let line):
      // The user's own spelling stays, up to the closing brace.
      let members = line[..<(line.lastIndex(of: "}") ?? line.endIndex)]
      let end = members.lastIndex { !$0.isWhitespace }.map(members.index(after:)) ?? members.endIndex
      return members[..<end] + ", " + JSON.object(added).compact.dropFirst() + "\n"
    case .fields(let fields):
      return JSON.object(zip(header ?? [], fields).map { .init($0, .string($1)) } + added).compact + "\n"
    case .line(let text):
      return JSON.object([.init("text", .string(text))] + added).compact + "\n"
    }
  }
}
