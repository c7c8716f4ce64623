import Diagnostics
import Synchronization
import System

/// Rows of many callers that wait for one thread to score them, as many at a time as a pack holds.
package final class ScoringQueue: Sendable {
  /// Why rows were not scored, other than for what they hold.
  package enum Refusal: Error, Sendable {
    /// More rows wait than may.
    case isFull
    /// The queue takes no more rows.
    case hasEnded
    /// The caller's time was over before their turn.
    case isLate
  }

  /// A row of a request.
  private struct Waiting {
    let request: Request
    let index: Int
  }

  private struct State {
    var waiting: [Waiting] = []
    /// Rows at the front of `waiting` that were taken.
    var taken = 0
    var hasEnded = false

    var count: Int { waiting.count - taken }

    mutating func next() -> Waiting? {
      guard taken < waiting.count else { return nil }
      taken += 1
      defer {
        if taken * 2 > waiting.count {
          waiting.removeFirst(taken)
          taken = 0
        }
      }
      return waiting[taken - 1]
    }
  }

  /// Most rows that wait.
  package let limit: Int
  private let state = Monitor(State())

  package init(limit: Int) { self.limit = limit }

  /// Rows that wait now.
  package var count: Int { state.change { $0.count } }

  /// Adds the rows of a request, all or none.
  ///
  /// - Throws: `Refusal`.
  package func add(_ request: Request) throws {
    try state.change { state in
      if state.hasEnded { throw Refusal.hasEnded }
      guard state.count + request.rows.count <= limit else { throw Refusal.isFull }
      state.waiting += request.rows.indices.map { Waiting(request: request, index: $0) }
    }
  }

  /// Takes no more rows; those that wait are still scored.
  package func end() { state.change { $0.hasEnded = true } }

  /// Scores rows as they come, until the queue has ended and is empty.
  ///
  /// - Parameters:
  ///   - emptyPack: a pack without rows.
  ///   - scores: scores a pack.
  package func serve(from emptyPack: CandidatePack, _ scores: (CandidatePack) throws -> [CandidateScores]) {
    while let first = state.wait(for: { state in state.next().map { .some($0) } ?? (state.hasEnded ? .some(nil) : nil) }
    ) {
      var pack = emptyPack
      var batch: [Waiting] = []
      var next: Waiting? = first
      while let row = next {
        do {
          try row.request.requireWanted()
          try pack.append(row.request.rows[row.index])
          batch.append(row)
        } catch {
          row.request.finish(row.index, .failure(error))
        }
        next = pack.isFull ? nil : state.change { $0.next() }
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
      var isWanted = true
    }

    fileprivate let rows: [CandidateRow]
    private let deadline: ContinuousClock.Instant?
    private let state: Mutex<State>
    private let deliver: @Sendable (Result<[CandidateScores], any Error>) -> Void

    /// - Parameters:
    ///   - rows: the rows, at least one.
    ///   - deadline: when the caller no longer waits.
    ///   - deliver: gets the scores of the rows, or the error of the first of them that has one, once.
    package init(
      _ rows: [CandidateRow], deadline: ContinuousClock.Instant? = nil,
      deliver: @escaping @Sendable (Result<[CandidateScores], any Error>) -> Void
    ) {
      precondition(!rows.isEmpty)
      self.rows = rows
      self.deadline = deadline
      self.deliver = deliver
      state = Mutex(State(scores: rows.map { _ in nil }, missing: rows.count))
    }

    /// Its rows need no scores any more.
    package func cancel() { state.withLock { $0.isWanted = false } }

    /// - Throws: `Refusal.isLate` when nobody waits for the row.
    fileprivate func requireWanted() throws {
      guard state.withLock({ $0.isWanted && $0.error == nil }), deadline.map({ $0 > .now }) ?? true else {
        throw Refusal.isLate
      }
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
