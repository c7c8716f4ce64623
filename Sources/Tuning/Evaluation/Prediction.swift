import Glibc

/// The model's scores for the candidate labels of a row.
package struct CandidateScores: Sendable {
  /// log P(whole label | context, row), in nats, for each candidate.
  package let logProbabilities: [Double]
  /// Number of tokens of each candidate's label.
  package let tokenCounts: [Int]
  /// The scores that rank the candidates: their log probabilities, or what a `Scoring` computes from them.
  package let scores: [Double]

  /// - Precondition: all lists have the same length, at least 1.
  package init(logProbabilities: [Double], tokenCounts: [Int], scores: [Double]? = nil) {
    precondition(!logProbabilities.isEmpty && logProbabilities.count == tokenCounts.count)
    precondition(logProbabilities.count == scores?.count ?? tokenCounts.count)
    self.logProbabilities = logProbabilities
    self.tokenCounts = tokenCounts
    self.scores = scores ?? logProbabilities
  }

  /// The candidate with the highest score; the first one in a tie.
  package var predicted: Int {
    scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
  }

  /// softmax(scores): for log probabilities, the probabilities normalised over the candidates.
  package var probabilities: [Double] {
    let largest = scores[predicted]
    let powers = scores.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }

  /// The probability of the predicted candidate.
  package var confidence: Double { probabilities[predicted] }
}

/// The model's scores for one labelled row.
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
  /// Probabilities normalised over the candidates.
  package var probabilities: [Double] { candidates.probabilities }
}
