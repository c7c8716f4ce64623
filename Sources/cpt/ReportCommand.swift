import ContextTuning
import FileFormats
import Kernels
import Reporting

extension Command {
  static let report = Command(
    name: "report",
    group: .look,
    summary: "Write a page about runs: curves, context, predictions, settings.",
    example: "cpt report runs/quickstart --output report.html",
    operands: Operands(value: .folder, help: "folders of runs, as train writes them", count: 1...1000),
    flags: [
      Flag(name: "--output", value: .file, help: "the page to write (HTML)", isRequired: true),
      Flag(name: "--no-eval", help: "leave out what predicting the test rows says"),
      Flag(name: "--model", value: .folder, help: "the frozen model, in place of the runs'"),
      Flag(name: "--overwrite", help: "replace the file of --output"),
      .threads, .json, .help,
    ],
    run: runReport)
}

private func runReport(_ arguments: Arguments) throws -> Int32 {
  guard let output = try arguments.destination("--output", isFolder: false) else { return 0 }
  var runs = try arguments.operands.map { try RunRecord(folder: $0) }
  let team = ThreadTeam(threads: try arguments.threads())
  let terminal = Terminal()
  for index in runs.indices {
    defer { terminal.clear() }
    try runs[index].compute(model: arguments["--model"], evaluates: !arguments.has("--no-eval"), team: team) {
      terminal.status($0)
    }
  }
  try writeAtomically(Report(runs, version: version).page, to: output)
  let results = runs.map { run in
    JSON.object([
      .init("run", .string(run.path)),
      .init("accuracy", run.evaluation.map { .number($0.tuned.report.accuracy) } ?? .null),
      .init("untrained_accuracy", (run.evaluation?.untrained).map { .number($0.report.accuracy) } ?? .null),
    ])
  }
  let json: JSON = .object([.init("output", .string(output)), .init("runs", .array(results))])
  try printResult(
    arguments.has("--json") ? json.pretty : "wrote a report on \(runs.count == 1 ? "1 run" : "\(runs.count) runs") to \(output)")
  return 0
}
