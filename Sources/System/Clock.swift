/// Seconds since the first call, on a monotonic clock.
package func monotonicSeconds() -> Double {
  (ContinuousClock.now - clockStart) / .seconds(1)
}

private let clockStart = ContinuousClock.now
