import Tuning

/// What a tuned model says about one text.
public struct Classification: Sendable, Equatable {
  /// A label and how probable it is.
  public struct LabelProbability: Sendable, Equatable {
    public let label: String
    /// Normalised over the labels, 0 to 1.
    public let probability: Double
    /// log P(all tokens of the label's word), in nats, over all words.
    public let logProbability: Double
  }

  /// The most probable label.
  public let label: String
  /// The probability of that label.
  public let probability: Double
  /// Every label, in the order of ``TunedModel/labels``.
  public let probabilities: [LabelProbability]
  /// Whether the text was truncated to fit the model.
  public let isTruncated: Bool

  init(_ scores: CandidateScores, labels: [String], isTruncated: Bool) {
    let shares = scores.probabilities
    label = labels[scores.predicted]
    probability = shares[scores.predicted]
    probabilities = labels.indices.map {
      LabelProbability(label: labels[$0], probability: shares[$0], logProbability: scores.logProbabilities[$0])
    }
    self.isTruncated = isTruncated
  }
}
