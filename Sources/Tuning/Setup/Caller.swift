import Synchronization

/// Who waits for some work, until a time or until they lose interest.
package final class Caller: Sendable {
  /// Nobody waits any more.
  package struct IsGone: Error, Sendable {}

  private let deadline: ContinuousClock.Instant?
  private let hasLeft = Atomic(false)

  /// - Parameter deadline: when the work is of no use any more; nil: never.
  package init(until deadline: ContinuousClock.Instant? = nil) { self.deadline = deadline }

  /// The work is of no use any more.
  package func leave() { hasLeft.store(true, ordering: .relaxed) }

  /// - Throws: `IsGone` when the work is of no use any more.
  package func requireWaiting() throws {
    if hasLeft.load(ordering: .relaxed) || deadline.map({ $0 <= .now }) ?? false { throw IsGone() }
  }
}
