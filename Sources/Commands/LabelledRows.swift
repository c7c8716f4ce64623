import Diagnostics
import FileFormats
import Tuning

/// Rows with what was predicted for them, in the shape they came in: JSON lines stay JSON lines, tables get columns, and
/// plain lines become a table of tabs.
struct LabelledRows {
  private let format: DataFormat
  private let header: [String]?
  /// How the fields of a table that is written are separated; plain lines become one of tabs.
  private let table: DelimitedFormat
  private let labels: [String]
  /// The probability below which a row has no prediction.
  private let threshold: Double
  /// What lines end with, and what comes before the first: those of the input, unless it becomes JSON or plain lines a
  /// table.
  private let lineBreak: String, mark: String

  /// - Parameters:
  ///   - reader: the input; nil for texts of the command line, which are written as plain lines are.
  ///   - labels: the labels, in the order of the scores.
  ///   - threshold: the probability below which a row has no prediction.
  ///   - asJSON: whether rows of any format become JSON lines.
  /// - Throws: `InputError.badData` when the rows have such columns already, or a label cannot name a column.
  init(of reader: RecordReader?, labels: [String], threshold: Double, asJSON: Bool) throws {
    let input = reader?.format ?? .lines
    format = asJSON ? .jsonl : input
    header = reader?.header
    table = input == .csv ? reader?.table ?? .commaSeparated : .tabSeparated
    self.labels = labels
    self.threshold = threshold
    let keepsFormat = format == input && input != .lines
    lineBreak = keepsFormat ? reader?.lineBreak ?? "\n" : "\n"
    mark = keepsFormat && reader?.hasByteOrderMark == true ? "\u{FEFF}" : ""
    try reader?.refuseColumns(format == .jsonl ? LabelPrediction.fields.map(\.name) : columns)
    if let label = labels.first(where: { $0.contains { $0 == "\t" || $0.isNewline } }), [.tsv, .lines].contains(format)
    {
      throw InputError.badData("data.label_words", "\"\(label)\" does not fit between tabs; use --json")
    }
  }

  /// What is added to a table.
  private var columns: [String] {
    [LabelPrediction.predictionField.name, LabelPrediction.probabilityField.name]
      + labels.map { "log_probability_" + $0 }
  }

  /// A line that ends with "\n", with the input's line break.
  private func ended(_ line: String) -> String { line.dropLast() + lineBreak }

  /// What comes before the rows: a byte-order mark if the input has one, a table's header.
  var start: String {
    mark + (format == .jsonl ? "" : ended(table.line(header.map { $0 + columns } ?? columns + ["text"])))
  }

  /// Makes sure that a row can take what is to be added.
  ///
  /// - Throws: `InputError.badData` for a JSON object that has such a member already.
  func check(_ record: DataRecord) throws {
    guard case .object(let json, _) = record.content else { return }
    if let field = LabelPrediction.fields.first(where: { json[$0.name] != nil }) {
      throw InputError.badData(record.place, "has a \"\(field.name)\" already; rename it")
    }
  }

  /// A row as it is written, with its line break.
  func line(_ record: DataRecord, _ scores: CandidateScores) -> String {
    let prediction = LabelPrediction(scores, labels: labels, threshold: threshold)
    return ended(format == .jsonl ? jsonLine(record, prediction) : tableLine(record, prediction))
  }

  private func tableLine(_ record: DataRecord, _ prediction: LabelPrediction) -> String {
    let added =
      [prediction.prediction ?? "", fixed(prediction.probability, 6)]
      + prediction.logProbabilities.values.map { fixed($0, 6) }
    return switch record.content {
    case .fields(let fields): table.line(fields + added)
    case .line(let text), .object(_, let text):
      table.line(added + [String(text.map { $0 == "\t" || $0.isNewline ? " " : $0 })])
    }
  }

  private func jsonLine(_ record: DataRecord, _ prediction: LabelPrediction) -> String {
    func line(_ members: [JSON.Member]) -> String { JSON.object(members + prediction.members).compact + "\n" }
    switch record.content {
    case .object(_, let line):
      // The user's own spelling stays, up to the closing brace.
      guard let brace = line.lastIndex(of: "}"), let last = line[..<brace].lastIndex(where: { !$0.isWhitespace }) else {
        preconditionFailure("an object with a text has braces and a member")
      }
      return line[...last] + ", " + prediction.json.compact.dropFirst() + "\n"
    case .fields(let fields):
      guard let header else { preconditionFailure("a table has a header") }
      return line(zip(header, fields).map { .init($0, .string($1)) })
    case .line(let text): return line([.init("text", .string(text))])
    }
  }
}
