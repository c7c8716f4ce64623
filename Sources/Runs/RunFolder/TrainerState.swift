import FileFormats

/// How far a run had come when it wrote an adapter: the trainer_state.json beside that adapter.
package struct TrainerState: Sendable, Equatable {
  /// The name of the file.
  package static let file = "trainer_state.json"

  /// Optimiser steps taken.
  package var step: Int
  /// The step of the best evaluation so far; nil before the first.
  package var bestStep: Int?
  /// What the best evaluation measured, by `training.metric_for_best_model`.
  package var bestMetric: Double?
  /// Rows that are trained on; nil in a file of an early version.
  package var trainingRows: Int?
  /// Rows that are validated on; nil in a file of an early version.
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
      "what that evaluation measured, by training.metric_for_best_model"),
    .optional("training_rows", \.trainingRows, .integer(from: 0), "rows that are trained on"),
    .optional("validation_rows", \.validationRows, .integer(from: 0), "rows that are validated on"),
    Field(
      "data_fingerprint", \.dataFingerprint, .text,
      "hash of the tokens of the context, the training and validation rows"),
  ]
}
