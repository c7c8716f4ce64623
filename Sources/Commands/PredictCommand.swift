import Collectives
import Diagnostics
import FileFormats
import Glibc
import Kernels
import Method
import System
import Tuning

extension Command {
  /// `cpt predict`.
  static let predict = Command(
    name: "predict",
    group: .use,
    summary: "Predict the labels of new texts, from a file or standard input.",
    example: "cpt predict --checkpoint runs/quickstart/best --data new.csv",
    flags: [
      .checkpoint,
      Flag(name: "--data", value: .file, help: "rows to label; - is standard input"),
      Flag(name: "--text", value: .text("TEXT"), help: "a text to label, instead of --data", isRepeatable: true),
      Flag(
        name: "--format", value: .choice("FORMAT", DataFormat.self),
        help: "jsonl, csv, tsv or lines (default: by extension)"),
      Flag(name: "--text-column", value: .text("NAME"), help: "column or key of the text (default: the run's)"),
      Flag(
        name: "--from-row", value: .number("N"), help: "begin with the Nth row of --data, to go on after a stop"),
      Flag(
        name: "--threshold", value: .number("P"),
        help: "leave the prediction empty (JSON: null) below this probability"),
      Flag(name: "--output", value: .file, help: "file for the labelled rows (default: standard output)"),
      Flag(name: "--overwrite", help: "replace the file of --output"),
      Flag(name: "--skip-bad", help: "report rows that cannot be labelled, and continue"),
      .scoring,
      Flag(name: "--config", value: .file, help: "template and labels, if the checkpoint has no configuration"),
      .model,
      .set,
      .tensorParallel,
      .threads,
      .progress,
      Flag(name: "--json", help: "write JSON lines, whatever the input format"),
      .help,
    ],
    runsOnRanks: true,
    run: runPredict)
}

private func runPredict(_ arguments: Arguments) throws -> Int32 {
  let path = arguments["--data"], texts = arguments.all("--text")
  try arguments.refuse("--text", with: "--data")
  if path == nil, texts.isEmpty {
    throw InputError.usage("--data", "is missing; expected --data FILE or --text TEXT; see cpt predict --help")
  }
  if path == nil, let flag = ["--format", "--text-column", "--from-row"].first(where: arguments.has) {
    throw InputError.usage(flag, "is of rows in a file; use it with --data")
  }
  if path == standardStream, arguments["--config"] == standardStream {
    throw InputError.usage("--config", "and --data both are standard input; give one of them a file")
  }
  let format = try path.map { try dataFormat(arguments, of: $0) }
  let threshold = try arguments.share("--threshold") ?? 0
  let firstRow = try arguments.integer("--from-row", from: 1) ?? 1
  let scoring = arguments.choice("--scoring", default: Scoring.acc)
  if scoring == .batchCalibrated {
    throw InputError.usage(
      "--scoring",
      "batch_calibrated compares a row with all others, and rows are labelled as they come; use cpt eval, or calibrated"
    )
  }
  let destination =
    arguments["--output"] == "-" ? nil : try arguments.destination("--output", isFolder: false, replacing: "--data")
  // Rows that an earlier command kept when it was stopped are not lost to this one.
  if let destination { _ = try arguments.free(PredictionOutput.part(of: destination), "--output") }
  let team = try arguments.team()
  let adapter = try arguments.adapter()
  let configuration = try arguments.configuration(
    of: adapter, for: "template and labels must come from a configuration")
  let ranks = try arguments.ranks()
  if !ranks.isFirst {
    try Classifier(configuration, adapter: adapter, team: team, ranks: ranks).follow(scoring, ranks)
    return 0
  }
  endAtSignals()
  var input = try PredictionInput(path, format, texts, hasHeader: configuration.data.hasHeader)
  let pattern = configuration.template.inputPattern
  if arguments.has("--text-column"), !pattern.fields.contains("") {
    throw InputError.usage(
      "--text-column",
      "chooses the column of {} in template.input, which takes \(pattern.fields.map { "{\($0)}" }.joined(separator: ", ")) instead"
    )
  }
  let columns = try input.columns(pattern, textColumn: arguments["--text-column"] ?? configuration.data.textColumn)
  try input.skip(firstRow - 1)
  let classifier = try Classifier(configuration, adapter: adapter, team: team, ranks: ranks)
  try classifier.requireSame(on: ranks)
  let rows = try LabelledRows(
    of: input.reader, labels: classifier.labels, threshold: threshold, asJSON: arguments.has("--json"))
  let output = try PredictionOutput(destination)
  var progress = PredictionProgress(isShown: destination != nil || isatty(STDOUT_FILENO) == 0)
  defer { progress.clear() }

  /// The error after which no row could be read.
  var lost: InputError?
  do {
    try classifier.withScorer(scoring) { emptyPack, scores in
      var rounds = RowRounds(classifier, ranks, from: emptyPack)
      var records: [DataRecord] = []
      /// The row of the input that the last of them is.
      var lastOfPack = 0
      func finishRound() throws {
        if records.isEmpty { return }
        let predictions = try rounds.finish(scores)
        try output.write(zip(records, predictions).map(rows.line).joined(), upTo: lastOfPack)
        progress.add(records.count, withoutAnswer: predictions.count { $0.confidence < threshold })
        records = []
      }
      func add(_ record: DataRecord) throws {
        try rows.check(record)
        if try rounds.append(columns.texts(of: record), at: record.place) { progress.truncated += 1 }
        records.append(record)
        lastOfPack = input.rows
      }
      try output.write(rows.start, upTo: 0)
      /// The next record; rows before the place where reading ends for good are answered.
      func next() throws -> Result<DataRecord, any Error>? {
        do {
          // Answer the rows that have arrived before waiting for more.
          return try input.next(beforeWaiting: finishRound)
        } catch let error as InputError where arguments.has("--skip-bad") {
          lost = error
          return nil
        } catch {
          try finishRound()
          throw error
        }
      }
      while !output.isClosed, let record = try next() {
        do {
          try add(record.get())
        } catch let error as InputError where arguments.has("--skip-bad") {
          progress.skip(error)
        } catch {
          try finishRound()
          throw error
        }
        if rounds.isFull { try finishRound() }
      }
      try finishRound()
      rounds.end()
    }
    try output.finish()
  } catch {
    progress.clear()
    try output.keepRows()
    throw error
  }
  progress.end()
  if let lost { throw lost }
  return 0
}

