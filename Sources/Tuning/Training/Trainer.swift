import Diagnostics
import FileFormats
import Kernels
import Method
import Runs
import System

/// Optimises a prompt and writes the run's folder.
package struct Trainer {
  private let setup: TrainingSetup
  private let run: RunDirectory
  private let configuration: Configuration
  private let training: TrainingConfiguration
  package let examples: [TypedTokens]
  /// The weights of the examples in the loss; nil: they are equal.
  package let weights: [Double]?
  /// The places of training rows whose text was truncated to fit the model.
  let truncatedRows: [String]
  package let validation: [EncodedExample]
  /// The training rows as the classifier of the method `head` reads them; none with another method.
  private let classified: (rows: [EncodedExample], labels: [Int])
  private let step: TrainingStep
  private let stepContext: StepContext
  private let planner: ComputingPlanner
  private var computing: Computing
  /// Operations of the run.
  package let work: RunWork
  private let order: BatchOrder
  private let schedule: LearningRateSchedule
  package let totalSteps: Int
  package let stepsPerEpoch: Int
  private var state: Checkpoint
  /// The sole use of the run's folder.
  private var lock: FolderLock?
  /// The step of the checkpoint that the run resumed from; nil: it started from the beginning.
  private var resumedStep: Int?

  /// Encodes the rows and plans the steps; writes nothing yet.
  ///
  /// - Throws: `InputError.badData` naming a row that cannot be trained on, or a memory limit that is too low.
  package init(_ setup: TrainingSetup, run: RunDirectory) throws {
    self.setup = setup
    self.run = run
    configuration = setup.configuration
    training = configuration.training
    (examples, truncatedRows) = try setup.encoder.tokens(of: setup.rows.training)
    weights = try setup.encoder.weights(of: setup.rows.training, configuration.data)
    try setup.encoder.requireLabelsToTellApart(
      in: setup.rows.training + setup.rows.context, labelColumn: configuration.data.labelColumn)
    validation = try setup.examples(of: .validation)
    classified = training.method == .head ? try setup.encoder.untilLabels(of: setup.rows.training) : ([], [])
    let workspace = Workspace()
    step = TrainingStep(
      decoder: setup.model.decoder, context: setup.context.tokens, loss: configuration.loss,
      workspace: workspace, team: setup.team)
    stepContext = try StepContext(setup)
    order = BatchOrder(examples: examples.count, training)
    stepsPerEpoch = order.stepsPerEpoch
    let total = try Self.steps(of: training, perEpoch: order.stepsPerEpoch)
    totalSteps = total
    planner = ComputingPlanner(
      setup, step, examples: examples, validation: classified.rows + validation, batches: order.batches(upTo: total))
    let computing = try planner.fastest()
    self.computing = computing
    work = RunWork(
      step: step, examples: examples, order: order, plan: computing.plan, steps: total,
      evaluation: computing.evaluation)
    let warmup = training.warmupRatio.flatMap { $0 > 0 ? .share($0) : nil } ?? training.warmupSteps
    schedule = LearningRateSchedule(kind: training.schedule, warmupSteps: warmup.count(of: total), totalSteps: total)
    state = Checkpoint(
      prompt: setup.startingPrompt,
      optimizer: Optimizer(
        kind: training.optimizer, weightDecay: training.weightDecay, count: setup.startingPrompt.delta.count),
      computation: computing.choices, rows: (examples.count, validation.count),
      earlyStopping: training.earlyStoppingPatience == nil ? nil : EarlyStopping())
  }

  /// Optimiser steps of a run.
  private static func steps(of training: TrainingConfiguration, perEpoch stepsPerEpoch: Int) throws -> Int {
    if !training.method.takesSteps { return 0 }
    if let steps = training.maxSteps { return steps }
    let planned = (training.epochs * Double(stepsPerEpoch)).rounded(.up)
    guard planned < 1e9 else {
      throw InputError.badData("training.num_train_epochs", "gives \(planned) steps; use fewer")
    }
    return max(1, Int(planned))
  }

  /// Steps between evaluations; nil: there are only the first and the last.
  private var evaluationInterval: Int? {
    training.evaluationSteps.map { max(1, $0.count(of: totalSteps)) }
      ?? (training.earlyStoppingPatience == nil ? nil : stepsPerEpoch)
  }

  /// Evaluations of the whole run, unless it stops early: before its first step, after its last one, and between them.
  package var evaluations: Int { totalSteps == 0 ? 1 : 2 + (totalSteps - 1) / (evaluationInterval ?? totalSteps) }

  /// Whether the run is over before its last step, for the lack of a better evaluation.
  private var hasStoppedEarly: Bool {
    guard let patience = training.earlyStoppingPatience, let found = state.earlyStopping else { return false }
    return state.step < totalSteps && found.evaluationsWithoutBetter >= patience
  }

  package var packPlan: PackPlan { computing.plan }
  /// Estimated peak memory of the process in bytes.
  package var estimatedMemory: Int { computing.bytes }

  /// The shape of the run.
  package var plan: TrainingPlan {
    TrainingPlan(
      firstStep: state.step, totalSteps: totalSteps, stepsPerEpoch: stepsPerEpoch, warmupSteps: schedule.warmupSteps,
      trainingExamples: examples.count, validationExamples: validation.count, contextTokens: setup.context.count,
      evaluationSteps: evaluationInterval, mayStopEarly: training.earlyStoppingPatience != nil)
  }

  /// Measures how fast this machine computes the run: a step, or a part of one that takes about so many operations, and
  /// so with an evaluation. Each is computed twice; the first time reads the weights.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package func measureRates(within operations: Double) throws -> RunRates {
    func rate(_ cost: Measurement, _ work: () throws -> Void) rethrows -> Double {
      let seconds = try (0..<2).map { _ in
        let start = monotonicSeconds()
        try work()
        return monotonicSeconds() - start
      }
      return cost.operations / max(seconds.min() ?? 0, 1e-9)
    }
    func part(_ count: Int, of all: Double) -> Int { max(1, Int(Double(count) * min(1, operations / max(all, 1)))) }
    var ofStep: Double?
    if totalSteps > 0 {
      let members = order.batch(forStep: 0)
      let rows = members.prefix(part(members.count, of: work.operationsOfStep)).map { examples[$0] }
      let kept = Array(0..<part(setup.context.count, of: work.operationsOfStep))
      let cost = TrainingStep(
        decoder: step.decoder, context: step.context.keeping(kept), loss: step.loss, workspace: step.workspace,
        team: step.team
      ).measure(examples: rows, plan: computing.plan)
      ofStep = rate(cost) {
        _ = step.run(prompt: state.prompt.embeddings, examples: rows, plan: computing.plan, keeping: kept)
      }
    }
    var ofEvaluation: Double?
    let predicted = classified.rows + validation
    if !predicted.isEmpty {
      let rows = Array(predicted.prefix(part(predicted.count, of: work.operationsOfEvaluation)))
      let kept = part(setup.context.count, of: work.operationsOfEvaluation), prompt = state.prompt
      let context = Context(
        tokenIDs: Array(prompt.context.tokens.ids.prefix(kept)), mask: nil,
        types: Array(prompt.context.tokens.types.prefix(kept)))
      let shorter = TunedPrompt(
        context: context, initial: Array(prompt.initial.prefix(kept * prompt.width)),
        radii: configuration.projection, width: prompt.width)
      let readsStates = training.method == .head
      let cost = try computing.evaluator.measure(rows, contextCount: kept, readsStates: readsStates)
      ofEvaluation = try rate(cost) {
        if readsStates {
          _ = try computing.evaluator.hiddenStates(of: rows, prompt: shorter) { _ in true }
        } else {
          _ = try computing.evaluator.predict(rows, prompt: shorter)
        }
      }
    }
    return RunRates(step: ofStep, evaluation: ofEvaluation)
  }

  /// Takes the run's folder for this process, and goes on with the run in it if that is asked for: from its newest
  /// checkpoint, or from the beginning without one.
  ///
  /// - Returns: whether other processes are kept out; false where the file system has no locks.
  /// - Throws: `InputError` when the folder is in use or holds what must not be there, or when the run in it had another
  ///   configuration.
  @discardableResult
  package mutating func begin(_ earlier: EarlierRun) throws -> Bool {
    let lock = try run.claim(earlier)
    self.lock = lock
    if [.resume, .resumeIfAny].contains(earlier) { try resume() }
    return lock.isExclusive
  }

  private mutating func resume() throws {
    if fileExists(run.configurationFile) {
      let earlier = try Configuration(file: run.configurationFile)
      if let key = configuration.firstDifference(thatMattersFrom: earlier, comparesPaths: false) {
        throw InputError.usage(
          "--resume",
          "\"\(key)\" differs from \(run.configurationFile); --resume needs the settings the run started with "
            + "(start a new run with --overwrite or another --output)")
      }
    }
    guard let newest = run.checkpointSteps.last else { return }
    try state.read(
      from: run.checkpoint(newest), data: fingerprint, model: setup.model.fingerprint, totalSteps: totalSteps)
    resumedStep = state.step
    // A caller that gives other threads has been told what that does.
    state.computation.threads = setup.team.threads
    if state.computation == computing.choices { return }
    computing = try planner.recorded(state.computation)
    let limit = planner.limit
    guard computing.bytes <= limit.value else {
      throw InputError.usage(
        "--resume",
        "the run computes \(computing.plan), which takes about \(computing.bytes / 1_000_000 + 1) MB; \(limit.source) "
          + "is \(limit.value / 1_000_000) MB now; raise it, or start a new run from the adapter in "
          + "\(run.checkpoint(newest)) (\"initial_adapter\")")
    }
  }

  /// Runs all remaining steps.
  ///
  /// - Parameters:
  ///   - stopAfter: ends the run after this step as if interrupted, with a checkpoint.
  ///   - shouldStop: asked after every step; true ends the run with a checkpoint.
  ///   - listener: is called for every step, evaluation and checkpoint.
  /// - Returns: how the run ended.
  /// - Throws: `InputError.badData` when loss or gradient is not finite; earlier checkpoints are kept.
  package mutating func train(
    stopAfter: Int? = nil, shouldStop: () -> Bool = { false }, report listener: (TrainingEvent) throws -> Void
  ) throws -> TrainingSummary {
    precondition(lock != nil, "the run has begun")
    try writeAtomically(configuration.resolvedJSON.pretty + "\n", to: run.configurationFile)
    try run.keepMetrics(upTo: resumedStep)
    // A process that was killed may not have come to it.
    try removeOldCheckpoints()
    let metrics = try AppendingFile(path: run.metricsFile)
    let tensorBoard =
      training.report == .tensorBoard
      ? try TensorBoardLog(folder: run.tensorBoard, firstStep: resumedStep.map { $0 + 1 } ?? 0) : nil
    func report(_ event: TrainingEvent) throws {
      try tensorBoard?.append(event)
      try listener(event)
    }
    let start = monotonicSeconds()
    try report(.started(plan))
    var wasInterrupted = false

    func validate() throws {
      if validation.isEmpty { return }
      let (evaluation, isBest) = try evaluate(elapsedSince: start)
      try metrics.append(line: evaluation.json.compact)
      try report(.evaluated(evaluation, isBest: isBest))
    }
    func isDue(_ interval: Int?) -> Bool { interval.map { state.step % $0 == 0 } ?? false }
    let saveInterval = training.saveSteps.map { max(1, $0.count(of: totalSteps)) }
    if training.method == .head {
      let all = classified.rows.count
      wasInterrupted = try !fitHead { rows in
        try report(.read(rows: rows, of: all))
        return !shouldStop()
      }
    }
    if resumedStep == nil, !wasInterrupted { try validate() }
    while state.step < totalSteps, !hasStoppedEarly {
      let stepStart = monotonicSeconds()
      let members = order.batch(forStep: state.step)
      state.prompt.project()
      let result = step.run(
        prompt: state.prompt.embeddings, examples: members.map { examples[$0] },
        weights: weights.map { weights in members.map { weights[$0] } }, plan: computing.plan,
        keeping: stepContext.tokens(forStep: state.step, batch: members))
      var gradient = result.gradient
      state.prompt.maskGradient(&gradient)
      let norm = clip(&gradient, toNorm: training.maxGradientNorm)
      guard result.loss.isFinite, norm.isFinite else {
        throw InputError.badData(
          "step \(state.step + 1)",
          "the \(result.loss.isFinite ? "gradient" : "loss") is not finite; lower "
            + "training.learning_rate or check the model's weights; checkpoints in \(run.path) are kept")
      }
      let rate = training.learningRate * schedule.factor(atStep: state.step)
      state.optimizer.update(&state.prompt.delta, gradient: gradient, learningRate: rate)
      state.step += 1

      let now = monotonicSeconds()
      let line = StepMetrics(
        step: state.step, epoch: Double(state.step) / Double(stepsPerEpoch), loss: result.loss,
        labelAccuracy: result.labelAccuracy, learningRate: rate, gradientNorm: norm,
        examplesPerSecond: Double(members.count) / max(now - stepStart, 1e-9), elapsedSeconds: now - start)
      try metrics.append(line: line.json.compact)
      try report(.step(line))

      if validation.isEmpty { state.earlyStopping?.add(loss: result.loss) }
      if state.step == totalSteps || isDue(evaluationInterval) {
        if validation.isEmpty { state.earlyStopping?.countTrainingLoss() } else { try validate() }
      }
      let isLast = state.step == totalSteps || hasStoppedEarly
      wasInterrupted = !isLast && (shouldStop() || stopAfter.map { state.step >= $0 } == true)
      if isLast || wasInterrupted || isDue(saveInterval) { try save(report) }
      if wasInterrupted { break }
    }
    if !wasInterrupted {
      try Adapter(
        prompt: state.prompt.projected, configuration: configuration, model: AdapterModel(setup.model), head: state.head
      ).write(to: run.path)
    }
    return TrainingSummary(
      step: state.step, totalSteps: totalSteps, wasInterrupted: wasInterrupted,
      stagnation: hasStoppedEarly ? (stoppingMeasure, state.earlyStopping?.evaluationsWithoutBetter ?? 0) : nil,
      bestStep: state.bestStep, bestMetric: state.bestMetric, elapsedSeconds: monotonicSeconds() - start,
      plannedMemory: estimatedMemory, head: state.head?.fit)
  }

  /// Fits the classifier to the hidden states of the training rows.
  ///
  /// - Parameter goesOn: gets the number of rows done; false ends it.
  /// - Returns: false if `goesOn` ended it.
  /// - Throws: `InputError.badData` when there is nothing to tell apart, or for numbers that are not finite.
  private mutating func fitHead(goesOn: (Int) throws -> Bool) throws -> Bool {
    guard let states = try computing.evaluator.hiddenStates(of: classified.rows, prompt: state.prompt, goesOn: goesOn)
    else { return false }
    let names = setup.encoder.labelNames
    let head = try ClassifierHead(
      fitting: states, labels: classified.labels, of: names, configuration.head)
    state.head = head
    computing.evaluator.head = head.arranged(for: names)
    return true
  }

  /// What early stopping watches.
  private var stoppingMeasure: String {
    if validation.isEmpty { return "training loss" }
    return switch training.bestMetric {
    case .accuracy: "validation accuracy"
    case .macroF1: "validation macro-F1"
    case .loss: "validation loss"
    }
  }

  private mutating func evaluate(elapsedSince start: Double) throws -> (EvaluationMetrics, isBest: Bool) {
    let predictions = try computing.evaluator.predict(validation, prompt: state.prompt.projected)
    let report = ClassificationReport(predictions, labels: setup.encoder.labelNames)
    let (value, isHigherBetter) =
      switch training.bestMetric {
      case .accuracy: (report.accuracy, true)
      case .macroF1: (report.macroF1, true)
      case .loss: (report.loss, false)
      }
    let isBest =
      state.bestMetric.map { best in
        // Few rows often give equal accuracies.
        value == best ? report.loss < state.bestLoss ?? report.loss : isHigherBetter == (value > best)
      } ?? true
    state.earlyStopping?.count(isBetter: isBest)
    if isBest {
      state.bestMetric = value
      state.bestLoss = report.loss
      state.bestStep = state.step
      try write(to: run.best)
    }
    let metrics = EvaluationMetrics(
      step: state.step, epoch: Double(state.step) / Double(stepsPerEpoch), loss: report.loss, accuracy: report.accuracy,
      macroF1: report.macroF1, elapsedSeconds: monotonicSeconds() - start)
    return (metrics, isBest)
  }

  private func write(to folder: String) throws {
    try state.write(
      to: folder, configuration: configuration, model: AdapterModel(setup.model), data: fingerprint,
      modelFingerprint: setup.model.fingerprint)
  }

  /// A hash of every token the run depends on: a run can only resume on the data it started with.
  private var fingerprint: String {
    var fingerprint = Fingerprint()
    for tokens in [setup.context.tokens] + examples + validation.map(\.tokens) {
      for value in tokens.ids + tokens.types + [-1] { fingerprint.add(value) }
    }
    return fingerprint.text
  }

  private func save(_ report: (TrainingEvent) throws -> Void) throws {
    let folder = run.checkpoint(state.step)
    try write(to: folder)
    try removeOldCheckpoints()
    try report(.saved(folder))
  }

  private func removeOldCheckpoints() throws {
    guard let limit = training.saveTotalLimit else { return }
    for old in run.checkpointSteps.dropLast(limit) { try run.removeCheckpoint(run.checkpoint(old)) }
  }
}
