import Kernels
import LanguageModel

/// About how long a run will take: the operations of its matrix products, over the rate at which this machine does them.
public struct TimeEstimate: Sendable {
  /// Of one optimiser step, in the mean.
  public let stepSeconds: Double
  /// Of all steps and evaluations.
  public let totalSeconds: Double

  /// Estimates a run that begins at its first step.
  ///
  /// - Parameters:
  ///   - trainer: the run.
  ///   - experiment: what it trains.
  ///   - rate: operations a second of the machine's own matrix products.
  init(_ trainer: Trainer, _ experiment: Experiment, rate: Double) {
    let decoder = experiment.model.decoder, context = experiment.context
    let training = experiment.configuration.training
    func seconds(_ work: Work, _ retention: Retention) -> Double {
      decoder.operations(
        rows: work.rows, outputs: work.outputs, visibleKeys: work.visibleKeys, retention: retention)
        / (rate * Self.share(width: decoder.hiddenWidth))
    }
    // An epoch: the context once a step, and every example.
    var epoch = Work()
    for _ in 0..<trainer.stepsPerEpoch {
      epoch.add(context.count, after: 0, outputs: context.tokens.labelPositions.count)
    }
    for example in trainer.examples {
      let labels = example.labelPositions
      epoch.add(labels.last ?? 0, after: context.count, outputs: labels.count)
    }
    stepSeconds = seconds(epoch, trainer.packPlan.retention) / Double(trainer.stepsPerEpoch)

    var evaluation = Work()
    evaluation.add(context.count, after: 0, outputs: 0)
    for row in trainer.validation {
      // A label's last token is only predicted; its first is predicted where all candidates are still one.
      let branches = row.candidates.reduce(0) { $0 + $1.labelPositions.count - 1 }
      evaluation.add((row.tokens.labelPositions.first ?? 0) + branches, after: context.count, outputs: 1 + branches)
    }
    let evaluations =
      trainer.validation.isEmpty
      ? 0 : training.evaluationSteps.map { (trainer.totalSteps + $0 - 1) / $0 } ?? 1
    totalSeconds =
      Double(trainer.totalSteps) * stepSeconds + Double(evaluations) * seconds(evaluation, .nothing)
  }

  /// The share of the machine's rate that a step reaches: elementwise work takes time too, the more the narrower the
  /// model, since it grows with the width and products with its square.
  private static func share(width: Int) -> Double { 0.8 * Double(width) / Double(width + 85) }

  /// What decides the operations of a pass.
  private struct Work {
    var rows = 0
    var outputs = 0
    var visibleKeys = 0.0

    /// Adds a run of tokens at a depth, of which so many predict.
    mutating func add(_ count: Int, after depth: Int, outputs: Int) {
      rows += count
      self.outputs += outputs
      visibleKeys += Double(count) * (Double(depth) + Double(count + 1) / 2)
    }
  }
}
