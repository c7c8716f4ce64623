import Diagnostics
import FileFormats
import Kernels
import Reporting

extension Command {
  /// `cpt report`.
  static let report = Command(
    name: "report",
    group: .look,
    summary: "Write a page on runs: curves, context, predictions, seeds.",
    example: "cpt report runs/quickstart --output report.html",
    operands: Operands(value: .folder, help: "folders of runs or comparisons", count: 1...1000),
    flags: [
      Flag(name: "--output", value: .file, help: "the page to write (HTML)", isRequired: true),
      Flag(name: "--no-eval", help: "skip the evaluation on the test rows"),
      Flag(name: "--model", value: .path, help: "the frozen model, instead of the runs' own"),
      Flag(name: "--overwrite", help: "replace the file of --output"),
      .threads, .progress, .json, .help,
    ],
    run: runReport)
}

private func runReport(_ arguments: Arguments) throws -> Int32 {
  guard let output = try arguments.destination("--output", isFolder: false) else { return 0 }
  if output == standardStream, arguments.has("--json") {
    throw InputError.usage("--json", "conflicts with --output -: both print to standard output; use one of them")
  }
  var subjects = try arguments.operands.map { try Report.Subject(folder: $0) }
  let team = try arguments.team()
  let terminal = Terminal()
  for index in subjects.indices {
    defer { terminal.clear() }
    guard case .run(var run) = subjects[index] else { continue }
    let name = run.name, folder = run.path
    try run.compute(model: arguments["--model"], evaluates: !arguments.has("--no-eval"), team: team) { activity in
      switch activity {
      case .context: terminal.status("\(name): the context")
      case .predicts(let rows):
        note(
          "\(messageLine(folder)): no evaluation is kept that fits; predicting \(rows) rows (--no-eval leaves it out)")
      case .rows(let name, let done, let all): terminal.rows(name, done, of: all)
      case .notKept(let error): note("the evaluation is not kept: \(error)")
      }
    }
    subjects[index] = .run(run)
  }
  try write(Report(subjects, version: version).page, to: output)
  if output == standardStream { return 0 }
  let json: JSON = .object([.init("output", .string(output)), .init("results", .array(subjects.map(\.json)))])
  let words =
    subjects.count == 1 ? "a report on \(messageLine(arguments.operands[0]))" : "a report on \(subjects.count) results"
  try arguments.has("--json") ? printResult(json) : printResult("wrote \(words) to \(messageLine(output))")
  return 0
}

extension Report.Subject {
  /// Its folder and headline numbers.
  fileprivate var json: JSON {
    switch self {
    case .run(let run):
      .object([
        .init("run", .string(run.path)),
        .init("accuracy", run.evaluation.map { .number($0.tuned.report.accuracy) } ?? .null),
        .init("untrained_accuracy", (run.evaluation?.untrained).map { .number($0.report.accuracy) } ?? .null),
      ])
    case .comparison(let record):
      .object([.init("comparison", .string(record.path)), .init("summary", record.summary)])
    }
  }
}
