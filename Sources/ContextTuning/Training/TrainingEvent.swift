/// What a training run reports while it goes on; only commands print.
public enum TrainingEvent: Sendable {
  /// The run begins, or goes on from a checkpoint.
  case started(TrainingPlan)
  case step(StepMetrics)
  case evaluated(EvaluationMetrics)
  /// A checkpoint was written to this folder.
  case saved(String)
}

/// The shape of a run, known before its first step.
public struct TrainingPlan: Sendable {
  public let firstStep: Int
  public let totalSteps: Int
  public let stepsPerEpoch: Int
  public let warmupSteps: Int
  public let trainingExamples: Int
  public let validationExamples: Int
  public let contextTokens: Int
}

/// One optimiser step, as a line of metrics.jsonl.
public struct StepMetrics: Sendable {
  public let step: Int
  public let epoch: Double
  public let loss: Double
  public let labelAccuracy: Double
  public let learningRate: Double
  /// Norm of the masked gradient before clipping.
  public let gradientNorm: Double
  public let examplesPerSecond: Double
  public let elapsedSeconds: Double
}

/// One evaluation on the validation rows, as a line of metrics.jsonl.
public struct EvaluationMetrics: Sendable {
  public let step: Int
  public let epoch: Double
  /// Mean of -log probability of the whole label, in nats.
  public let loss: Double
  public let accuracy: Double
  public let macroF1: Double
  /// Whether it is the best so far.
  public let isBest: Bool
  public let elapsedSeconds: Double
}

/// How a run ended.
public struct TrainingSummary: Sendable {
  public let step: Int
  public let totalSteps: Int
  /// Whether it was stopped before its last step.
  public let wasInterrupted: Bool
  public let bestStep: Int?
  public let bestMetric: Double?
  public let elapsedSeconds: Double
}
