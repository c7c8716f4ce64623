import Diagnostics
import FileFormats
import Kernels
import Method
import Runs
import Tuning

extension Command {
  /// `cpt eval`.
  static let evaluate = Command(
    name: "eval",
    group: .look,
    summary: "Evaluate a prompt and in-context learning on labelled rows.",
    example: "cpt eval --checkpoint runs/quickstart/best",
    flags: [
      .checkpoint,
      Flag(name: "--config", value: .file, help: "template and data, if the checkpoint has no configuration"),
      .model,
      Flag(name: "--data", value: .file, help: "rows to evaluate instead of a split"),
      Flag(
        name: "--split", value: .choice("NAME", Split.self), help: "train, validation or test (default: test)"),
      .set,
      Flag(name: "--no-icl", help: "skip the baseline (the untrained context)"),
      .scoring,
      Flag(
        name: "--threshold", value: .number("P"),
        help: "also count answers of at least this probability, as predict gives"),
      Flag(
        name: "--fail-under", value: .number("SHARE"), help: "exit with status 2 if the accuracy (0 to 1) is below it"),
      Flag(name: "--predictions", value: .file, help: "write one JSON line per row; - prints them"),
      Flag(name: "--overwrite", help: "replace the file of --predictions"),
      .tensorParallel, .threads, .progress, .json, .help,
    ],
    runsOnRanks: true,
    run: runEval)
}

private func runEval(_ arguments: Arguments) throws -> Int32 {
  let adapter = try arguments.adapter()
  var configuration = try arguments.configuration(
    of: adapter, for: "template and data must come from a configuration")
  var split = arguments.choice("--split", default: Split.test)
  if let file = arguments["--data"] {
    if arguments.has("--split") { throw InputError.usage("--data", "contradicts --split; give one of them") }
    configuration.data.test = file
    configuration.data.testFraction = nil
    split = .test
  }
  let threshold = try arguments.share("--threshold"), required = try arguments.share("--fail-under")
  let ranks = try arguments.ranks()
  let setup = try EvaluationSetup(
    configuration, adapter: adapter, split: split, team: arguments.team(), ranks: ranks)
  try ranks.all.requireSame("model, prompt and rows", setup.fingerprint, remedy: "give every machine the same files")
  let examples = setup.examples
  let truncated = examples.count { $0.row.isTruncated }
  if truncated > 0 {
    note("\(truncated) of \(examples.count) rows are truncated to fit the model's window")
  }
  for sentence in setup.skipped.sentences { note(sentence) }
  let predictions = try arguments.destination("--predictions", isFolder: false)
  let scoring = arguments.choice("--scoring", default: Scoring.acc)
  let terminal = Terminal()
  func predict(_ name: String, _ prompt: TunedPrompt, _ head: ClassifierHead?) throws -> ScoredPredictions {
    defer { terminal.clear() }
    let evaluator = Evaluator(
      decoder: setup.model.decoder, workspace: Workspace(), team: setup.team, ranks: ranks, head: head)
    return try evaluator.withContext(of: prompt) { scorer in
      let predictions = try scorer.predict(examples) { terminal.rows(name, $0, of: examples.count) }
      return try ScoredPredictions(predictions, scorer.priors(of: setup.encoder), scoring)
    }
  }
  let start = ContinuousClock.now
  let method = setup.configuration.training.method
  let tuned = try predict(method.abbreviation, setup.prompt, setup.head)
  let seconds = (ContinuousClock.now - start) / .seconds(1)
  // The untrained prompt is in-context learning only if it consists of examples.
  let hasBaseline = setup.hasInContextLearning && !arguments.has("--no-icl")
  let baseline = hasBaseline ? try predict("ICL", setup.prompt.untrained, nil) : nil
  let labels = setup.encoder.labelNames

  let lines = tuned.chosen.enumerated().map { index, prediction in
    PredictionRecord(prediction, baseline: baseline?.chosen[index], labels: labels)
  }
  if let file = predictions, ranks.isFirst { try write(lines.map { $0.json.compact + "\n" }.joined(), to: file) }
  let result = EvaluationResult(
    method: method, scoring: scoring, tuned: ClassificationReport(tuned.chosen, labels: labels),
    baseline: baseline.map { ClassificationReport($0.chosen, labels: labels) },
    difference: baseline.map { PairedDifference(tuned.chosen, minus: $0.chosen) },
    comparison: ScoringComparison(method, tuned, baseline, labels: labels),
    coverage: threshold.map { threshold in
      (Coverage(tuned.chosen, threshold: threshold), baseline.map { Coverage($0.chosen, threshold: threshold) })
    }, seconds: seconds)
  if ranks.isFirst, let kept = KeptEvaluations(of: adapter) {
    do {
      let evaluation = KeptEvaluation(
        of: setup, split: split, data: arguments["--data"], scoring: scoring, results: result.json)
      try kept.keep(evaluation, lines)
    } catch let error as InputError {
      note("the evaluation is not kept: \(error)")
    }
  }
  if predictions != standardStream {
    try arguments.has("--json") ? printResult(result.json) : printResult(result.text)
  } else if progressStyle == .json {
    terminal.event(.result(result.json))
  } else {
    writeToStandardError((arguments.has("--json") ? result.json.pretty : messageLines(result.text)) + "\n")
  }
  guard let required, result.tuned.accuracy < required else { return 0 }
  let shortfall = "the accuracy, \(result.tuned.accuracy), is below --fail-under \(required)"
  notice("cpt: " + shortfall, asEvent: shortfall)
  return ExitStatus.belowRequirement
}

