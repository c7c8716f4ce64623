import Diagnostics
import FileFormats
import Glibc
import Kernels
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
      Flag(name: "--data", value: .file, help: "rows to label; - is standard input", isRequired: true),
      Flag(
        name: "--format", value: .choice("FORMAT", DataFormat.self),
        help: "jsonl, csv, tsv or lines (default: by the file's extension)"),
      Flag(name: "--text-column", value: .text("NAME"), help: "column or key of the text (default: the run's)"),
      Flag(name: "--output", value: .file, help: "file for the labelled rows (default: standard output)"),
      Flag(name: "--overwrite", help: "replace the file of --output"),
      Flag(name: "--skip-bad", help: "report rows that cannot be labelled, and continue"),
      .scoring,
      Flag(name: "--config", value: .file, help: "template and labels, if the checkpoint has no configuration"),
      .model,
      .set,
      .threads,
      Flag(name: "--json", help: "write JSON lines, whatever the input format"),
      .help,
    ],
    run: runPredict)
}

private func runPredict(_ arguments: Arguments) throws -> Int32 {
  let path = arguments.required("--data")
  if path == standardStream, arguments["--config"] == standardStream {
    throw InputError.usage("--config", "and --data both are standard input; give one of them a file")
  }
  let format = try dataFormat(arguments, of: path)
  let scoring = arguments.choice("--scoring", default: Scoring.acc)
  if scoring == .batchCalibrated {
    throw InputError.usage(
      "--scoring",
      "batch_calibrated compares a row with all others, and rows are labelled as they come; use cpt eval, or calibrated"
    )
  }
  let destination =
    arguments["--output"] == "-" ? nil : try arguments.destination("--output", isFolder: false, replacing: "--data")
  let team = try arguments.team()
  let adapter = try arguments.adapter()
  let configuration = try arguments.configuration(
    of: adapter, for: "template and labels must come from a configuration")
  endAtSignals()
  var reader = try RecordReader(path, format: format)
  let input = configuration.template.inputPattern
  if arguments.has("--text-column"), !input.fields.contains("") {
    throw InputError.usage(
      "--text-column",
      "chooses the column of {} in template.input, which takes \(input.fields.map { "{\($0)}" }.joined(separator: ", ")) instead"
    )
  }
  let columns = try InputColumns(
    of: reader, input: input, textColumn: arguments["--text-column"] ?? configuration.data.textColumn,
    remedy: "--text-column names the column of the text")
  let classifier = try Classifier(configuration, adapter: adapter, team: team)
  let rows = try LabelledRows(of: reader, labels: classifier.labels, asJSON: arguments.has("--json"))
  let output = try PredictionOutput(destination)
  var progress = PredictionProgress(isShown: destination != nil || isatty(STDOUT_FILENO) == 0)
  defer { progress.clear() }

  /// The error after which no row could be read.
  var lost: InputError?
  try classifier.withScorer(scoring) { emptyPack, scores in
    var pack = emptyPack
    var records: [DataRecord] = []
    func finishPack() throws {
      if records.isEmpty { return }
      try output.write(zip(records, scores(pack)).map(rows.line).joined())
      progress.add(records.count)
      pack = emptyPack
      records = []
    }
    func add(_ record: DataRecord) throws {
      try rows.check(record)
      let row = try classifier.candidates(of: columns.texts(of: record), at: record.place)
      try pack.append(row)
      if row.isTruncated { progress.truncated += 1 }
      records.append(record)
    }
    try output.write(rows.start)
    /// The next record; rows before the place where reading ends for good are answered.
    func next() throws -> Result<DataRecord, any Error>? {
      do {
        // Answer the rows that have arrived before waiting for more.
        return try reader.next(beforeWaiting: finishPack)
      } catch let error as InputError where arguments.has("--skip-bad") {
        lost = error
        return nil
      } catch {
        try finishPack()
        throw error
      }
    }
    while !output.isClosed, let record = try next() {
      do {
        try add(record.get())
      } catch let error as InputError where arguments.has("--skip-bad") {
        progress.skip(error)
      } catch {
        try finishPack()
        throw error
      }
      if pack.isFull { try finishPack() }
    }
    try finishPack()
  }
  try output.finish()
  progress.end()
  if let lost { throw lost }
  return 0
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
  /// Whether the reader has closed the output.
  private(set) var isClosed = false

  init(_ path: String?) throws {
    file = try path.map { try ReplacingFile(path: $0) { setUnfinishedFile($0) } }
  }

  func write(_ text: String) throws {
    if let file {
      try file.append(Array(text.utf8))
    } else if !text.isEmpty, try !printPiece(text) {
      isClosed = true
    }
  }

  func finish() throws {
    try file?.finish()
    setUnfinishedFile(nil)
  }
}

/// Progress on standard error.
private struct PredictionProgress {
  private let terminal = Terminal()
  /// Whether to show progress: not between rows on the same screen.
  private let isShown: Bool
  private let start = ContinuousClock.now
  private var rows = 0
  private var skipped = 0
  /// Rows whose text was truncated to fit the model.
  var truncated = 0

  init(isShown: Bool) { self.isShown = isShown }

  mutating func add(_ count: Int) {
    rows += count
    if isShown { terminal.status(summary) }
  }

  mutating func skip(_ error: InputError) {
    skipped += 1
    terminal.line("cpt: skipped: \(error)")
  }

  func clear() { terminal.clear() }

  func end() {
    if isShown || skipped > 0 || truncated > 0 { terminal.line(summary) }
  }

  private var summary: String {
    let rate = Double(rows) / max(1e-9, (ContinuousClock.now - start) / .seconds(1))
    return "\(rows) row\(rows == 1 ? "" : "s"), \(fixed(rate, rate < 10 ? 1 : 0)) per second"
      + (skipped > 0 ? ", \(skipped) skipped" : "") + (truncated > 0 ? ", \(truncated) truncated" : "")
  }
}
