/// Seconds since the first call, on a monotonic clock.
package func monotonicSeconds() -> Double {
  (ContinuousClock.now - clockStart) / .seconds(1)
}

/// Decides when a log gets its next line about work that goes on.
package struct LogPace: Sendable {
  private let start: Double
  private var lastLine: Double
  private var tenth = 0
  private let isEager: Bool

  /// Work that begins at a time in seconds; an eager log gets all lines that `isDue` may give.
  package init(start: Double, isEager: Bool) {
    self.start = start
    lastLine = start
    self.isEager = isEager
  }

  /// Whether a line is due; if it is, it counts as printed.
  ///
  /// At each tenth of the work, ten seconds or more apart; if `all` is not known, a tenth of the time so far or more apart.
  package mutating func isDue(_ done: Int, of all: Int?, at now: Double) -> Bool {
    let reached = all.map { $0 > 0 ? Int(Double(done) / Double($0) * 10) : 0 } ?? tenth + 1
    let gap = max(10, all == nil ? (now - start) / 10 : 0)
    guard reached > tenth, isEager || now - lastLine >= gap else { return false }
    tenth = reached
    lastLine = now
    return true
  }
}

private let clockStart = ContinuousClock.now
