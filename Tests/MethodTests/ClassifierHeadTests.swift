import FileFormats
import Glibc
import Method
import Testing
import TestSupport

/// Classifiers on hidden states against numpy: scripts/make-head-goldens.
@Suite struct ClassifierHeadTests {
  struct Golden: CustomTestStringConvertible, Sendable {
    let json: JSON

    var testDescription: String { json["name"]?.string ?? "" }
    var states: [Float] { (json["states"]?.array ?? []).compactMap(\.number).map(Float.init) }
    var classes: [Int] { (json["classes"]?.array ?? []).compactMap(\.integer) }

    static let all = Result {
      try JSON.read(file: fixtures + "/head/goldens.json")["cases"]?.array?.map(Golden.init) ?? []
    }

    /// Rows of numbers; nil for a row that is null.
    static func rows(_ json: JSON?) -> [[Double]?] { json?.array?.map { $0.array?.compactMap(\.number) } ?? [] }
  }

  /// Scores of all rows: z · weightᵀ + bias.
  private func scores(_ fit: LinearFit, _ states: HiddenStates) -> [[Double]] {
    let width = states.width
    return (0..<states.rows).map { row in
      fit.bias.indices.map { label in
        (0..<width).reduce(fit.bias[label]) {
          $0 + fit.weight[label * width + $1] * states.values[row * width + $1]
        }
      }
    }
  }

  private func expectEqual(_ found: [[Double]?], _ expected: [[Double]?], _ comment: String) {
    #expect(!expected.isEmpty && found.count == expected.count)
    for (found, expected) in zip(found, expected) {
      #expect((found == nil) == (expected == nil), "\(comment)")
      for (a, b) in zip(found ?? [], expected ?? []) {
        #expect(abs(a - b) < 1e-6 * max(1, abs(b)), "\(comment): \(a) \(b)")
      }
    }
  }

  /// Rows are left out by a formula here, and by fitting again without them there.
  @Test(arguments: try Golden.all.get())
  func ridgeEqualsNumpy(golden: Golden) throws {
    let states = try #require(HiddenStates(golden.states, classes: golden.classes))
    let ridge = try #require(RidgeRegression(states))
    let cases = try #require(golden.json["ridge"]?.array)
    #expect(cases.count == 3)
    for item in cases {
      let fit = ridge.fit(strength: try #require(item["strength"]?.number))
      expectEqual(scores(fit, states), Golden.rows(item["scores"]), "scores")
      expectEqual(fit.leaveOneOut, Golden.rows(item["without"]), "without the row")
    }
  }

  @Test(arguments: try Golden.all.get())
  func centroidsEqualNumpy(golden: Golden) throws {
    let states = try #require(HiddenStates(golden.states, classes: golden.classes))
    let fit = nearestCentroid(states)
    // The linear scores lack -‖z‖² / D, which all classes share.
    let shared = (0..<states.rows).map { row in
      states.values[(row * states.width)..<((row + 1) * states.width)].reduce(0) { $0 + $1 * $1 } / Double(states.width)
    }
    let whole = zip(scores(fit, states), shared).map { row, shared in row.map { $0 - shared } }
    expectEqual(whole, Golden.rows(golden.json["centroid"]?["scores"]), "scores")
    expectEqual(fit.leaveOneOut, Golden.rows(golden.json["centroid"]?["without"]), "without the row")
  }

  /// The best accuracy without the row; of equal ones, the least squared error.
  @Test(arguments: try Golden.all.get())
  func theBestStrengthIsChosen(golden: Golden) throws {
    let states = try #require(HiddenStates(golden.states, classes: golden.classes))
    let ridge = try #require(RidgeRegression(states))
    #expect(RidgeRegression.strengths.count == 13)
    #expect(
      abs(RidgeRegression.strengths[0] / 1e-3 - 1) < 1e-12 && abs(RidgeRegression.strengths[12] / 1e3 - 1) < 1e-12)
    let fits = RidgeRegression.strengths.map { ridge.fit(strength: $0) }
    let accuracy = try #require(fits.map { $0.accuracy(of: golden.classes) }.max())
    let errors = fits.filter { $0.accuracy(of: golden.classes) == accuracy }.map { $0.squaredError(of: golden.classes) }
    let best = ridge.best()
    #expect(best.fit.accuracy(of: golden.classes) == accuracy)
    #expect(best.fit.squaredError(of: golden.classes) == errors.min())
    #expect(ridge.fit(strength: best.strength).weight == best.fit.weight)
  }

