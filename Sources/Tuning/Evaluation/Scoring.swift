import Diagnostics
import Glibc

/// How a label's log probability becomes the score that decides.
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
  /// log (P(label | text) / p_cf), p_cf the mean over content-free texts of the labels' probabilities among themselves:
  /// contextual calibration (Zhao et al. 2021, arXiv 2102.09690).
  case calibrated

  /// The error for rows or a template that the scoring cannot be used with.
  package var unavailable: InputError {
    .usage(
      "--scoring",
      "\(rawValue) needs rows of text, and a template with text before the label; use acc or acc_per_token")
  }
}

/// What scorings compare a row's log probabilities with, for one prompt and its labels.
package struct LabelPriors: Sendable {
  /// Texts that say nothing (Zhao et al. 2021); the empty one is also that of `pmi_dc`.
  static let contentFreeTexts = ["", "N/A", "[MASK]"]

  private let characterCounts: [Int]?
  /// log P(label | the template with an empty text).
  private let ofEmptyText: [Double]?
  /// log p_cf.
  private let ofContentFreeTexts: [Double]?

  /// - Parameters:
  ///   - characterCounts: of each label's word; nil where labels come as tokens.
  ///   - contentFree: what the model says about the content-free texts; nil where it cannot be asked.
  package init(characterCounts: [Int]?, contentFree: [CandidateScores]?) {
    self.characterCounts = characterCounts
    ofEmptyText = contentFree?.first?.logProbabilities
    ofContentFreeTexts = contentFree.flatMap { texts in
      characterCounts?.indices.map { label in
        log(max(texts.reduce(0) { $0 + $1.probabilities[label] } / Double(texts.count), .leastNormalMagnitude))
      }
    }
  }

  /// The scores of a row's candidates; nil where the scoring asks for what rows of tokens do not have.
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
    }
  }

  /// The same predictions, decided by a scoring; nil where a row lacks what it asks for.
  package func predictions(_ predictions: [Prediction], by scoring: Scoring) -> [Prediction]? {
    var scored: [Prediction] = []
    for row in predictions {
      guard let scores = scores(of: row.candidates, by: scoring) else { return nil }
      scored.append(Prediction(place: row.place, text: row.text, candidates: scores, label: row.label))
    }
    return scored
  }
}
