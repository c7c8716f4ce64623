import FileFormats

/// Predictions of which only those of at least a probability count as answers (selective classification).
package struct Coverage: Sendable, Equatable {
  /// The lowest probability of an answer, normalised over the labels.
  package let threshold: Double
  package let rows: Int
  /// Rows with an answer.
  package let answered: Int
  /// Answers that are right.
  package let correct: Int

  /// answered / rows; 0 without rows.
  package var share: Double { rows == 0 ? 0 : Double(answered) / Double(rows) }
  /// correct / answered; nil without answers.
  package var accuracy: Double? { answered == 0 ? nil : Double(correct) / Double(answered) }

  package init(_ predictions: [Prediction], threshold: Double) {
    let answers = predictions.filter { $0.candidates.confidence >= threshold }
    self.init(
      threshold: threshold, rows: predictions.count, answered: answers.count,
      correct: answers.count { $0.predicted == $0.label })
  }

  private init(threshold: Double, rows: Int, answered: Int, correct: Int) {
    self.threshold = threshold
    self.rows = rows
    self.answered = answered
    self.correct = correct
  }

  /// The same answers at another threshold that gives them.
  package func at(_ threshold: Double) -> Coverage {
    Coverage(threshold: threshold, rows: rows, answered: answered, correct: correct)
  }

  /// No answers, at a threshold above every probability.
  package func none(at threshold: Double) -> Coverage {
    Coverage(threshold: threshold, rows: rows, answered: 0, correct: 0)
  }

  /// The coverage at every threshold that gives another set of answers, from the fewest answers to all.
  package static func curve(_ predictions: [Prediction]) -> [Coverage] {
    let outcomes = predictions.map { (confidence: $0.candidates.confidence, isRight: $0.predicted == $0.label) }
      .sorted { $0.confidence > $1.confidence }
    var curve: [Coverage] = []
    var correct = 0
    for (index, outcome) in outcomes.enumerated() {
      if outcome.isRight { correct += 1 }
      if index + 1 < outcomes.count, outcomes[index + 1].confidence == outcome.confidence { continue }
      curve.append(
        Coverage(threshold: outcome.confidence, rows: outcomes.count, answered: index + 1, correct: correct))
    }
    return curve
  }

  package var json: JSON {
    .object([
      .init("threshold", .number(threshold)), .init("coverage", .number(share)),
      .init("answered", .integer(answered)), .init("accuracy", accuracy.map(JSON.number) ?? .null),
    ])
  }
}
