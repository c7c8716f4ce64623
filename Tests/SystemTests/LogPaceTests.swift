import System
import Testing

/// When a log gets a line.
@Suite struct LogPaceTests {
  /// The numbers of done rows at which a line is due, of rows that take a time each.
  private func lines(of all: Int?, rows: Int, secondsPerRow: Double, isEager: Bool = false) -> [Int] {
    var pace = LogPace(start: 5, isEager: isEager)
    return (1...rows).filter { pace.isDue($0, of: all, at: 5 + Double($0) * secondsPerRow) }
  }

  @Test func shortWorkHasNoLines() {
    #expect(lines(of: 100, rows: 100, secondsPerRow: 0.09).isEmpty)
    #expect(lines(of: nil, rows: 100, secondsPerRow: 0.09).isEmpty)
  }

  @Test func longWorkHasALineAtEachTenth() {
    #expect(lines(of: 100, rows: 100, secondsPerRow: 30) == Array(stride(from: 10, through: 100, by: 10)))
    #expect(lines(of: 25, rows: 25, secondsPerRow: 30) == [3, 5, 8, 10, 13, 15, 18, 20, 23, 25])
    // Ten seconds pass between lines.
    #expect(lines(of: 100, rows: 100, secondsPerRow: 0.25) == [40, 80])
    #expect(lines(of: 100, rows: 100, secondsPerRow: 0.01, isEager: true).count == 10)
  }

  @Test func workWithoutAnEndHasFewerAndFewer() {
    #expect(lines(of: nil, rows: 30, secondsPerRow: 1) == [10, 20, 30])
    let long = lines(of: nil, rows: 100_000, secondsPerRow: 1)
    #expect(long.count < 110 && long.last.map { $0 > 90_000 } == true)
    #expect(lines(of: nil, rows: 7, secondsPerRow: 0, isEager: true).count == 7)
  }
}
