import FileFormats

/// The progress of a run when it wrote an adapter: the trainer_state.json beside that adapter.
package struct TrainerState: Sendable, Equatable {
  /// The file's name.
  package static let file = "trainer_state.json"

  /// Optimiser steps taken.
  package var step: Int
  /// The step of the best evaluation so far; nil before the first.
  package var bestStep: Int?
  /// The value of `training.metric_for_best_model` at the best evaluation.
  package var bestMetric: Double?
  /// The loss of that evaluation, which decides among equal values; nil in a file of an early version.
  package var bestLoss: Double?
  /// Number of training rows; nil in a file of an early version.
  package var trainingRows: Int?
  /// Number of validation rows; nil in a file of an early version.
  package var validationRows: Int?
  /// A hash of every token the run depends on.
  package var dataFingerprint: String
  /// A hash of the frozen model; nil in a file of an early version.
  package var modelFingerprint: String?
  /// How the run computes; nil in a file of an early version.
  package var computation: Computation?
  /// What decides when the run stops early; nil without `training.early_stopping_patience`.
  package var earlyStopping: EarlyStopping?
}

/// The evaluations since the best one, which stop a run early, and for a run without validation rows its training loss.
package struct EarlyStopping: Sendable, Equatable {
  /// Evaluations in a row that were not better than the best one before.
  package var evaluationsWithoutBetter = 0
  /// The lowest mean training loss between two evaluation points; nil before the first, or with validation rows.
  package var bestTrainingLoss: Double?
  /// The sum of the losses of the steps since the last evaluation point.
  package var lossSum = 0.0
  /// The number of those steps.
  package var lossSteps = 0

  package init() {}

  /// Counts an evaluation.
  package mutating func count(isBetter: Bool) {
    evaluationsWithoutBetter = isBetter ? 0 : evaluationsWithoutBetter + 1
  }

  /// Adds a step's training loss.
  package mutating func add(loss: Double) {
    lossSum += loss
    lossSteps += 1
  }

  /// Counts an evaluation point of a run without validation rows, and begins the mean of the next one.
  package mutating func countTrainingLoss() {
    guard lossSteps > 0 else { return }
    let mean = lossSum / Double(lossSteps)
    let isBetter = bestTrainingLoss.map { mean < $0 } ?? true
    if isBetter { bestTrainingLoss = mean }
    count(isBetter: isBetter)
    lossSum = 0
    lossSteps = 0
  }
}

/// The choices that change only the rounding of a run's numbers. A run that resumes keeps them, and so its numbers.
package struct Computation: Sendable, Equatable {
  /// Maximum examples of a batch that are computed at a time.
  package var packExamples: Int
  /// Whether a forward keeps only the inputs of blocks, from which the backward computes the rest again.
  package var recomputesActivations: Bool
  /// Maximum tokens that an evaluation computes at a time.
  package var evaluationPackTokens: Int
  /// Number of threads, of each rank.
  package var threads: Int
  /// Number of ranks that shared the examples of a step; nil for one.
  package var dataRanks: Int?
  /// Number of ranks that had a part of the model each; nil for one.
  package var tensorRanks: Int?

  package init(packExamples: Int, recomputesActivations: Bool, evaluationPackTokens: Int, threads: Int) {
    self.packExamples = packExamples
    self.recomputesActivations = recomputesActivations
    self.evaluationPackTokens = evaluationPackTokens
    self.threads = threads
  }
}

extension TrainerState: Record {
  package init() { self.init(step: 0, dataFingerprint: "") }

  package static let fields: [Field<TrainerState>] = [
    Field("step", \.step, .integer(from: 0), "optimiser steps taken"),
    Field("best_step", \.bestStep, .null(or: .integer(from: 0)), "step of the best evaluation so far"),
    Field(
      "best_metric", \.bestMetric, .null(or: .number),
      "value of training.metric_for_best_model at that evaluation"),
    .optional("best_loss", \.bestLoss, .measurement, "loss of that evaluation, which decides among equal values"),
    .optional("training_rows", \.trainingRows, .integer(from: 0), "number of training rows"),
    .optional("validation_rows", \.validationRows, .integer(from: 0), "number of validation rows"),
    Field(
      "data_fingerprint", \.dataFingerprint, .text,
      "hash of the tokens of the context, the training and validation rows"),
    .optional("model_fingerprint", \.modelFingerprint, .text, "hash of the frozen model's shapes and of some weights"),
    .optional("computation", \.computation, .record, "choices that a resumed run keeps, since they round"),
    .optional(
      "early_stopping", \.earlyStopping, .record, "what decides when the run stops early, if its configuration lets it"),
  ]
}

extension EarlyStopping: Record {
  package static let fields: [Field<EarlyStopping>] = [
    Field(
      "evaluations_without_better", \.evaluationsWithoutBetter, .integer(from: 0),
      "evaluations in a row without a better value"),
    Field(
      "best_training_loss", \.bestTrainingLoss, .null(or: .number),
      "without validation rows: lowest mean training loss between two evaluation points"),
    Field("loss_sum", \.lossSum, .number, "sum of the training losses since the last evaluation point"),
    Field("loss_steps", \.lossSteps, .integer(from: 0), "number of those steps"),
  ]
}

extension Computation: Record {
  package init() { self.init(packExamples: 1, recomputesActivations: false, evaluationPackTokens: 1, threads: 1) }

  package static let fields: [Field<Computation>] = [
    Field("pack_examples", \.packExamples, .integer(from: 1), "most examples of a batch computed at a time"),
    Field(
      "recompute_activations", \.recomputesActivations, .flag,
      "whether the backward computes activations again instead of keeping them"),
    Field(
      "evaluation_pack_tokens", \.evaluationPackTokens, .integer(from: 1),
      "most tokens that an evaluation computes at a time"),
    Field("threads", \.threads, .integer(from: 1), "number of threads, of each rank"),
    .optional("data_ranks", \.dataRanks, .integer(from: 2), "number of ranks that shared the examples of a step"),
    .optional("tensor_ranks", \.tensorRanks, .integer(from: 2), "number of ranks with a part of the model each"),
  ]
}
