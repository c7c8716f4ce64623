import Glibc

/// What the model said about the labels a row may have.
public struct CandidateScores: Sendable {
  /// log P(whole label | context, row), in nats, for each candidate.
  public let logProbabilities: [Double]
  /// Tokens of each candidate's label.
  public let tokenCounts: [Int]
  /// What decides between the candidates: their log probabilities, or what a `Scoring` makes of them.
  public let scores: [Double]

  /// - Precondition: all are of one length.
  public init(logProbabilities: [Double], tokenCounts: [Int], scores: [Double]? = nil) {
    precondition(logProbabilities.count == tokenCounts.count)
    precondition(logProbabilities.count == scores?.count ?? tokenCounts.count)
    self.logProbabilities = logProbabilities
    self.tokenCounts = tokenCounts
    self.scores = scores ?? logProbabilities
  }

  /// The candidate with the highest score; the first of equals.
  public var predicted: Int {
    scores.indices.max { scores[$0] < scores[$1] } ?? 0
  }

  /// softmax(scores): with log probabilities, the probabilities of the candidates among themselves.
  public var probabilities: [Double] {
    let largest = scores.max() ?? 0
    let powers = scores.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}

/// What the model said about one labelled row.
public struct Prediction: Sendable {
  /// "test.tsv:12".
  public let place: String
  /// The row's text; nil for a row of tokens.
  public let text: String?
  public let candidates: CandidateScores
  /// The row's own label.
  public let label: Int

  public init(place: String, text: String? = nil, candidates: CandidateScores, label: Int) {
    self.place = place
    self.text = text
    self.candidates = candidates
    self.label = label
  }

  /// log P(whole label | context, row), in nats, for each candidate.
  public var logProbabilities: [Double] { candidates.logProbabilities }
  /// The candidate with the highest score.
  public var predicted: Int { candidates.predicted }
  /// Probabilities of the candidates among themselves.
  public var probabilities: [Double] { candidates.probabilities }
}
