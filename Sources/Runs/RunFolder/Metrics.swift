import FileFormats

/// One optimiser step: a line of metrics.jsonl.
package struct StepMetrics: Sendable, Equatable {
  package var step: Int
  package var epoch: Double
  package var loss: Double
  package var labelAccuracy: Double
  package var learningRate: Double
  /// Norm of the masked gradient before clipping.
  package var gradientNorm: Double
  package var examplesPerSecond: Double
  package var elapsedSeconds: Double

  package init(
    step: Int, epoch: Double, loss: Double, labelAccuracy: Double, learningRate: Double, gradientNorm: Double,
    examplesPerSecond: Double, elapsedSeconds: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.labelAccuracy = labelAccuracy
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
    self.examplesPerSecond = examplesPerSecond
    self.elapsedSeconds = elapsedSeconds
  }
}

extension StepMetrics: Record {
  package init() {
    self.init(
      step: 0, epoch: 0, loss: 0, labelAccuracy: 0, learningRate: 0, gradientNorm: 0, examplesPerSecond: 0,
      elapsedSeconds: 0)
  }

  package static let fields: [Field<StepMetrics>] = [
    Field("step", \.step, .integer(from: 0), "optimiser steps so far, this one included"),
    Field("epoch", \.epoch, .number, "passes over the training rows so far"),
    Field("loss", \.loss, .measurement, "weighted mean over the step's label tokens, in nats"),
    Field(
      "label_accuracy", \.labelAccuracy, .measurement,
      "share of the step's label tokens that were the most probable next token"),
    Field("learning_rate", \.learningRate, .number, "step size, after the schedule"),
    Field("grad_norm", \.gradientNorm, .number, "norm of the gradient before clipping"),
    Field("examples_per_second", \.examplesPerSecond, .number, "training examples per second of this step"),
    Field("elapsed_seconds", \.elapsedSeconds, .number, "seconds since the run began or was resumed"),
  ]
}

/// One evaluation on the validation rows: a line of metrics.jsonl.
package struct EvaluationMetrics: Sendable, Equatable {
  package var step: Int
  package var epoch: Double
  /// Mean of -log probability of the whole label, in nats.
  package var loss: Double
  package var accuracy: Double
  package var macroF1: Double
  package var elapsedSeconds: Double

  package init(step: Int, epoch: Double, loss: Double, accuracy: Double, macroF1: Double, elapsedSeconds: Double) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.accuracy = accuracy
    self.macroF1 = macroF1
    self.elapsedSeconds = elapsedSeconds
  }
}

extension EvaluationMetrics: Record {
  package init() { self.init(step: 0, epoch: 0, loss: 0, accuracy: 0, macroF1: 0, elapsedSeconds: 0) }

  package static let fields: [Field<EvaluationMetrics>] = [
    Field("step", \.step, .integer(from: 0), "optimiser steps before the evaluation"),
    Field("epoch", \.epoch, .number, "passes over the training rows so far"),
    Field("eval_loss", \.loss, .measurement, "mean of -log P(whole label), in nats"),
    Field("eval_accuracy", \.accuracy, .number, "share of the validation rows predicted correctly"),
    Field("eval_macro_f1", \.macroF1, .number, "mean of the F1 scores of the labels"),
    Field("elapsed_seconds", \.elapsedSeconds, .number, "seconds since the run began or was resumed"),
  ]
}

/// A line of metrics.jsonl.
enum MetricsLine {
  case step(StepMetrics)
  case evaluation(EvaluationMetrics)

  /// Reads a line; a key that only evaluations have makes it an evaluation.
  ///
  /// - Throws: `InputError.badData` with file and line.
  init(parsing text: some Sequence<UInt8>, file: String, line: Int) throws {
    let json = try JSON(parsing: Array(text), file: file, firstLine: line)
    let origin = FieldOrigin("\(file):\(line)")
    let isEvaluation = Self.keysOfEvaluations.contains { json[$0] != nil }
    self = isEvaluation ? .evaluation(try EvaluationMetrics(json, origin)) : .step(try StepMetrics(json, origin))
  }

  private static let keysOfEvaluations = Set(EvaluationMetrics.fields.map(\.name))
    .subtracting(StepMetrics.fields.map(\.name))

  var step: Int {
    switch self {
    case .step(let metrics): metrics.step
    case .evaluation(let metrics): metrics.step
    }
  }

  var elapsedSeconds: Double {
    switch self {
    case .step(let metrics): metrics.elapsedSeconds
    case .evaluation(let metrics): metrics.elapsedSeconds
    }
  }
}
