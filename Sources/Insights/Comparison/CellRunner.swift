import FileFormats
import Kernels
import Method
import Runs
import System
import Tuning

/// Trains and evaluates single cells and candidates of a study, each in a folder of its own.
final class CellRunner {
  private let study: Study
  /// The folder of the comparison.
  private let folder: String
  /// The rows that cells are measured on.
  private let split: Split
  private let team: ThreadTeam
  /// The ranks on this machine, which each compute a cell.
  private let ranksOnMachine: Int
  private let hashes: DataHashes
  /// Is told the progress.
  var report: (ComparisonRun.Event) -> Void = { _ in }
  /// Is called once a cell can be trained, before anything of it is written.
  var willTrain: () throws -> Void = {}

  init(
    _ study: Study, in folder: String, measuring split: Split, team: ThreadTeam, ranksOnMachine: Int, hashes: DataHashes
  ) {
    self.study = study
    self.folder = folder
    self.split = split
    self.team = team
    self.ranksOnMachine = ranksOnMachine
    self.hashes = hashes
  }

  /// Trains and evaluates a cell; nil when it was stopped.
  func cell(
    _ condition: Condition, _ method: Study.Variant, _ seed: Int, choice: [(path: String, value: JSON)],
    shouldStop: () -> Bool
  ) throws -> (cell: Comparison.Cell, times: ComparisonTimes.Cell)? {
    var cell = Comparison.Cell(condition: condition, method: method.name, seed: seed)
    let configuration = try study.cellConfiguration(condition, method, seed: seed, choice: choice)
    guard let run = try train(configuration, in: cell.folder, shouldStop: shouldStop) else { return nil }
    let clock = ContinuousClock(), start = clock.now
    let examples = try run.setup.examples(of: split)
    let labels = run.setup.encoder.labelNames
    struct Stop: Error {}
    func goOn() throws { if shouldStop() { throw Stop() } }
    do {
      try run.evaluator.withContext(of: run.prompt) { scorer in
        let predictions = try scorer.predict(examples) {
          report(.scoring(rows: $0, of: examples.count))
          try goOn()
        }
        let priors = scorer.priors(of: run.setup.encoder)
        cell.scorings = Scoring.allCases.compactMap { scoring in
          priors.predictions(predictions, by: scoring).map {
            Comparison.ScoringAccuracy(
              scoring: scoring, accuracy: ClassificationReport($0, labels: labels).accuracy)
          }
        }
        let result = ClassificationReport(predictions, labels: labels)
        cell.accuracy = result.accuracy
        cell.accuracyStandardError = result.accuracyStandardError
        cell.macroF1 = result.macroF1
        cell.loss = result.loss
        cell.hits = predictions.map { $0.predicted == $0.label }
        let records = predictions.map { PredictionRecord($0, baseline: nil, labels: labels).json.compact + "\n" }
        try writeAtomically(
          records.joined(), to: folder + "/" + cell.folder + "/" + Comparison.predictionsFile)
        if run.steps > 0 || run.head != nil {
          let measured = run.setup.rows.training.spread(over: Self.trainingRowsMeasured)
          let training = try ClassificationReport(
            scorer.predict(run.setup.encoder.examples(of: measured)) { _ in try goOn() }, labels: labels)
          cell.trainingAccuracy = training.accuracy
          cell.trainingLoss = training.loss
        }
      }
    } catch is Stop { return nil }
    let rows = run.setup.rows
    cell.dataFingerprint = try hashes.fingerprint(of: configuration.data)
    cell.rowsLearntFrom = configuration.training.method == .icl ? rows.context.count : rows.learntFrom
    cell.steps = run.steps
    cell.parameters = run.head?.parameterCount ?? (run.steps == 0 ? 0 : run.prompt.trainedCount)
    let seconds = (clock.now - start) / .seconds(1)
    return (
      cell,
      ComparisonTimes.Cell(folder: cell.folder, trainingSeconds: run.seconds, evaluationSeconds: seconds)
    )
  }

  /// Most of the rows trained on that the loss on them is measured on.
  private static let trainingRowsMeasured = 100

  /// Trains a combination of values and measures it on validation rows; nil when it was stopped.
  func candidate(
    _ condition: Condition, _ method: Study.Variant, index: Int, shouldStop: () -> Bool
  ) throws -> Comparison.Candidate? {
    let choice = study.choices(of: method)[index]
    var candidate = Comparison.Candidate(
      condition: condition, method: method.name, number: index + 1, settings: Study.settings(choice))
    let configuration = try study.configuration(condition, method, seed: study.seeds[0], choice: choice)
    var results: [ClassificationReport] = []
    for fold in 0..<(configuration.data.validationFolds ?? 1) {
      var part = configuration, name = candidate.folder
      if configuration.data.validationFolds != nil {
        part.data.validationFold = fold
        name += "-fold-\(fold + 1)"
      }
      guard let run = try train(part, in: name, shouldStop: shouldStop) else { return nil }
      let examples = try run.setup.examples(of: .validation)
      results.append(
        ClassificationReport(
          try run.evaluator.predict(examples, prompt: run.prompt), labels: run.setup.encoder.labelNames))
      try RunDirectory(folder + "/" + name).removeCheckpoints()
    }
    candidate.accuracy = results.reduce(0) { $0 + $1.accuracy } / Double(results.count)
    candidate.loss = results.reduce(0) { $0 + $1.loss } / Double(results.count)
    candidate.dataFingerprint = try hashes.fingerprint(of: configuration.data)
    return candidate
  }

  /// A finished run: what it was made from, and its prompt, the best one if there are validation rows, or its head.
  private struct FinishedRun {
    let setup: TrainingSetup
    let prompt: TunedPrompt
    /// nil: the method trains a prompt, or nothing.
    let head: ClassifierHead?
    let evaluator: Evaluator
    let steps: Int
    let seconds: Double
  }

  /// Trains a run in a folder of the comparison, or goes on with it; nil when it was stopped.
  private func train(
    _ configuration: Configuration, in name: String, shouldStop: () -> Bool
  ) throws -> FinishedRun? {
    report(.began(name))
    var configuration = configuration
    let directory = RunDirectory(folder + "/" + name)
    configuration.outputDirectory = directory.path
    let setup = try TrainingSetup(configuration, team: team, ranks: .alone(onMachine: ranksOnMachine))
    var trainer = try Trainer(setup, run: directory)
    try willTrain()
    try trainer.begin(.resumeIfAny)
    let summary = try trainer.train(shouldStop: shouldStop) { report(.training($0)) }
    if summary.wasInterrupted { return nil }
    let decoder = setup.model.decoder
    let adapter = try Adapter(folder: summary.bestStep == nil ? directory.path : directory.best)
    let head = try adapter.head(
      for: configuration.training.method, labels: setup.encoder.labelNames, decoder: decoder)
    return FinishedRun(
      setup: setup, prompt: try adapter.prompt(over: decoder), head: head,
      evaluator: Evaluator(decoder: decoder, workspace: Workspace(), team: team, head: head),
      steps: summary.step, seconds: summary.elapsedSeconds)
  }
}