  /// By hand: rows 0 and 1 are right, row 2 is wrong, and row 3 has no other row of its class.
  @Test func accuracyAndErrorWithoutTheRow() {
    let fit = LinearFit(weight: [], bias: [], leaveOneOut: [[0.75, 0.25], [0, 1], [0.5, 0.25], nil])
    #expect(fit.accuracy(of: [0, 1, 1, 0]) == 0.5)
    #expect(fit.squaredError(of: [0, 1, 1, 0]) == 0.125 + 0 + 0.25 + 0.5625)
  }

  /// One row of 10 wrong by as much as the others are right: log odds of 9 to 1, smoothed to (9 · 10/11 + 5/11) to the
  /// rest, over a difference of 0.5.
  @Test func theTemperatureMakesProbabilitiesMeaningful() {
    let labels = [Int](repeating: 0, count: 10)
    let scores: [[Double]?] = (0..<10).map { $0 == 9 ? [0, 0.5] : [0.5, 0] }
    let fit = LinearFit(weight: [], bias: [], leaveOneOut: scores)
    // ln(8.636 / 1.364) / 0.5 = 3.69; of 10^(1/4) steps, 3.16 is the nearest.
    #expect(abs(fit.temperature(of: labels) - 3.1622776601683795) < 1e-9)
    // Without a mistake it stays finite: ln(21) / 0.5 = 6.09.
    let right = LinearFit(weight: [], bias: [], leaveOneOut: scores.map { _ in [0.5, 0] })
    #expect(abs(right.temperature(of: labels) - 5.623413251903491) < 1e-9)
  }

  /// What is stored gives the scores of what was fitted, also far from 0, where single precision is coarse.
  @Test(arguments: [ClassifierHead.Kind.ridge, .centroid], [Float(0), 1000])
  func predictsAsItWasFitted(kind: ClassifierHead.Kind, offset: Float) throws {
    var configuration = HeadConfiguration()
    configuration.classifier = kind
    let golden = try #require(try Golden.all.get().first)
    let shifted = golden.states.map { $0 + offset }, labels = ["a", "b", "c"]
    let head = try ClassifierHead(fitting: shifted, labels: golden.classes, of: labels, configuration)
    let states = try #require(HiddenStates(shifted, classes: golden.classes))
    let fit = try kind == .ridge ? #require(RidgeRegression(states)).best().fit : nearestCentroid(states)
    #expect(head.fit.rows == golden.classes.count && (head.fit.strength == nil) == (kind == .centroid))
    #expect(head.fit.leaveOneOutAccuracy == fit.accuracy(of: golden.classes))
    let swapped = try #require(head.arranged(for: ["c", "new", "a", "b"]))
    for (row, scores) in scores(fit, states).enumerated() {
      let state = shifted[(row * states.width)..<((row + 1) * states.width)]
      let logs = head.logProbabilities(of: state)
      for label in 1..<3 {
        #expect(abs(logs[label] - logs[0] - head.fit.temperature * (scores[label] - scores[0])) < 1e-4)
      }
      #expect(abs(logs.reduce(0) { $0 + exp($1) } - 1) < 1e-9)
      // A label without rows has the lowest score of the others.
      let other = swapped.logProbabilities(of: state)
      #expect(abs((other[2] - other[0]) - (logs[0] - logs[2])) < 1e-9 && other[1] == other.min())
    }
    #expect(head.arranged(for: ["a", "b"]) == nil)
  }

  @Test func labelsWithoutRowsAreLeftOut() throws {
    let head = try ClassifierHead(
      fitting: [0, 1, 4, 5], labels: [1, 1, 3, 3], of: ["none", "low", "no", "high"], HeadConfiguration())
    #expect(head.labels == ["low", "high"] && head.fit.leaveOneOutAccuracy == 1)
  }

  /// Equal rows have no direction to tell them apart: the shares of the labels decide.
  @Test(arguments: [ClassifierHead.Kind.ridge, .centroid])
  func rowsThatAreAllEqual(kind: ClassifierHead.Kind) throws {
    var configuration = HeadConfiguration()
    configuration.classifier = kind
    let head = try ClassifierHead(
      fitting: [Float](repeating: 3, count: 8), labels: [0, 1, 1, 1], of: ["a", "b"], configuration)
    let logs = head.logProbabilities(of: [3, 3])
    #expect(logs.allSatisfy(\.isFinite) && (kind == .ridge ? logs[1] > logs[0] : logs[1] == logs[0]))
  }

  @Test(arguments: [
    ([Float(0), 1], [2, 2], "all have the label \"c\""), ([0, .nan], [0, 1], "are not finite"),
  ])
  func nothingToLearnFrom(states: [Float], rows: [Int], message: String) {
    #expect {
      try ClassifierHead(fitting: states, labels: rows, of: ["a", "b", "c"], HeadConfiguration())
    } throws: {
      "\($0)".contains(message)
    }
  }

}
