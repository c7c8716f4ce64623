import Tuning

/// The estimated duration of a run: the operations of its matrix products divided by the rates at which this machine
/// computes parts of it.
package struct TimeEstimate: Sendable {
  /// Multiplications and additions of all steps and evaluations.
  package let operations: Double
  /// Seconds per optimiser step, on average.
  package let stepSeconds: Double
  /// Evaluations of the whole run, unless it stops early.
  package let evaluations: Int
  /// Seconds per evaluation on the validation rows; 0 without these.
  package let evaluationSeconds: Double
  /// Seconds of all steps and evaluations.
  package let totalSeconds: Double
  /// Whether the run may end before its last step.
  package let isBound: Bool

  /// Operations that a part of a run may take to measure its rate, as seconds at the rate of large products.
  private static let measuringSeconds = 1.0

  /// Estimates a run that begins at its first step.
  ///
  /// - Parameters:
  ///   - trainer: the run.
  ///   - rate: operations per second of this machine's matrix products.
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package init(_ trainer: Trainer, rate: Double) throws {
    self.init(
      trainer.work, steps: trainer.totalSteps, evaluations: trainer.validation.isEmpty ? 0 : trainer.evaluations,
      rates: try trainer.measureRates(within: Self.measuringSeconds * rate), isBound: trainer.plan.mayStopEarly)
  }

  /// Estimates a run of some work by its rates.
  package init(_ work: RunWork, steps: Int, evaluations: Int, rates: RunRates, isBound: Bool) {
    operations = Double(steps) * work.operationsOfStep + Double(evaluations) * work.operationsOfEvaluation
    stepSeconds = rates.step.map { work.operationsOfStep / $0 } ?? 0
    self.evaluations = evaluations
    evaluationSeconds = rates.evaluation.map { work.operationsOfEvaluation / $0 } ?? 0
    totalSeconds = Double(steps) * stepSeconds + Double(evaluations) * evaluationSeconds
    self.isBound = isBound
  }
}
