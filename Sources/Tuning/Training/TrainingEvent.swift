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
  /// Steps between evaluations; nil: there are only the first and the last.
  package let evaluationSteps: Int?
  /// Whether a lack of better evaluations may end the run before its last step.
  package let mayStopEarly: Bool

  package init(
    firstStep: Int, totalSteps: Int, stepsPerEpoch: Int, warmupSteps: Int, trainingExamples: Int,
    validationExamples: Int, contextTokens: Int, evaluationSteps: Int?, mayStopEarly: Bool
  ) {
    self.firstStep = firstStep
    self.totalSteps = totalSteps
    self.stepsPerEpoch = stepsPerEpoch
    self.warmupSteps = warmupSteps
    self.trainingExamples = trainingExamples
    self.validationExamples = validationExamples
    self.contextTokens = contextTokens
    self.evaluationSteps = evaluationSteps
    self.mayStopEarly = mayStopEarly
  }

  /// Evaluations after a step: every `evaluationSteps` steps, and after the last one.
  package func evaluations(after step: Int) -> Int {
    guard validationExamples > 0, step < totalSteps else { return 0 }
    let interval = max(1, evaluationSteps ?? totalSteps)
    return totalSteps / interval - step / interval + (totalSteps % interval == 0 ? 0 : 1)
  }
}

/// The time that a run still takes: its steps and its evaluations, each as long as those so far on average.
package struct RemainingTime: Sendable {
  private let plan: TrainingPlan
  private var step: Int
  /// The step of the last evaluation, or at which this process began.
  private var evaluatedStep: Int
  private var steps = (count: 0, seconds: 0.0)
  private var evaluations = (count: 0, seconds: 0.0)
  /// The time of the last event.
  private var time = 0.0

  package init(_ plan: TrainingPlan) {
    self.plan = plan
    step = plan.firstStep
    evaluatedStep = plan.firstStep
  }

  /// Takes account of an event; all but steps and evaluations are ignored.
  package mutating func add(_ event: TrainingEvent) {
    switch event {
    case .step(let metrics):
      steps = (steps.count + 1, steps.seconds + metrics.elapsedSeconds - time)
      time = metrics.elapsedSeconds
      step = metrics.step
    case .evaluated(let metrics, _):
      evaluations = (evaluations.count + 1, evaluations.seconds + metrics.elapsedSeconds - time)
      time = metrics.elapsedSeconds
      evaluatedStep = metrics.step
    case .started, .read, .saved: break
    }
  }

  /// The seconds left; nil before the first step. Until an evaluation has been timed, those to come count as nothing.
  package var seconds: Double? {
    guard steps.count > 0 else { return nil }
    let ofEvaluation = evaluations.count == 0 ? 0 : evaluations.seconds / Double(evaluations.count)
    return steps.seconds / Double(steps.count) * Double(plan.totalSteps - step)
      + ofEvaluation * Double(plan.evaluations(after: evaluatedStep))
  }
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
