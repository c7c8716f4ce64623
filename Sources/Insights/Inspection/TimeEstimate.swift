import Runs
import Tuning

/// The estimated duration of a run: the operations of its matrix products divided by this machine's rate for them.
package struct TimeEstimate: Sendable {
  /// Multiplications and additions of all steps and evaluations.
  package let operations: Double
  /// Seconds per optimiser step, on average.
  package let stepSeconds: Double
  /// Seconds of all steps and evaluations.
  package let totalSeconds: Double

  /// Estimates a run that begins at its first step.
  ///
  /// - Parameters:
  ///   - trainer: the run.
  ///   - setup: the run's setup.
  ///   - rate: operations per second of this machine's matrix products.
  package init(_ trainer: Trainer, _ setup: TrainingSetup, rate: Double) {
    let work = trainer.work
    operations =
      Double(trainer.totalSteps) * work.operationsOfStep + Double(trainer.evaluations) * work.operationsOfEvaluation
    let reached = rate * Self.share(width: setup.model.decoder.hiddenWidth)
    stepSeconds = work.operationsOfStep / reached
    totalSeconds = operations / reached
  }

  /// The share of the machine's rate that a step reaches. Elementwise work takes a larger share of the time in narrower
  /// models, since it grows with the width and products grow with its square.
  ///
  /// Measured on two cores with AVX-512: 128 wide 0.37, 768 0.68, 1024 0.68, 2048 0.79.
  private static func share(width: Int) -> Double { 0.8 * Double(width) / Double(width + 150) }
}
