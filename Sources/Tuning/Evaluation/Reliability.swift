/// The calibration of predictions: how well their probability matches how often they are right.
///
/// Predictions are put into bins of equal width by their confidence, the probability of the predicted label among the
/// candidates; bin b of B holds confidences in ((b - 1) / B, b / B].
/// Source: Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks", equations 2 to 5.
package struct Reliability: Sendable {
  package struct Bin: Sendable {
    /// The lower and upper bound of its confidences.
    package let bounds: ClosedRange<Double>
    package let rows: Int
    /// Share of its rows that are right, 0 if it is empty.
    package let accuracy: Double
    /// Mean confidence of its rows, 0 if it is empty.
    package let confidence: Double
  }

  package let bins: [Bin]
  /// Expected calibration error: the mean over the rows of |accuracy - confidence| of their bins.
  package let expectedCalibrationError: Double

  package init(_ predictions: [Prediction], bins count: Int = 10) {
    precondition(count > 0)
    let outcomes = predictions.map { (confidence: $0.candidates.confidence, isRight: $0.predicted == $0.label) }
    let members = Dictionary(grouping: outcomes) {
      min(max(Int(($0.confidence * Double(count)).rounded(.up)), 1), count)
    }
    let bins = (1...count).map { number in
      let rows = members[number] ?? [], total = Double(max(rows.count, 1))
      return Bin(
        bounds: Double(number - 1) / Double(count)...Double(number) / Double(count), rows: rows.count,
        accuracy: Double(rows.count { $0.isRight }) / total,
        confidence: rows.reduce(0) { $0 + $1.confidence } / total)
    }
    self.bins = bins
    expectedCalibrationError =
      bins.reduce(0) { $0 + Double($1.rows) * abs($1.accuracy - $1.confidence) } / Double(max(predictions.count, 1))
  }
}
