import Testing
import Tuning

@Suite struct ClassificationReportTests {
  @Test func reportOfAConfusion() {
    func prediction(_ label: Int, _ predicted: Int) -> Prediction {
      let scores = CandidateScores(
        logProbabilities: (0..<3).map { $0 == predicted ? -0.5 : -2 }, tokenCounts: [1, 1, 1])
      return Prediction(place: "", candidates: scores, label: label)
    }
    // Label 2 neither occurs nor is given.
    let rows = [prediction(0, 0), prediction(0, 1), prediction(1, 1), prediction(1, 1), prediction(0, 0)]
    let report = ClassificationReport(rows, labels: ["a", "b", "c"])
    #expect(report.accuracy == 0.8 && report.rows == 5)
    #expect(abs(report.accuracyStandardError - (0.8 * 0.2 / 4).squareRoot()) < 1e-12)
    #expect(report.confusion == [[2, 1, 0], [0, 2, 0], [0, 0, 0]])
    #expect(abs(report.macroF1 - 0.8) < 1e-12)
    #expect(abs(report.loss - (4 * 0.5 + 2) / 5) < 1e-12)
    #expect(report.classes[1].precision == 2 / 3.0 && report.classes[1].recall == 1)
    let difference = PairedDifference(
      rows, minus: [prediction(0, 0), prediction(0, 0), prediction(1, 0), prediction(1, 1), prediction(0, 0)])
    #expect(difference.accuracy == 0 && abs(difference.standardError - (2.0 / 4 / 5).squareRoot()) < 1e-12)
  }
}
