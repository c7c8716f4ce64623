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
  /// Number of training rows; nil in a file of an early version.
  package var trainingRows: Int?
  /// Number of validation rows; nil in a file of an early version.
  package var validationRows: Int?
  /// A hash of every token the run depends on.
  package var dataFingerprint: String
}

extension TrainerState: Record {
  package init() { self.init(step: 0, dataFingerprint: "") }

  package static let fields: [Field<TrainerState>] = [
    Field("step", \.step, .integer(from: 0), "optimiser steps taken"),
    Field("best_step", \.bestStep, .null(or: .integer(from: 0)), "step of the best evaluation so far"),
    Field(
      "best_metric", \.bestMetric, .null(or: .number),
      "value of training.metric_for_best_model at that evaluation"),
    .optional("training_rows", \.trainingRows, .integer(from: 0), "number of training rows"),
    .optional("validation_rows", \.validationRows, .integer(from: 0), "number of validation rows"),
    Field(
      "data_fingerprint", \.dataFingerprint, .text,
      "hash of the tokens of the context, the training and validation rows"),
  ]
}
