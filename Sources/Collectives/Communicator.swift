import Glibc

/// A group of processes that compute together, and the operations in which they exchange numbers.
///
/// All ranks of the group call the collective operations (`sum`, `gather`, `split`) in the same order.
package protocol Communicator: AnyObject, Sendable {
  /// This process among the group's, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }

  /// Replaces each number with its sum over the ranks, added in the order of ranks: every rank gets the same bits, in every
  /// run of as many ranks.
  func sum(_ values: UnsafeMutableBufferPointer<Float>)

  /// The bytes that each rank gives, in the order of ranks.
  func gather(_ bytes: [UInt8]) -> [[UInt8]]

  /// The ranks that give the same number, in their order.
  func split(group: Int) -> any Communicator

  /// The ranks on this machine.
  func splitByMachine() -> any Communicator

  /// Sends a message to another rank.
  func send(_ bytes: [UInt8], to rank: Int)

  /// A message that has arrived, and who sent it; nil: there is none.
  func receive() -> (bytes: [UInt8], sender: Int)?
}

/// A group of one: nothing is exchanged.
package final class SoleRank: Communicator {
  package static let only = SoleRank()

  package let rank = 0
  package let size = 1

  private init() {}

  package func sum(_ values: UnsafeMutableBufferPointer<Float>) {}
  package func gather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }
  package func split(group: Int) -> any Communicator { self }
  package func splitByMachine() -> any Communicator { self }
  package func send(_ bytes: [UInt8], to rank: Int) { preconditionFailure("there is no other rank") }
  package func receive() -> (bytes: [UInt8], sender: Int)? { nil }
}

extension Communicator {
  /// This rank's share of a number of things that are divided among the ranks in their order: as many for each, or one more.
  /// The first rank has one if there is any.
  package func share(of count: Int) -> Range<Int> {
    func start(_ rank: Int) -> Int { (count * rank + size - 1) / size }
    return start(rank)..<start(rank + 1)
  }

  /// The numbers that each rank gives, in the order of ranks.
  package func gather<Number: BitwiseCopyable>(_ numbers: [Number]) -> [[Number]] {
    gather(numbers.withUnsafeBytes { Array($0) }).map { bytes in
      [Number](unsafeUninitializedCapacity: bytes.count / MemoryLayout<Number>.stride) { buffer, count in
        count = buffer.count
        UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes)
      }
    }
  }

  /// Whether all ranks say so; the same answer on every rank.
  package func all(_ isSo: Bool) -> Bool {
    size == 1 ? isSo : gather([isSo ? 1 : 0] as [UInt8]).allSatisfy { $0 == [1] }
  }

  /// The text that each rank gives, in the order of ranks.
  package func gather(_ text: String) -> [String] {
    gather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }
}

extension Communicator {
  /// The next message; the processor is free while there is none.
  package func nextMessage() -> (bytes: [UInt8], sender: Int) {
    while true {
      if let message = receive() { return message }
      usleep(500)
    }
  }
}
