import Collectives
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
  /// The sole use of the run's folder; only the first rank has it.
  private var lock: FolderLock?
  private var hasBegun = false
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
      workspace: workspace, team: setup.team, ranks: setup.ranks.data)
    stepContext = try StepContext(setup)
    order = BatchOrder(examples: examples.count, training)
    stepsPerEpoch = order.stepsPerEpoch
    let total = try Self.steps(of: training, perEpoch: order.stepsPerEpoch)
    totalSteps = total
    let ranks = setup.ranks.data, order = order
    let batches = order.batches(upTo: total)
    guard training.method == .head || ranks.size <= batches[0].count else {
      throw InputError.badData(
        "training.batch_size",
        "gives steps of \(batches[0].count) example\(batches[0].count == 1 ? "" : "s"), and \(ranks.size) ranks share them; "
          + "use at most as many ranks, or larger batches")
    }
    planner = ComputingPlanner(
      setup, step, examples: examples, validation: classified.rows + validation,
      // Of an epoch's last batch, some ranks may have nothing.
      batches: batches.map { Array($0[ranks.share(of: $0.count)]) }.filter { !$0.isEmpty })
    let computing = try planner.fastestOfAllRanks()
    self.computing = computing
    work = RunWork(
      step: step, examples: examples,
      batch: { index in
        let batch = order.batch(forStep: index)
        return Array(batch[ranks.share(of: batch.count)])
      }, plan: computing.plan, steps: total, evaluation: computing.evaluation)
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

  /// How many times as fast as one rank some ranks compute a step, S(R) = (c + B·e) / (c + B·e / R): each computes the context,
  /// c, and its share of the B examples of e operations each, rounded up. nil: a step has fewer examples.
  package func speedup(ranks: Int) -> Double? {
    let batch = order.batch(forStep: 0).map { examples[$0] }
    guard totalSteps > 0, ranks <= batch.count else { return nil }
    func operations(_ count: Int) -> Double {
      step.measure(examples: Array(batch.prefix(count)), plan: computing.plan).operations
    }
    return operations(batch.count) / operations((batch.count + ranks - 1) / ranks)
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
      let width = step.decoder.width
      let part = TrainingStep(
        decoder: step.decoder, context: step.context.keeping(kept), loss: step.loss, workspace: step.workspace,
        team: step.team)
      let embeddings = Array(state.prompt.embeddings.prefix(kept.count * width))
      ofStep = rate(part.measure(examples: rows, plan: computing.plan)) {
        _ = part.run(prompt: embeddings, examples: rows, plan: computing.plan)
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

  /// Takes the run's folder for this process, or for the first rank, and goes on with the run in it if that is asked for:
  /// from its newest checkpoint, or from the beginning without one.
  ///
  /// - Returns: whether other processes are kept out; false where the file system has no locks.
  /// - Throws: `InputError` when the folder is in use or holds what must not be there, or when the run in it had another
  ///   configuration.
  @discardableResult
  package mutating func begin(_ earlier: EarlierRun) throws -> Bool {
    let ranks = setup.ranks
    if ranks.isFirst { lock = try run.claim(earlier) }
    // The other ranks read what the first has left in the folder.
    _ = ranks.all.all(true)
    if [.resume, .resumeIfAny].contains(earlier) { try resume() }
    let remedy = "give every machine the same files"
    try ranks.all.requireSame(
      "the configuration", Fingerprint(of: Array(configuration.resolvedJSON.compact.utf8)).text, remedy: remedy)
    try ranks.all.requireSame("the rows", fingerprint, remedy: remedy)
    try ranks.all.requireSame("the model", setup.model.fingerprint, remedy: remedy)
    try ranks.all.requireSame(
      "the checkpoint", "step \(state.step)", remedy: "put the run's folder where every machine sees it")
    hasBegun = true
    return lock?.isExclusive ?? true
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
    state.computation.dataRanks = computing.choices.dataRanks
    state.computation.tensorRanks = computing.choices.tensorRanks
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
    precondition(hasBegun, "the run has begun")
    let ranks = setup.ranks
    let recorder =
      ranks.isFirst
      ? try RunRecorder(run, configuration, model: setup.model, data: fingerprint, resumedFrom: resumedStep) : nil
    func report(_ event: TrainingEvent) throws {
      try recorder?.append(event)
      try listener(event)
    }
    let start = monotonicSeconds()
    try report(.started(plan))
    var wasInterrupted = false

    func validate() throws {
      if validation.isEmpty { return }
      let (evaluation, isBest) = try evaluate(elapsedSince: start)
      if isBest { try recorder?.writeBest(state) }
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
      try report(.step(line))

      if validation.isEmpty { state.earlyStopping?.add(loss: result.loss) }
      if state.step == totalSteps || isDue(evaluationInterval) {
        if validation.isEmpty { state.earlyStopping?.countTrainingLoss() } else { try validate() }
      }
      let isLast = state.step == totalSteps || hasStoppedEarly
      let isAsked = shouldStop() || stopAfter.map { state.step >= $0 } == true
      // A signal need not reach all ranks, nor at once.
      wasInterrupted = !isLast && !ranks.all.all(!isAsked)
      if isLast || wasInterrupted || isDue(saveInterval) {
        try recorder?.writeCheckpoint(state)
        try report(.saved(run.checkpoint(state.step)))
      }
      if wasInterrupted { break }
    }
    if !wasInterrupted { try recorder?.writeAdapter(state) }
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
    }
    let metrics = EvaluationMetrics(
      step: state.step, epoch: Double(state.step) / Double(stepsPerEpoch), loss: report.loss, accuracy: report.accuracy,
      macroF1: report.macroF1, elapsedSeconds: monotonicSeconds() - start)
    return (metrics, isBest)
  }

  /// A hash of every token the run depends on: a run can only resume on the data it started with.
  private var fingerprint: String {
    var fingerprint = Fingerprint()
    for tokens in [setup.context.tokens] + examples + validation.map(\.tokens) {
      for value in tokens.ids + tokens.types + [-1] { fingerprint.add(value) }
    }
    return fingerprint.text
  }
}
