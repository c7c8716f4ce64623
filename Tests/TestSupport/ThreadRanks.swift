import Collectives
import Diagnostics
import System

/// Ranks that are threads of this process.
package final class ThreadRanks: Communicator {
  /// What the ranks of a group share.
  private final class Board: Sendable {
    struct State {
      /// What each rank has put down in this round of exchanges.
      var parts: [[UInt8]?]
      /// Ranks that have read them.
      var readers = 0
      /// The boards of groups split from this one, by round and number.
      var boards: [[Int]: Board] = [:]
      var messages: [(receiver: Int, sender: Int, bytes: [UInt8])] = []
    }

    let size: Int
    let state: Monitor<State>

    init(size: Int) {
      self.size = size
      state = Monitor(State(parts: Array(repeating: nil, count: size)))
    }
  }

  package let rank: Int
  package var size: Int { board.size }
  private let board: Board
  private let splits = Monitor(0)

  private init(rank: Int, board: Board) {
    self.rank = rank
    self.board = board
  }

  /// What each of several ranks computes, in their order.
  package static func run<Result: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) throws -> [Result] {
    let board = Board(size: size)
    let results = Monitor([Int: Swift.Result<Result, any Error>]())
    let threads = try (0..<size).map { rank in
      try BackgroundThread {
        let result = Swift.Result { try body(ThreadRanks(rank: rank, board: board)) }
        results.change { $0[rank] = result }
      }
    }
    for thread in threads { thread.join() }
    let all = results.change { $0 }
    return try (0..<size).compactMap { try all[$0]?.get() }
  }

  package func gather(_ bytes: [UInt8]) -> [[UInt8]] {
    let rank = rank, size = size
    // The slot is free once all have read the round before.
    board.state.wait { $0.parts[rank] == nil ? () : nil }
    board.state.change { $0.parts[rank] = bytes }
    let all = board.state.wait { state in
      state.parts.allSatisfy { $0 != nil } ? state.parts.map { $0 ?? [] } : nil
    }
    board.state.change { state in
      state.readers += 1
      if state.readers == size {
        state.readers = 0
        state.parts = Array(repeating: nil, count: size)
      }
    }
    board.state.wait { $0.parts[rank] == nil ? () : nil }
    return all
  }

  package func sum(_ values: UnsafeMutableBufferPointer<Float>) {
    let parts = gather(Array(values))
    for index in values.indices { values[index] = parts.dropFirst().reduce(parts[0][index]) { $0 + $1[index] } }
  }

  package func split(group: Int) -> any Communicator {
    let groups = gather([group]).map { $0[0] }
    let members = groups.indices.filter { groups[$0] == group }
    let round = splits.change { round in
      round += 1
      return round
    }
    let part = board.state.change { state in
      let board = state.boards[[round, group]] ?? Board(size: members.count)
      state.boards[[round, group]] = board
      return board
    }
    return ThreadRanks(rank: members.firstIndex(of: rank) ?? 0, board: part)
  }

  package func splitByMachine() -> any Communicator { split(group: 0) }

  package func send(_ bytes: [UInt8], to receiver: Int) {
    let sender = rank
    board.state.change { $0.messages.append((receiver, sender, bytes)) }
  }

  package func receive() -> (bytes: [UInt8], sender: Int)? {
    let rank = rank
    return board.state.change { state in
      state.messages.firstIndex { $0.receiver == rank }.map { index in
        let message = state.messages.remove(at: index)
        return (message.bytes, message.sender)
      }
    }
  }
}
