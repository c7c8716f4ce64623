import Collectives
import Diagnostics
import FileFormats
import Glibc
import Insights
import Kernels
import Method
import Runs
import System
import Tuning

extension Command {
  static let train = Command(
    name: "train",
    group: .make,
    summary: "Tune the context's embeddings on labelled examples.",
    example: "cpt train --config configs/quickstart/quickstart.json",
    flags: [
      Flag(name: "--config", value: .file, help: "the run's configuration (JSON)", isRequired: true),
      Flag(name: "--output", value: .folder, help: "folder for results, instead of output_dir"),
      Flag(name: "--set", value: .setting, help: "override a key: --set training.seed=3", isRepeatable: true),
      Flag(name: "--resume", help: "continue from the newest checkpoint"),
      Flag(name: "--overwrite", help: "remove an earlier run's files from the folder first"),
      Flag(
        name: "--stop-after", value: .number("STEP"), help: "end after this step with a checkpoint, to resume later"),
      Flag(name: "--dry-run", help: "print configuration, tokens, memory, steps; compute nothing"),
      Flag(name: "--profile", help: "print the time per operation"),
      .tensorParallel, .threads, .progress, .json, .help,
    ],
    runsOnRanks: true,
    run: runTrain)
}

private func runTrain(_ arguments: Arguments) throws -> Int32 {
  try arguments.refuse("--resume", with: "--overwrite")
  let file = arguments.required("--config")
  var configuration = try arguments.configuration()
  if let output = try arguments.outputFolder() { configuration.outputDirectory = output }
  guard let output = configuration.outputDirectory else {
    throw InputError.usage(
      "--output", "is missing, and \(file) has no \"output_dir\"; expected a folder for the results")
  }
  let profile = arguments.has("--profile") ? Profile() : nil
  let run = RunDirectory(output)
  let earlier = arguments.has("--resume") ? try run.newestState() : nil
  let team = try arguments.team(earlier: earlier?.computation?.threads, profile: profile)
  let ranks = try arguments.ranks()
  let setup = try TrainingSetup(configuration, team: team, ranks: ranks)
  var trainer = try Trainer(setup, run: run)
  let stopAfter = try arguments.integer("--stop-after", from: 1)
  var notes = trainer.findings(of: setup)
  func showNotes() { for text in notes { note(text) } }
  if arguments.has("--dry-run") {
    showNotes()
    let facts = RunForecast(trainer, setup).facts, resolved = setup.configuration.resolvedJSON
    try arguments.has("--json")
      ? printResult((facts + [Fact("configuration", resolved)]).json)
      : printResult(resolved.pretty + "\n\n" + facts.text)
    return 0
  }
  if let computation = earlier?.computation { note(aboutRanks: ranks, since: computation) }
  let isExclusive = try trainer.begin(arguments.earlierRun)
  if !isExclusive { note(inFolderWithoutLocks: run.path) }
  showNotes()

  catchSignals()
  // Only a context that nothing has trained yet says something about template and words.
  let isUntrained = configuration.initialAdapter == nil
  let baseline =
    isUntrained && [.cpt, .icl].contains(configuration.training.method)
    ? trainer.mostFrequentValidationLabel(of: setup) : nil
  var progress = TrainingProgress(terminal: Terminal(), isUntrained: isUntrained)
  let summary: TrainingSummary
  do {
    summary = try trainer.train(
      stopAfter: stopAfter, shouldStop: { receivedSignal() != nil }
    ) { event in
      progress.show(event)
      if case .evaluated(let evaluation, _) = event, evaluation.step == 0, let baseline,
        evaluation.accuracy <= baseline.share
      {
        notes.append(
          "untrained, the context predicts \(percent(evaluation.accuracy)) of the validation rows, no more than always "
            + "answering \(quoted(visible(baseline.label, space: " "))) (\(percent(baseline.share))); the template or label "
            + "words may not suit the model")
        note(notes[notes.count - 1])
      }
    }
  } catch {
    progress.end()
    throw error
  }
  progress.end()
  let times = profile.map { ProfileReport($0, seconds: summary.elapsedSeconds, machineRate: team.matrixProductRate()) }
  if arguments.has("--json") {
    try printResult(json(of: summary, in: run, notes, times))
  } else {
    if let times { try printResult(times.text + "\n") }
    try printResult(text(of: summary, in: run))
  }
  if !summary.wasInterrupted || receivedSignal() == nil && stopAfter.map({ summary.step >= $0 }) == true { return 0 }
  // The signal may have come to another rank.
  return 128 + (receivedSignal() ?? SIGTERM)
}

