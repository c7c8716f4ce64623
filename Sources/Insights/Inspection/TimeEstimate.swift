import Runs
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
    let work = trainer.work
    // After the last step there is always one evaluation, also where nothing is trained.
    let every = setup.configuration.training.evaluationSteps ?? .max
    let evaluations = max(0, trainer.totalSteps - 1) / every + 1
    operations =
      Double(trainer.totalSteps) * work.operationsOfStep + Double(evaluations) * work.operationsOfEvaluation
    let reached = rate * Self.share(width: setup.model.decoder.hiddenWidth)
    stepSeconds = work.operationsOfStep / reached
    totalSeconds = operations / reached
  }

  /// The share of the machine's rate that a step reaches: elementwise work takes time too, the more the narrower the
  /// model, since it grows with the width and products with its square.
  ///
  /// Measured on two cores with AVX-512: 128 wide 0.37, 768 0.68, 1024 0.68, 2048 0.79.
  private static func share(width: Int) -> Double { 0.8 * Double(width) / Double(width + 150) }
}
