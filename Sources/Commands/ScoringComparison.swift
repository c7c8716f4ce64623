import FileFormats
import Method
import Tuning

/// The predictions of one prompt on all rows, by each scoring.
struct ScoredPredictions {
  /// By the requested scoring.
  let chosen: [Prediction]
  /// By every scoring available for the rows.
  let all: [(scoring: Scoring, predictions: [Prediction])]

  /// - Throws: `InputError.usage` if the requested scoring is not available for the rows.
  init(_ predictions: [Prediction], _ priors: LabelPriors, _ scoring: Scoring) throws {
    all = Scoring.allCases.compactMap { scoring in
      priors.predictions(predictions, by: scoring).map { (scoring, $0) }
    }
    guard let chosen = all.first(where: { $0.scoring == scoring }) else { throw scoring.unavailable }
    self.chosen = chosen.predictions
  }
}

/// Accuracies by scoring, of the tuned and the untrained prompt, as text and as JSON.
struct ScoringComparison {
  private let method: TuningMethod
  private let rows: [(scoring: Scoring, tuned: ClassificationReport, baseline: ClassificationReport?)]
  /// Whether all labels of a row have equally many tokens: then the score per token keeps the order.
  private let tokensAreEqual: Bool

  /// Compares the scorings of a tuned prompt and, if there is one, of the untrained prompt.
  init(_ method: TuningMethod, _ tuned: ScoredPredictions, _ baseline: ScoredPredictions?, labels: [String]) {
    self.method = method
    rows = tuned.all.map { scoring, predictions in
      let other = baseline?.all.first { $0.scoring == scoring }
      return (
        scoring, ClassificationReport(predictions, labels: labels),
        other.map { ClassificationReport($0.predictions, labels: labels) }
      )
    }
    tokensAreEqual = tuned.chosen.allSatisfy { Set($0.candidates.tokenCounts).count == 1 }
  }

  /// The comparison as JSON.
  var json: JSON {
    func shares(_ report: ClassificationReport) -> JSON {
      let keys: Set = ["accuracy", "accuracy_stderr", "accuracy_interval", "macro_f1"]
      return .object((report.json.object ?? []).filter { keys.contains($0.key) })
    }
    return .object(
      rows.map { row in
        let baseline = row.baseline.map { [JSON.Member("icl", shares($0))] } ?? []
        return .init(row.scoring.rawValue, .object([.init(method.rawValue, shares(row.tuned))] + baseline))
      })
  }

  /// A table; nil if there is nothing to compare.
  var text: String? {
    let shown = rows.filter { !($0.scoring == .accPerToken && tokensAreEqual) }
    guard shown.count > 1 else { return nil }
    func cells(_ report: ClassificationReport) -> [String] {
      [percent(report.accuracy), interval(report.accuracyInterval), fixed(report.macroF1, 3)]
    }
    let prompts = [method.abbreviation] + (shown[0].baseline == nil ? [] : ["ICL"])
    let header = ["scoring"] + prompts.flatMap { [$0, "95 % interval", "macro-F1"] }
    let lines = shown.map { row in [row.scoring.rawValue] + cells(row.tuned) + (row.baseline.map(cells) ?? []) }
    return table([header] + lines, rightAligned: Set(1..<header.count))
  }
}

/// A range of shares as percentages: "87.9 – 92.2 %".
func interval(_ range: ClosedRange<Double>) -> String {
  "\(fixed(100 * range.lowerBound, 1)) – \(percent(range.upperBound))"
}