extension Classifier {
  /// Labels rows with the first rank, which reads them.
  fileprivate func follow(_ scoring: Scoring, _ ranks: Ranks) throws {
    try requireSame(on: ranks)
    try withScorer(scoring) { emptyPack, scores in
      try RowRounds(self, ranks, from: emptyPack).follow(scores)
    }
  }

  fileprivate func requireSame(on ranks: Ranks) throws {
    try ranks.all.requireSame("model and prompt", fingerprint, remedy: "give every machine the same files")
  }
}

/// The rows to label: those of a file or of standard input, or texts of the command line.
private struct PredictionInput {
  /// nil for texts of the command line.
  private(set) var reader: RecordReader?
  private let texts: [String]
  /// Rows read so far, those that cannot be labelled included.
  private(set) var rows = 0

  init(_ path: String?, _ format: DataFormat?, _ texts: [String], hasHeader: Bool) throws {
    reader = try path.map { try RecordReader($0, format: format ?? .lines, hasHeader: hasHeader) }
    self.texts = texts
  }

  func columns(_ pattern: TemplatePattern, textColumn: String) throws -> InputColumns {
    try InputColumns(
      of: reader, input: pattern, textColumn: textColumn, remedy: "--text-column names the column of the text")
  }

  mutating func next(beforeWaiting: () throws -> Void = {}) throws -> Result<DataRecord, any Error>? {
    guard reader != nil else {
      guard rows < texts.count else { return nil }
      rows += 1
      return .success(DataRecord(place: "--text", text: texts[rows - 1]))
    }
    let record = try reader?.next(beforeWaiting: beforeWaiting)
    if record != nil { rows += 1 }
    return record
  }

  /// Reads rows that an earlier command has labelled.
  ///
  /// - Throws: `InputError.usage` if there are no rows behind them.
  mutating func skip(_ count: Int) throws {
    while rows < count {
      guard try next() != nil else {
        throw InputError.usage("--from-row", "must be at most \(rows), the number of rows; found \(count + 1)")
      }
    }
  }
}

/// The format of `--format`, or of the file's extension; standard input defaults to lines.
private func dataFormat(_ arguments: Arguments, of path: String) throws -> DataFormat {
  if arguments.has("--format") || path == "-" { return arguments.choice("--format", default: .lines) }
  guard let format = DataFormat(endingOf: path) else {
    try DataFormat.refuseForeign(path)
    throw InputError.usage(
      path,
      "has none of the extensions .jsonl, .csv, .tsv and .txt; name its format with --format (jsonl, csv, tsv or lines)"
    )
  }
  return format
}

