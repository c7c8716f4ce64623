/// More elements would wait in a queue than may.
package struct QueueIsFull: Error, Sendable {
  package init() {}
}

/// Elements that wait for the thread that takes them, up to a number.
package final class BoundedQueue<Element: Sendable>: Sendable {
  private struct State {
    var waiting: [Element] = []
    /// Elements at the front of `waiting` that were taken.
    var taken = 0
    var hasEnded = false

    var count: Int { waiting.count - taken }

    mutating func next() -> Element? {
      guard taken < waiting.count else { return nil }
      defer {
        taken += 1
        if taken * 2 > waiting.count {
          waiting.removeFirst(taken)
          taken = 0
        }
      }
      return waiting[taken]
    }
  }

  private let limit: Int
  private let state = Monitor(State())

  /// - Parameter limit: most elements that wait.
  package init(limit: Int) { self.limit = limit }

  /// Elements that wait now.
  package var count: Int { state.change { $0.count } }

  /// Adds elements, all or none.
  ///
  /// - Precondition: the queue has not ended.
  /// - Throws: `QueueIsFull`.
  package func add(_ elements: [Element]) throws {
    try state.change { state in
      precondition(!state.hasEnded)
      guard state.count + elements.count <= limit else { throw QueueIsFull() }
      state.waiting += elements
    }
  }

  /// The next element, waiting for it; nil once the queue has ended and is empty.
  package func next() -> Element? {
    state.wait { state -> Element?? in state.next().map { .some($0) } ?? (state.hasEnded ? .some(nil) : nil) }
  }

  /// The next element; nil if none waits.
  package func nextIfAny() -> Element? { state.change { $0.next() } }

  /// Takes no more elements; those that wait can still be taken.
  package func end() { state.change { $0.hasEnded = true } }
}
