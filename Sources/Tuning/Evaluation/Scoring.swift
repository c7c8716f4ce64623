import Diagnostics
import Glibc

/// How a label's log probability becomes the score that ranks it.
package enum Scoring: String, CaseIterable, Sendable {
  /// log P(label | text), the sum over the label's tokens; `acc` of lm-evaluation-harness.
  case acc
  /// log P(label | text) / characters of the label's word; `acc_norm` of lm-evaluation-harness.
  case accNorm = "acc_norm"
  /// log P(label | text) / tokens of the label.
  case accPerToken = "acc_per_token"
  /// log P(label | text) - log P(label | the template with an empty text): domain-conditional pointwise mutual
  /// information (Holtzman et al. 2021, arXiv 2104.08315).
  case pmiDC = "pmi_dc"
  /// log (P(label | text) / p_cf), p_cf the mean over content-free texts of the probabilities normalised over the
  /// labels: contextual calibration (Zhao et al. 2021, arXiv 2102.09690).
  case calibrated
  /// log (P(label | text) / p_b), p_b the mean over all rows of the probabilities normalised over the labels: batch
  /// calibration (Zhou et al. 2023, arXiv 2309.17249).
  case batchCalibrated = "batch_calibrated"

  /// The error for rows or a template that the scoring does not support.
  package var unavailable: InputError {
    .usage(
      "--scoring",
      "\(rawValue) needs rows of text, a template with text before the label, and no classifier head; use acc or "
        + "acc_per_token")
  }
}

/// The references of the scorings for one prompt and its labels.
package struct LabelPriors: Sendable {
  /// Content-free texts (Zhao et al. 2021); `pmi_dc` uses the empty one too.
  static let contentFreeTexts = ["", "N/A", "[MASK]"]

  private let characterCounts: [Int]?
  /// log P(label | the template with an empty text).
  private let ofEmptyText: [Double]?
  /// log p_cf.
  private let ofContentFreeTexts: [Double]?
  /// log p_b; nil for a row by itself.
  private var ofRows: [Double]?

  /// - Parameters:
  ///   - characterCounts: characters of each label's word; nil if labels come as tokens.
  ///   - contentFree: the model's predictions for the content-free texts; nil if they cannot be scored.
  package init(characterCounts: [Int]?, contentFree: [CandidateScores]?) {
    self.characterCounts = characterCounts
    ofEmptyText = contentFree?.first?.logProbabilities
    ofContentFreeTexts = contentFree.flatMap { texts in
      characterCounts?.indices.map { label in
        log(max(texts.reduce(0) { $0 + $1.probabilities[label] } / Double(texts.count), .leastNormalMagnitude))
      }
    }
  }

  /// log p_b of some rows; nil if they have different numbers of labels.
  private static func logMeanProbabilities(of rows: [Prediction]) -> [Double]? {
    guard let first = rows.first else { return nil }
    var sums = first.logProbabilities.map { _ in 0.0 }
    for row in rows {
      guard row.logProbabilities.count == sums.count else { return nil }
      let shares = CandidateScores(
        logProbabilities: row.logProbabilities, tokenCounts: row.candidates.tokenCounts
      ).probabilities
      for label in sums.indices { sums[label] += shares[label] }
    }
    return sums.map { log(max($0 / Double(rows.count), .leastNormalMagnitude)) }
  }

  /// The scores of a row's candidates; nil if the scoring needs a value that rows of tokens lack, or more rows.
  package func scores(of row: CandidateScores, by scoring: Scoring) -> CandidateScores? {
    func scored(_ other: [Double]?, _ combine: (Double, Double) -> Double) -> CandidateScores? {
      guard let other, other.count == row.logProbabilities.count else { return nil }
      return CandidateScores(
        logProbabilities: row.logProbabilities, tokenCounts: row.tokenCounts,
        scores: zip(row.logProbabilities, other).map(combine))
    }
    return switch scoring {
    case .acc: CandidateScores(logProbabilities: row.logProbabilities, tokenCounts: row.tokenCounts)
    case .accNorm: scored(characterCounts?.map(Double.init), /)
    case .accPerToken: scored(row.tokenCounts.map(Double.init), /)
    case .pmiDC: scored(ofEmptyText, -)
    case .calibrated: scored(ofContentFreeTexts, -)
    case .batchCalibrated: scored(ofRows, -)
    }
  }

  /// The same predictions, ranked by a scoring; nil if a row lacks a value it needs.
  package func predictions(_ predictions: [Prediction], by scoring: Scoring) -> [Prediction]? {
    var priors = self
    if scoring == .batchCalibrated { priors.ofRows = Self.logMeanProbabilities(of: predictions) }
    var scored: [Prediction] = []
    for row in predictions {
      guard let scores = priors.scores(of: row.candidates, by: scoring) else { return nil }
      scored.append(Prediction(place: row.place, text: row.text, candidates: scores, label: row.label))
    }
    return scored
  }
}
