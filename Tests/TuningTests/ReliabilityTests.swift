import Foundation
import Testing
import TestSupport
import Tuning

@Suite struct ReliabilityTests {
  /// Confidences of two classes with whether they are right, some at the bins' bounds.
  ///
  /// The error is torchmetrics 1.9.0's:
  /// `binary_calibration_error(confidences, right, n_bins=10, norm="l1")`, in float64
  private static let outcomes: [(confidence: Double, isRight: Bool)] = [
    (0.55, true), (0.62, false), (0.68, true), (0.71, true), (0.79, false), (0.83, true), (0.88, true), (0.93, true),
    (0.97, true), (0.99, false), (0.52, false),
  ]

  private static func prediction(_ confidence: Double, isRight: Bool) -> Prediction {
    Prediction(
      place: "",
      candidates: CandidateScores(logProbabilities: [log(confidence), log(1 - confidence)], tokenCounts: [1, 1]),
      label: isRight ? 0 : 1)
  }

  @Test func theErrorEqualsTorchMetrics() {
    let reliability = Reliability(Self.outcomes.map { Self.prediction($0.confidence, isRight: $0.isRight) })
    #expect(abs(reliability.expectedCalibrationError - 0.186363636) < 1e-6)
    #expect(reliability.bins.map(\.rows) == [0, 0, 0, 0, 0, 2, 2, 2, 2, 3])
    #expect(abs(reliability.bins[9].accuracy - 2.0 / 3) < 1e-12)
    #expect(abs(reliability.bins[9].confidence - (0.93 + 0.97 + 0.99) / 3) < 1e-12)
  }

  /// A bin holds its upper bound; certainty is in the last.
  @Test func boundsAndEmptyInput() {
    let reliability = Reliability([0.5, 1].map { Self.prediction($0, isRight: true) }, bins: 2)
    #expect(reliability.bins.map(\.rows) == [1, 1])
    #expect(Reliability([]).expectedCalibrationError == 0)
  }
}