/// Says that a run goes on with other ranks.
private func note(aboutRanks ranks: Ranks, since earlier: Computation) {
  func words(_ data: Int, _ tensor: Int) -> String {
    "\(data * tensor) rank\(data * tensor == 1 ? "" : "s")" + (tensor > 1 ? " (\(tensor) for each model)" : "")
  }
  let (data, tensor) = (earlier.dataRanks ?? 1, earlier.tensorRanks ?? 1)
  if (data, tensor) == (ranks.data.size, ranks.tensor.size) { return }
  note(
    "the run used \(words(data, tensor)) so far; with \(words(ranks.data.size, ranks.tensor.size)) its numbers round "
      + "differently from here on")
}

private func text(of summary: TrainingSummary, in run: RunDirectory) -> String {
  let done = "\(summary.step) of \(summary.totalSteps) steps in \(duration(summary.elapsedSeconds))"
  if summary.wasInterrupted {
    return "stopped after \(done); run the same command with --resume to continue"
  }
  var lines = ["trained \(done): \(messageLine(run.path))"]
  if let head = summary.head { lines = ["fitted a \(head.text): \(messageLine(run.path))"] }
  if let (measure, evaluations) = summary.stagnation {
    lines.insert(
      "stopped early at step \(summary.step): no better \(measure) for \(evaluations) "
        + "evaluation\(evaluations == 1 ? "" : "s")", at: 0)
  }
  if let step = summary.bestStep, let metric = summary.bestMetric {
    let place =
      summary.totalSteps == 0
      ? "on validation" : "best on validation \(step == 0 ? "before training" : "at step \(step)")"
    lines.append("\(place) (\(fixed(metric, 3))): \(messageLine(run.best))")
  }
  lines.append("next: cpt eval --checkpoint \(shellWord(summary.bestStep == nil ? run.path : run.best))")
  return lines.joined(separator: "\n")
}

private func json(
  of summary: TrainingSummary, in run: RunDirectory, _ notes: [String], _ times: ProfileReport?
) -> JSON {
  let profile = times.map { [JSON.Member("profile", $0.json)] } ?? []
  let head = summary.head.map { [JSON.Member("head", $0.json)] } ?? []
  return .object(
    [
      .init("output_dir", .string(run.path)), .init("step", .integer(summary.step)),
      .init("total_steps", .integer(summary.totalSteps)), .init("interrupted", .bool(summary.wasInterrupted)),
      .init("stopped_early", .bool(summary.stagnation != nil)),
      .init("best_step", summary.bestStep.map(JSON.integer) ?? .null),
      .init("best_metric", summary.bestMetric.map(JSON.number) ?? .null),
      .init("elapsed_seconds", .number(summary.elapsedSeconds)),
      .init("planned_memory_bytes", .integer(summary.plannedMemory)),
      .init("peak_memory_bytes", Memory.peak.map(JSON.integer) ?? .null),
      .init("warnings", .array(notes.map(JSON.string))),
    ] + head + profile)
}

extension ClassifierHead.Fit {
  /// How it was fitted, in words.
  var text: String {
    func short(_ value: Double) -> String { (1e-3..<1e5).contains(value) ? fixed(value, 3) : scientific(value) }
    let name = kind.rawValue + (strength.map { " of strength \(short($0))" } ?? "")
    return "classifier head on \(rows) rows: \(name), leave-one-out accuracy \(percent(leaveOneOutAccuracy)), "
      + "temperature \(short(temperature))"
  }

