import Diagnostics
import FileFormats
import Glibc
import Insights
import Kernels
import Method
import System
import Tuning

extension Command {
  /// `cpt compare`.
  static let compare = Command(
    name: "compare",
    group: .look,
    summary: "Train CPT and its baselines over several seeds.",
    example: "cpt compare --config configs/quickstart/quickstart.json --seeds 5",
    flags: [
      Flag(name: "--config", value: .file, help: "the configuration that all methods share (JSON)"),
      Flag(
        name: "--study", value: .file,
        help: "a study: models, tasks, shots, methods, seeds to combine (JSON)"),
      Flag(
        name: "--methods", value: .text("LIST"),
        help: "default: all of "
          + TuningMethod.allCases.map(\.rawValue).joined(separator: ",")),
      Flag(name: "--seeds", value: .number("N"), help: "number of seeds per method (default: 5)"),
      Flag(
        name: "--output", value: .folder,
        help: "folder for the cells (default: output_dir-compare, or the study's)"),
      Flag(
        name: "--set", value: .setting, help: "override a key; METHOD:KEY=VALUE for one method", isRepeatable: true),
      Flag(name: "--resume", help: "resume an interrupted comparison; finished cells are kept"),
      Flag(name: "--overwrite", help: "remove an earlier comparison from the folder first"),
      .threads, .progress, .json, .help,
    ],
    runsOnRanks: true,
    run: runCompare)
}

private func runCompare(_ arguments: Arguments) throws -> Int32 {
  try arguments.refuse("--resume", with: "--overwrite")
  for flag in ["--config", "--methods", "--seeds"] { try arguments.refuse(flag, with: "--study") }
  let overrides = try arguments.overrides().map { override in
    let parts = override.path.split(separator: ":", maxSplits: 1).map(String.init)
    return parts.count == 2
      ? Study.Override(method: parts[0], path: parts[1], value: override.value)
      : Study.Override(method: nil, path: override.path, value: override.value)
  }
  if overrides.contains(where: { $0.path == "training.method" }) {
    throw InputError.usage("--set", "cannot override training.method; use --methods")
  }
  let study: Study
  if let file = arguments["--study"] {
    study = try Study(file: file, overrides: overrides)
  } else if let file = arguments["--config"] {
    study = try Study(
      configuration: file, methods: methods(arguments["--methods"]), seeds: arguments.integer("--seeds", from: 1) ?? 5,
      overrides: overrides)
  } else {
    throw InputError.usage("compare", "--config or --study is missing")
  }
  let names = study.methods.map(\.name)
  if let unknown = overrides.compactMap(\.method).first(where: { !names.contains($0) }) {
    throw InputError.usage(
      "--set", "\"\(unknown)\" is not a method of this comparison" + suggestion(for: unknown, among: names))
  }
  let run = try ComparisonRun(
    study, isStudy: arguments["--study"] != nil, settings: arguments.all("--set"), folder: arguments.outputFolder(),
    earlier: arguments.earlierRun, ranks: arguments.world, team: { try arguments.team(earlier: $0) })
  try run.prepare()

  catchSignals()
  var progress = ComparisonProgress(cells: run.cellCount, folder: run.path)
  defer { progress.terminal.clear() }
  let outcome = try run.run(shouldStop: { receivedSignal() != nil }) { progress.show($0) }
  if outcome.wasInterrupted {
    progress.terminal.line("stopped; run the same command with --resume to continue")
    // The signal may have come to another rank.
    return 128 + (receivedSignal() ?? SIGTERM)
  }
  try arguments.has("--json")
    ? printResult(outcome.comparison.json) : printResult(ComparisonTables(outcome, in: run.path).text)
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

/// Progress of a comparison: one line per finished cell.
private struct ComparisonProgress {
  let terminal = Terminal()
  private var name = ""
  private var steps = 0
  /// When a log gets its next line about a cell that trains.
  private var pace = LogPace(start: 0, isEager: false)
  /// Cells finished so far, and all.
  private var done = 0
  private let cells: Int
  private let folder: String

  init(cells: Int, folder: String) {
    self.folder = folder
    self.cells = cells
  }

  mutating func show(_ event: ComparisonRun.Event) {
    if case .training(let event) = event { terminal.event(ProgressEvent(event)) }
    switch event {
    case .began(let name):
      self.name = messageLine(name)
      terminal.event(.cell(name))
      terminal.status(self.name)
    case .folderWithoutLocks: note(inFolderWithoutLocks: folder)
    case .training(.started(let plan)):
      steps = plan.totalSteps
      pace = LogPace(start: monotonicSeconds(), isEager: false)
    case .training(.step(let step)):
      let text = "\(name): step \(step.step) of \(steps), loss \(fixed(step.loss, 3))"
      if terminal.isInteractive {
        terminal.status(text)
      } else if pace.isDue(step.step, of: steps, at: monotonicSeconds()) {
        terminal.line(text)
      }
    case .training: break
    case .scoring(let rows, let all): terminal.rows(name, rows, of: all)
    case .validated(let candidate):
      terminal.line(
        "\(messageLine(candidate.folder)): validation accuracy \(percent(candidate.accuracy)), loss \(fixed(candidate.loss, 3)) with "
          + candidate.settingsInWords)
    case .finished(let cell, let seconds): show(cell, duration(seconds))
    case .skipped(let cell): show(cell, "kept")
    }
  }

  private mutating func show(_ cell: Comparison.Cell, _ end: String) {
    done += 1
    terminal.event(.cellEnd(cell.folder, done: done, of: cells, accuracy: cell.accuracy, macroF1: cell.macroF1))
    let number = padded("\(done)/\(cells)", to: 2 * String(cells).count + 1)
    terminal.line(
      "\(number)  accuracy \(percent(cell.accuracy))  macro-F1 \(fixed(cell.macroF1, 3))  \(cell.folder)  \(end)")
  }
}
