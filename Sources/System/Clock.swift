/// Seconds since the program first asked, on a clock that only goes forward.
package func monotonicSeconds() -> Double {
  (ContinuousClock.now - clockStart) / .seconds(1)
}

private let clockStart = ContinuousClock.now