/// Destination of labelled rows: standard output as they come, or a file that appears when it is complete.
private final class PredictionOutput {
  private let file: ReplacingFile?
  private let part: String
  /// The last row of the input that has been written.
  private var lastRow = 0
  /// Whether the reader has closed the output.
  private(set) var isClosed = false

  /// The name under which the rows done are kept if the command ends before all are.
  static func part(of path: String) -> String { path + ".partial" }

  init(_ path: String?) throws {
    let part = path.map(Self.part) ?? ""
    self.part = part
    let words = progressStyle == .json ? Self.eventWords(part) : Self.words(part)
    file = try path.map { try ReplacingFile(path: $0) { setUnfinishedFile($0, keptAs: part, saying: words) } }
  }

  /// What is said about a part, around the number of its last row and that of the next one.
  private static func words(_ part: String) -> (String, String, String) {
    (
      "note: the rows done, up to row ", " of the input, are in \(messageLine(part)); go on with --from-row ",
      " and another --output\n"
    )
  }

  /// The same as a line with an event.
  private static func eventWords(_ part: String) -> (String, String, String) {
    let words = words(part)
    func escaped(_ text: some StringProtocol) -> String {
      String(JSON.string(String(text)).compact.dropFirst().dropLast())
    }
    // The line ends with an empty string and a brace.
    let line = ProgressEvent.note("").line
    return (
      line.dropLast(2) + escaped(words.0.dropFirst(6)), escaped(words.1), escaped(words.2.dropLast()) + "\"}\n"
    )
  }

  /// Writes lines; `row` is the last row of the input that they are of.
  func write(_ text: String, upTo row: Int) throws {
    lastRow = row
    if let file {
      try file.append(Array(text.utf8))
      if row > 0 { setFinishedRows(bytes: file.length, last: row) }
    } else if !text.isEmpty, try !printPiece(text) {
      isClosed = true
    }
  }

  func finish() throws {
    try file?.finish()
    setUnfinishedFile(nil)
  }

  /// Keeps the rows done, if there are any, after an error.
  func keepRows() throws {
    setUnfinishedFile(nil)
    guard let file, file.temporary != nil, lastRow > 0 else { return }
    try file.keep(as: part)
    let words = Self.words(part)
    note(String((words.0 + String(lastRow) + words.1 + String(lastRow + 1) + words.2).dropFirst(6).dropLast()))
  }
}

/// Progress on standard error.
private struct PredictionProgress {
  private let terminal = Terminal()
  /// Whether to show progress: not between rows on the same screen.
  private let isShown: Bool
  private let start = ContinuousClock.now
  private var pace = LogPace(start: monotonicSeconds(), isEager: progressStyle == .plain)
  private var rows = 0
  private var withoutAnswer = 0
  private var skipped = 0
  /// Rows whose text was truncated to fit the model.
  var truncated = 0

  init(isShown: Bool) { self.isShown = isShown }

  mutating func add(_ count: Int, withoutAnswer unanswered: Int) {
    rows += count
    withoutAnswer += unanswered
    terminal.event(.rows("predicting", rows, of: nil))
    guard isShown else { return }
    if terminal.isInteractive {
      terminal.status(summary)
    } else if pace.isDue(rows, of: nil, at: monotonicSeconds()) {
      terminal.line(summary)
    }
  }

  mutating func skip(_ error: InputError) {
    skipped += 1
    terminal.clear()
    notice("cpt: skipped: \(error)", asEvent: "skipped: \(error)")
  }

  func clear() { terminal.clear() }

  func end() {
    if isShown || skipped > 0 || truncated > 0 || withoutAnswer > 0 { terminal.line(summary) }
  }

  private var summary: String {
    let rate = Double(rows) / max(1e-9, (ContinuousClock.now - start) / .seconds(1))
    return "\(rows) row\(rows == 1 ? "" : "s"), \(fixed(rate, rate < 10 ? 1 : 0)) per second"
      + (skipped > 0 ? ", \(skipped) skipped" : "") + (truncated > 0 ? ", \(truncated) truncated" : "")
      + (withoutAnswer > 0 ? ", \(withoutAnswer) below the threshold" : "")
  }
}