  /// The same as JSON.
  var json: JSON {
    .object([
      .init("classifier", .string(kind.rawValue)), .init("rows", .integer(rows)),
      .init("strength", strength.map(JSON.number) ?? .null),
      .init("leave_one_out_accuracy", .number(leaveOneOutAccuracy)), .init("temperature", .number(temperature)),
    ])
  }
}

/// Shows a run while it goes on.
private struct TrainingProgress {
  let terminal: Terminal
  /// Whether the run starts from a prompt that nothing has trained yet.
  private let isUntrained: Bool
  private var plan: TrainingPlan?
  private var last: StepMetrics?
  private var remaining: RemainingTime?
  /// The number of parts that have fitted a line with a bar so far.
  private var partsShown = Int.max

  init(terminal: Terminal, isUntrained: Bool) {
    self.terminal = terminal
    self.isUntrained = isUntrained
  }

  mutating func show(_ event: TrainingEvent) {
    terminal.event(ProgressEvent(event))
    remaining?.add(event)
    switch event {
    case .started(let plan):
      self.plan = plan
      remaining = RemainingTime(plan)
      let start = plan.firstStep == 0 ? "" : ", from step \(plan.firstStep)"
      terminal.line(
        "\(plan.totalSteps) steps over \(plan.trainingExamples) examples, context of \(plan.contextTokens) tokens\(start)"
      )
    case .read(let rows, let all): terminal.rows("reading", rows, of: all)
    case .step(let step):
      last = step
      // Without a terminal: about twenty lines a run.
      if terminal.isInteractive {
        terminal.status(line(for: step, withBar: true))
      } else if let plan, step.step % max(1, plan.totalSteps / 20) == 0 || step.step == plan.totalSteps {
        terminal.line(line(for: step, withBar: false))
      }
    case .evaluated(let evaluation, let isBest):
      let isFirst = evaluation.step == 0
      terminal.line(
        "\(isFirst && isUntrained ? "untrained" : "step \(evaluation.step)")  validation: loss \(fixed(evaluation.loss, 3))"
          + "  accuracy \(percent(evaluation.accuracy))  macro-F1 \(fixed(evaluation.macroF1, 3))"
          + (isBest && !isFirst ? "  (best so far)" : ""))
      if let last, terminal.isInteractive { terminal.status(line(for: last, withBar: true)) }
    case .saved: break
    }
  }

  func end() { terminal.clear() }

  private mutating func line(for step: StepMetrics, withBar: Bool) -> String {
    guard let plan else { return "" }
    let left = remaining?.seconds.map { ["\(duration($0)) left"] } ?? []
    let parts = [
      "step \(step.step)/\(plan.totalSteps)", "loss \(fixed(step.loss, 3))", "labels \(percent(step.labelAccuracy))",
      "lr \(scientific(step.learningRate))",
      "\(fixed(step.examplesPerSecond, step.examplesPerSecond < 10 ? 1 : 0)) ex/s",
    ]
    guard withBar else { return (parts + left).joined(separator: "  ") }
    let columns = terminal.columns
    let width = columns < 50 ? 0 : min(30, max(10, columns - 75))
    let room = columns - 1 - (width == 0 ? 0 : width + 2)
    // What does not fit is left out from the right, but for the time left; and so it stays, or it would come and go.
    var shown = parts.prefix(partsShown)
    while shown.count > 1, (shown + left).joined(separator: "  ").count > room { shown.removeLast() }
    partsShown = shown.count
    let text = (shown + left).joined(separator: "  ")
    if width == 0 { return text }
    let filled = Int((Double(step.step) / Double(max(plan.totalSteps, 1)) * Double(width)).rounded())
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled) + "  " + text
  }
}
