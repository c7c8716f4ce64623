import Kernels
import Method

/// The multiplications and additions of a run's matrix products.
package struct RunWork: Sendable {
  /// Operations per optimiser step, on average.
  package let operationsOfStep: Double
  /// Operations of an evaluation on the validation rows; 0 without validation rows.
  package let operationsOfEvaluation: Double

  package init(operationsOfStep: Double, operationsOfEvaluation: Double) {
    self.operationsOfStep = operationsOfStep
    self.operationsOfEvaluation = operationsOfEvaluation
  }

  /// Measures some of the steps, spread evenly over the run; `batch` gives this rank's share of a step's examples.
  init(
    step: TrainingStep, examples: [TypedTokens], batch: (Int) -> [Int], plan: PackPlan, steps: Int,
    evaluation: Measurement?
  ) {
    operationsOfEvaluation = evaluation?.operations ?? 0
    let sample = stride(from: 0, to: steps, by: max(1, steps / 16)).map { index in
      step.measure(examples: batch(index).map { examples[$0] }, plan: plan).operations
    }
    operationsOfStep = sample.isEmpty ? 0 : sample.reduce(0, +) / Double(sample.count)
  }
}

/// The operations per second that a machine reaches in the parts of a run; nil for a part that it does not have.
package struct RunRates: Sendable {
  package let step: Double?
  package let evaluation: Double?

  package init(step: Double?, evaluation: Double?) {
    self.step = step
    self.evaluation = evaluation
  }
}
