import Diagnostics
import FileFormats
import Insights
import Kernels
import Method
import System

extension Command {
  /// `cpt compare`.
  static let compare = Command(
    name: "compare",
    group: .look,
    summary: "Train CPT and its baselines over several seeds.",
    example: "cpt compare --config configs/quickstart/quickstart.json --seeds 5",
    flags: [
      Flag(name: "--config", value: .file, help: "the configuration that all methods share (JSON)", isRequired: true),
      Flag(
        name: "--methods", value: .text("LIST"),
        help: "default: all of "
          + TuningMethod.allCases.map(\.rawValue).joined(separator: ",")),
      Flag(name: "--seeds", value: .number("N"), help: "number of seeds per method (default: 5)"),
      Flag(name: "--output", value: .folder, help: "folder for the cells (default: output_dir-compare)"),
      Flag(
        name: "--set", value: .setting, help: "override a key; METHOD:KEY=VALUE for one method", isRepeatable: true),
      Flag(name: "--resume", help: "resume an interrupted comparison; finished cells are kept"),
      Flag(name: "--overwrite", help: "remove an earlier comparison from the folder first"),
      .threads, .json, .help,
    ],
    run: runCompare)
}

private func runCompare(_ arguments: Arguments) throws -> Int32 {
  try arguments.refuse("--resume", with: "--overwrite")
  let methods = try methods(arguments["--methods"])
  let overrides = try arguments.overrides().map { override in
    let parts = override.path.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return (method: TuningMethod?.none, path: override.path, value: override.value) }
    guard let method = TuningMethod(rawValue: parts[0]), methods.contains(method) else {
      throw InputError.usage(
        "--set",
        "\"\(parts[0])\" is not a method of this comparison" + suggestion(for: parts[0], among: methods.map(\.rawValue))
      )
    }
    return (method, parts[1], override.value)
  }
  if overrides.contains(where: { $0.path == "training.method" }) {
    throw InputError.usage("--set", "cannot override training.method; use --methods")
  }
  var run = try ComparisonRun(
    file: arguments.required("--config"), settings: arguments.all("--set"),
    overrides: { method in
      overrides.filter { $0.method == nil || $0.method == method }.map { (path: $0.path, value: $0.value) }
    },
    methods: methods, seeds: arguments.integer("--seeds", from: 1) ?? 5, folder: arguments.outputFolder(),
    earlier: arguments.earlierRun, team: { try arguments.team(earlier: $0) })
  try run.prepare()

  catchSignals()
  var progress = ComparisonProgress(methods: methods, folder: run.path)
  defer { progress.terminal.clear() }
  let outcome = try run.run(shouldStop: { receivedSignal() != nil }) { progress.show($0) }
  if outcome.wasInterrupted {
    progress.terminal.line("stopped; run the same command with --resume to continue")
    return receivedSignal().map { 128 + $0 } ?? 0
  }
  try arguments.has("--json")
    ? printResult(outcome.comparison.json) : printResult(text(of: outcome.comparison, in: run.path))
  return 0
}

/// The methods of a list separated by commas; all without a list.
private func methods(_ list: String?) throws -> [TuningMethod] {
  guard let list else { return TuningMethod.allCases }
  let methods = try list.split(separator: ",").map(String.init).map { name in
    guard let method = TuningMethod(rawValue: name) else {
      throw InputError.usage(
        "--methods",
        "\"\(name)\" is not a method" + suggestion(for: name, among: TuningMethod.allCases.map(\.rawValue)))
    }
    return method
  }
  guard !methods.isEmpty, Set(methods).count == methods.count else {
    throw InputError.usage("--methods", "must list each method once, such as cpt,icl; found \"\(list)\"")
  }
  return methods
}

private func text(of comparison: Comparison, in folder: String) -> String {
  let rows = comparison.summaries.map { summary in
    [
      summary.method.rawValue, percent(summary.accuracy.mean),
      summary.accuracy.standardDeviation.map { percent($0) } ?? "–",
      percent(summary.accuracy.worst), percent(summary.accuracy.best), fixed(summary.macroF1.mean, 3),
      summary.macroF1.standardDeviation.map { fixed($0, 3) } ?? "–", String(summary.seeds),
    ]
  }
  return table(
    [["\(comparison.split.rawValue) rows", "accuracy", "sd", "worst", "best", "macro-F1", "sd", "seeds"]] + rows,
    rightAligned: [1, 2, 3, 4, 5, 6, 7]) + "\n\ncells: \(messageLine(folder))"
}

/// Progress of a comparison: one line per finished cell.
private struct ComparisonProgress {
  let terminal = Terminal()
  private var cell = ""
  private var steps = 0
  private let nameWidth: Int

  private let folder: String

  init(methods: [TuningMethod], folder: String) {
    self.folder = folder
    nameWidth = (methods.map(\.rawValue.count).max() ?? 0) + " seed 00".count
  }

  mutating func show(_ event: ComparisonRun.Event) {
    switch event {
    case .began(let method, let seed):
      cell = "\(method.rawValue) seed \(seed)"
      terminal.status(cell)
    case .folderWithoutLocks: note(inFolderWithoutLocks: folder)
    case .training(.started(let plan)): steps = plan.totalSteps
    case .training(.step(let step)):
      terminal.status("\(cell): step \(step.step) of \(steps), loss \(fixed(step.loss, 3))")
    case .training: break
    case .scoring(let rows, let all): terminal.status("\(cell): \(rows) of \(all) rows")
    case .finished(let cell): terminal.line(line(for: cell) + "  " + duration(cell.trainingSeconds))
    case .skipped(let cell): terminal.line(line(for: cell) + "  kept")
    }
  }

  private func line(for cell: Comparison.Cell) -> String {
    let name = "\(cell.method.rawValue) seed \(cell.seed)"
    return "\(padded(name, to: nameWidth))  accuracy \(percent(cell.accuracy))  macro-F1 \(fixed(cell.macroF1, 3))"
  }
}
