import Method
import Runs

/// The events a training run reports; only commands print.
package enum TrainingEvent: Sendable {
  /// The run begins, or resumes from a checkpoint.
  case started(TrainingPlan)
  /// The model has run over some of the rows that a classifier is fitted to.
  case read(rows: Int, of: Int)
  case step(StepMetrics)
  /// The validation rows were evaluated; step 0 is the prompt before the first step.
  case evaluated(EvaluationMetrics, isBest: Bool)
  /// A checkpoint was written to this folder.
  case saved(String)
}

/// The shape of a run, known before its first step.
package struct TrainingPlan: Sendable {
  package let firstStep: Int
  package let totalSteps: Int
  package let stepsPerEpoch: Int
  package let warmupSteps: Int
  package let trainingExamples: Int
  package let validationExamples: Int
  package let contextTokens: Int
}

/// How a run ended.
package struct TrainingSummary: Sendable {
  package let step: Int
  package let totalSteps: Int
  /// Whether it was stopped before its end, and can be resumed.
  package let wasInterrupted: Bool
  /// What did not get better for how many evaluations, if that ended the run before its last step.
  package let stagnation: (measure: String, evaluations: Int)?
  package let bestStep: Int?
  package let bestMetric: Double?
  package let elapsedSeconds: Double
  /// Planned peak memory of the process in bytes.
  package let plannedMemory: Int
  /// How the classifier of the method `head` was fitted.
  package let head: ClassifierHead.Fit?
}
