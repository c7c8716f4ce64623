import Diagnostics
import Synchronization
import System

/// Rows of many callers that wait for one thread to score them, as many at a time as a pack holds.
package final class ScoringQueue: Sendable {
  /// A row of a request.
  private struct Waiting {
    let request: Request
    let index: Int
  }

  private let waiting: BoundedQueue<Waiting>

  /// - Parameter limit: most rows that wait.
  package init(limit: Int) { waiting = BoundedQueue(limit: limit) }

  /// Rows that wait now.
  package var count: Int { waiting.count }

  /// Adds the rows of a request, all or none.
  ///
  /// - Throws: `QueueIsFull`.
  package func add(_ request: Request) throws {
    try waiting.add(request.rows.indices.map { Waiting(request: request, index: $0) })
  }

  /// Takes no more rows; those that wait are still scored.
  package func end() { waiting.end() }

  /// Scores rows as they come, until the queue has ended and is empty.
  ///
  /// - Parameters:
  ///   - emptyPack: a pack without rows.
  ///   - scores: scores a pack.
  package func serve(from emptyPack: CandidatePack, _ scores: (CandidatePack) throws -> [CandidateScores]) {
    while let first = waiting.next() {
      var pack = emptyPack
      var batch: [Waiting] = []
      var next: Waiting? = first
      while let row = next {
        do {
          try row.request.requireWaiting()
          try pack.append(row.request.rows[row.index])
          batch.append(row)
        } catch {
          row.request.finish(row.index, .failure(error))
        }
        next = pack.isFull ? nil : waiting.nextIfAny()
      }
      answer(batch, of: pack, from: emptyPack, scores)
    }
  }

  private func answer(
    _ batch: [Waiting], of pack: CandidatePack, from emptyPack: CandidatePack,
    _ scores: (CandidatePack) throws -> [CandidateScores]
  ) {
    if batch.isEmpty { return }
    do {
      for (row, scores) in zip(batch, try scores(pack)) { row.request.finish(row.index, .success(scores)) }
    } catch {
      guard batch.count > 1 else { return batch[0].request.finish(batch[0].index, .failure(error)) }
      // One row's fault is not the others'.
      for row in batch {
        var single = emptyPack
        row.request.finish(
          row.index,
          Result {
            try single.append(row.request.rows[row.index])
            return try scores(single)[0]
          })
      }
    }
  }
}

extension ScoringQueue {
  /// Rows of one caller.
  package final class Request: Sendable {
    private struct State {
      var scores: [CandidateScores?]
      var missing: Int
      var error: (any Error)?
    }

    fileprivate let rows: [CandidateRow]
    private let caller: Caller
    private let state: Mutex<State>
    private let deliver: @Sendable (Result<[CandidateScores], any Error>) -> Void

    /// - Parameters:
    ///   - rows: the rows, at least one.
    ///   - caller: who waits for them.
    ///   - deliver: gets the scores of the rows, or the error of the first of them that has one, once.
    package init(
      _ rows: [CandidateRow], for caller: Caller,
      deliver: @escaping @Sendable (Result<[CandidateScores], any Error>) -> Void
    ) {
      precondition(!rows.isEmpty)
      self.rows = rows
      self.caller = caller
      self.deliver = deliver
      state = Mutex(State(scores: rows.map { _ in nil }, missing: rows.count))
    }

    /// - Throws: `Caller.IsGone` when nobody waits for the rows any more, or the error of one of them.
    fileprivate func requireWaiting() throws {
      try caller.requireWaiting()
      if let error = state.withLock({ $0.error }) { throw error }
    }

    fileprivate func finish(_ index: Int, _ result: Result<CandidateScores, any Error>) {
      let all: Result<[CandidateScores], any Error>? = state.withLock { state in
        state.missing -= 1
        switch result {
        case .success(let scores): state.scores[index] = scores
        case .failure(let error): state.error = state.error ?? error
        }
        guard state.missing == 0 else { return nil }
        return state.error.map { .failure($0) } ?? .success(state.scores.compactMap { $0 })
      }
      if let all { deliver(all) }
    }
  }
}
