import FileFormats

/// One optimiser step, as a line of metrics.jsonl.
package struct StepMetrics: Sendable {
  package let step: Int
  package let epoch: Double
  package let loss: Double
  package let labelAccuracy: Double
  package let learningRate: Double
  /// Norm of the masked gradient before clipping.
  package let gradientNorm: Double
  package let examplesPerSecond: Double
  package let elapsedSeconds: Double

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

/// One evaluation on the validation rows, as a line of metrics.jsonl.
package struct EvaluationMetrics: Sendable {
  package let step: Int
  package let epoch: Double
  /// Mean of -log probability of the whole label, in nats.
  package let loss: Double
  package let accuracy: Double
  package let macroF1: Double
  /// Whether it is the best so far.
  package let isBest: Bool
  package let elapsedSeconds: Double

  package init(
    step: Int, epoch: Double, loss: Double, accuracy: Double, macroF1: Double, isBest: Bool, elapsedSeconds: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.accuracy = accuracy
    self.macroF1 = macroF1
    self.isBest = isBest
    self.elapsedSeconds = elapsedSeconds
  }
}

extension StepMetrics {
  /// The line of metrics.jsonl.
  package var json: JSON {
    .object([
      .init("step", .integer(step)), .init("epoch", .number(epoch)), .init("loss", .number(loss)),
      .init("label_accuracy", .number(labelAccuracy)), .init("learning_rate", .number(learningRate)),
      .init("grad_norm", .number(gradientNorm)), .init("examples_per_second", .number(examplesPerSecond)),
      .init("elapsed_seconds", .number(elapsedSeconds)),
    ])
  }
}

extension EvaluationMetrics {
  /// The line of metrics.jsonl.
  package var json: JSON {
    .object([
      .init("step", .integer(step)), .init("epoch", .number(epoch)), .init("eval_loss", .number(loss)),
      .init("eval_accuracy", .number(accuracy)), .init("eval_macro_f1", .number(macroF1)),
      .init("elapsed_seconds", .number(elapsedSeconds)),
    ])
  }
}
