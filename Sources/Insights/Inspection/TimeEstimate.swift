import LanguageModel
import Tuning

/// About how long a run will take: the operations of its matrix products, over the rate at which this machine does them.
package struct TimeEstimate: Sendable {
  /// Multiplications and additions of all steps and evaluations.
  package let operations: Double
  /// Of one optimiser step, in the mean.
  package let stepSeconds: Double
  /// Of all steps and evaluations.
  package let totalSeconds: Double

  /// Estimates a run that begins at its first step.
  ///
  /// - Parameters:
  ///   - trainer: the run.
  ///   - setup: what it trains.
  ///   - rate: operations a second of the machine's own matrix products.
  package init(_ trainer: Trainer, _ setup: TrainingSetup, rate: Double) {
    let decoder = setup.model.decoder, context = setup.context
    // An epoch: the context once a step, and every example.
    var epoch = Work()
    for _ in 0..<trainer.stepsPerEpoch {
      epoch.add(context.count, after: 0, outputs: context.tokens.labelPositions.count)
    }
    for example in trainer.examples {
      let labels = example.labelPositions
      epoch.add(labels.last ?? 0, after: context.count, outputs: labels.count)
    }
    // An evaluation: a label's last token is only predicted; up to its first, all candidates are one.
    var evaluation = Work()
    evaluation.add(context.count, after: 0, outputs: 0)
    for row in trainer.validation {
      let branches = row.candidates.reduce(0) { $0 + $1.labelPositions.count - 1 }
      evaluation.add((row.tokens.labelPositions.first ?? 0) + branches, after: context.count, outputs: 1 + branches)
    }
    // After the last step there is always one, also where nothing is trained.
    let every = setup.configuration.training.evaluationSteps ?? .max
    let evaluations = trainer.validation.isEmpty ? 0 : max(0, trainer.totalSteps - 1) / every + 1

    let ofStep = epoch.operations(of: decoder, trainer.packPlan.retention) / Double(trainer.stepsPerEpoch)
    operations =
      Double(trainer.totalSteps) * ofStep + Double(evaluations) * evaluation.operations(of: decoder, .nothing)
    let reached = rate * Self.share(width: decoder.hiddenWidth)
    stepSeconds = ofStep / reached
    totalSeconds = operations / reached
  }

  /// The share of the machine's rate that a step reaches: elementwise work takes time too, the more the narrower the
  /// model, since it grows with the width and products with its square.
  ///
  /// Measured on two cores with AVX-512: 128 wide 0.37, 768 0.68, 1024 0.68, 2048 0.79.
  private static func share(width: Int) -> Double { 0.8 * Double(width) / Double(width + 150) }

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

    func operations(of decoder: Decoder, _ retention: Retention) -> Double {
      decoder.operations(rows: rows, outputs: outputs, visibleKeys: visibleKeys, retention: retention)
    }
  }
}
