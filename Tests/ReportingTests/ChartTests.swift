import Reporting
import Testing

@Suite struct ChartTests {
  @Test(arguments: [
    ([0.3, 7.1], ["0", "2", "4", "6", "8"]), ([0, 0.02], ["0.000", "0.005", "0.010", "0.015", "0.020"]),
    ([-0.4, 0.9], ["-0.5", "0.0", "0.5", "1.0"]), ([3, 3], ["0", "2", "4", "6"]),
    ([0, 2e-5], ["0", "5e-06", "1e-05", "1.5e-05", "2e-05"]),
  ])
  func ticksAreRound(values: [Double], texts: [String]) {
    #expect(Axis(of: values, from: 0, to: 100).ticks.map(\.text) == texts)
  }

  @Test func axesOfStepsEndWithTheLastStep() {
    let axis = Axis(of: [0, 320], from: 0, to: 100, areWhole: true)
    #expect(axis.ticks.map(\.text) == ["0", "100", "200", "300"])
    #expect(axis(320) == 100 && axis(160) == 50)
    // One step is the shortest axis.
    #expect(Axis(of: [0, 1], from: 0, to: 100, areWhole: true).ticks.map(\.text) == ["0", "1"])
  }

  /// Values that double are at equal distances; those without room for it have no tick.
  @Test func axesAtAFewValues() {
    let axis = Axis(at: [4, 8, 16], from: 0, to: 100)
    #expect(axis.ticks.map(\.text) == ["4", "8", "16"] && axis(4) > 0 && axis(16) < 100)
    #expect(abs(axis(8) - 50) < 1e-9)
    #expect(Axis(at: [10, 11, 12, 100], from: 0, to: 100).ticks.map(\.text) == ["10", "100"])
    #expect(abs(Axis(at: [3], from: 0, to: 100)(3) - 50) < 1e-9)
  }

  @Test func wideRangesAreLogarithmic() {
    let axis = Axis(of: [0.008, 6.1], from: 0, to: 90, scale: .logarithmicIfWide)
    #expect(axis.isLogarithmic && axis.ticks.map(\.text) == ["0.01", "0.1", "1", "10"])
    #expect(abs(axis(1) - axis(0.1) - (axis(10) - axis(1))) < 1e-9)
    #expect(!Axis(of: [0, 6.1], from: 0, to: 90, scale: .logarithmicIfWide).isLogarithmic)
    #expect(!Axis(of: [1, 49], from: 0, to: 90, scale: .logarithmicIfWide).isLogarithmic)
  }

  /// What a broken run may hold: values that hardly differ, or by everything.
  @Test(arguments: [[1e25, 1e25.nextUp], [-1e99, 1e99], [0, 0], [1e-300, 1e99]])
  func anyValuesHaveAnAxis(values: [Double]) {
    for scale in [Axis.Scale.linear, .logarithmicIfWide] {
      let axis = Axis(of: values, from: 0, to: 100, scale: scale)
      #expect(!axis.ticks.isEmpty && values.allSatisfy { (0...100).contains(axis($0)) })
    }
  }

  @Test func percentages() {
    #expect(
      Axis(of: [0, 1], from: 0, to: 1, arePercentages: true).ticks.map(\.text) == [
        "0\u{A0}%", "20\u{A0}%", "40\u{A0}%", "60\u{A0}%", "80\u{A0}%", "100\u{A0}%",
      ])
  }

  @Test func runningMeansAreOfNeighbours() {
    let points = [3.0, 6, 0, 9].enumerated().map { (step: $0.offset + 1, value: $0.element) }
    let means = runningMean(of: points, width: 3)
    #expect(means.map(\.step) == [1, 2, 3, 4])
    #expect(means.map(\.value) == [4.5, 3, 5, 4.5])
    #expect(runningMean(of: [], width: 3).isEmpty)
  }

  @Test func thinningIsEven() {
    #expect(thinned(Array(0..<10), to: 4) == [0, 3, 6, 9])
    #expect(thinned(Array(0..<4), to: 4) == [0, 1, 2, 3])
    #expect(thinned([Int](), to: 4).isEmpty)
  }
}