/// The reports of an evaluation, as text and as JSON.
private struct EvaluationResult {
  let method: TuningMethod
  /// The scoring behind the reports' predictions.
  let scoring: Scoring
  let tuned: ClassificationReport
  let baseline: ClassificationReport?
  let difference: PairedDifference?
  let comparison: ScoringComparison
  /// The answers at the threshold of `--threshold`.
  let coverage: (tuned: Coverage, baseline: Coverage?)?
  /// Time of the tuned prompt's predictions, including the context.
  let seconds: Double

  var json: JSON {
    var members: [JSON.Member] = [
      .init("rows", .integer(tuned.rows)), .init("scoring", .string(scoring.rawValue)),
      .init(method.rawValue, tuned.json),
    ]
    if let baseline { members.append(.init("icl", baseline.json)) }
    if let difference {
      members.append(
        .init(
          "difference",
          .object([
            .init("accuracy", .number(difference.accuracy)),
            .init("accuracy_stderr", .number(difference.standardError)),
          ])))
    }
    members.append(.init("scorings", comparison.json))
    if let coverage {
      let baseline = coverage.baseline.map { [JSON.Member("icl", $0.json)] } ?? []
      members.append(.init("answers", .object([.init(method.rawValue, coverage.tuned.json)] + baseline)))
    }
    members.append(.init("elapsed_seconds", .number(seconds)))
    return .object(members)
  }

  var text: String {
    func summary(_ name: String, _ report: ClassificationReport) -> [String] {
      [
        name, percent(report.accuracy), "± " + percent(report.accuracyStandardError), fixed(report.macroF1, 3),
        fixed(report.loss, 3), interval(report.accuracyInterval),
      ]
    }
    let title = "\(tuned.rows) rows" + (scoring == .acc ? "" : ", \(scoring.rawValue)")
    var rows = [
      [title, "accuracy", "std. error", "macro-F1", "loss", "95 % interval"], summary(method.abbreviation, tuned),
    ]
    if let baseline { rows.append(summary("ICL", baseline)) }
    if let difference {
      let sign = difference.accuracy > 0 ? "+" : ""
      rows.append(["difference", sign + percent(difference.accuracy), "± " + percent(difference.standardError)])
    }
    let classes = tuned.classes.map { item in
      [
        clipped(item.label, to: 30), fixed(item.precision, 3), fixed(item.recall, 3), fixed(item.f1, 3),
        String(item.support),
      ]
    }
    let perClass = table(
      [["\(method.abbreviation) by label", "precision", "recall", "F1", "rows"]] + classes, rightAligned: [1, 2, 3, 4])
    return
      ([table(rows, rightAligned: [1, 2, 3, 4, 5]), answers, perClass, confusion, comparison.text].compactMap { $0 })
      .joined(separator: "\n\n")
  }

  /// How many rows have an answer at the threshold, and how many of these are right.
  private var answers: String? {
    guard let coverage else { return nil }
    let methods = [(method.abbreviation, coverage.tuned)] + (coverage.baseline.map { [("ICL", $0)] } ?? [])
    return table(
      [["probability at least \(coverage.tuned.threshold)", "answered", "of all", "right of these"]]
        + methods.map { name, answers in
          [name, String(answers.answered), percent(answers.share), answers.accuracy.map(percent) ?? "–"]
        }, rightAligned: [1, 2, 3])
  }

  /// The confusion matrix, or the most frequent mistakes if the matrix would be too wide.
  private var confusion: String {
    let names = tuned.classes.map(\.label)
    if names.count <= Self.mostColumns {
      let matrix = zip(names, tuned.confusion).map { name, counts in [clipped(name, to: 20)] + counts.map(String.init) }
      let header =
        ["label \\ \(method.abbreviation) predicted"] + names.map { clipped($0, to: 58 / max(1, names.count) - 2) }
      return table([header] + matrix, rightAligned: Set(1...max(1, names.count)))
    }
    let mistakes = names.indices.flatMap { label in
      names.indices.filter { $0 != label && tuned.confusion[label][$0] > 0 }.map { said in
        (label: label, said: said, rows: tuned.confusion[label][said])
      }
    }.sorted { $0.rows > $1.rows }
    let lines = mistakes.prefix(10).map {
      [clipped(names[$0.label], to: 30), clipped(names[$0.said], to: 30), String($0.rows)]
    }
    return table(
      [["most frequent mistakes", "\(method.abbreviation) predicted", "rows"]] + lines, rightAligned: [2])
  }

  private static let mostColumns = 6
}
