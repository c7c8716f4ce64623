import Glibc

/// What the model said about the labels a row may have.
package struct CandidateScores: Sendable {
  /// log P(whole label | context, row), in nats, for each candidate.
  package let logProbabilities: [Double]
  /// Tokens of each candidate's label.
  package let tokenCounts: [Int]
  /// What decides between the candidates: their log probabilities, or what a `Scoring` makes of them.
  package let scores: [Double]

  /// - Precondition: all are of one length, and there is a candidate.
  package init(logProbabilities: [Double], tokenCounts: [Int], scores: [Double]? = nil) {
    precondition(!logProbabilities.isEmpty && logProbabilities.count == tokenCounts.count)
    precondition(logProbabilities.count == scores?.count ?? tokenCounts.count)
    self.logProbabilities = logProbabilities
    self.tokenCounts = tokenCounts
    self.scores = scores ?? logProbabilities
  }

  /// The candidate with the highest score; the first of equals.
  package var predicted: Int {
    scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
  }

  /// softmax(scores): with log probabilities, the probabilities of the candidates among themselves.
  package var probabilities: [Double] {
    let largest = scores[predicted]
    let powers = scores.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}

/// What the model said about one labelled row.
package struct Prediction: Sendable {
  /// "test.tsv:12".
  package let place: String
  /// The row's text; nil for a row of tokens.
  package let text: String?
  package let candidates: CandidateScores
  /// The row's own label.
  package let label: Int

  package init(place: String, text: String? = nil, candidates: CandidateScores, label: Int) {
    self.place = place
    self.text = text
    self.candidates = candidates
    self.label = label
  }

  /// log P(whole label | context, row), in nats, for each candidate.
  package var logProbabilities: [Double] { candidates.logProbabilities }
  /// The candidate with the highest score.
  package var predicted: Int { candidates.predicted }
  /// Probabilities of the candidates among themselves.
  package var probabilities: [Double] { candidates.probabilities }
}
