import Diagnostics

/// How the processes of a program share its work.
///
/// With tensor parallelism, each group of neighbouring ranks holds the parts of one model and computes the same rows
/// together. The groups are data-parallel: each computes other rows.
package struct Ranks: Sendable {
  /// All ranks.
  package let all: any Communicator
  /// The ranks with the other parts of this rank's model.
  package let tensor: any Communicator
  /// The ranks with the same part of the model, which compute other rows.
  package let data: any Communicator

  /// One process.
  package static let sole = Ranks(all: SoleRank.only, tensor: SoleRank.only, data: SoleRank.only)

  private init(all: any Communicator, tensor: any Communicator, data: any Communicator) {
    self.all = all
    self.tensor = tensor
    self.data = data
  }

  /// Groups of this many ranks for one model.
  ///
  /// - Throws: `InputError.usage` when the ranks are not a multiple of them.
  package init(_ all: any Communicator, tensorParallel parts: Int = 1) throws {
    guard all.size % parts == 0 else {
      throw InputError.usage(
        "--tensor-parallel", "is \(parts), which does not divide the \(all.size) rank\(all.size == 1 ? "" : "s")")
    }
    self.init(
      all: all, tensor: parts == 1 ? SoleRank.only : all.split(group: all.rank / parts),
      data: parts == 1 ? all : all.split(group: all.rank % parts))
  }

  /// Whether this is the rank that writes files and shows progress.
  package var isFirst: Bool { all.rank == 0 }

  /// Checks that something is the same on all ranks.
  ///
  /// - Parameters:
  ///   - what: its name, for the error.
  ///   - value: it, or a hash of it.
  ///   - remedy: what to do.
  /// - Throws: `InputError.failure` naming the first rank where it differs from rank 0.
  package func requireSame(_ what: String, _ value: @autoclosure () -> String, remedy: String) throws {
    if all.size == 1 { return }
    let values = all.gather(value())
    guard let rank = values.indices.first(where: { values[$0] != values[0] }) else { return }
    func short(_ text: String) -> String { text.count > 100 ? String(text.prefix(100)) + "…" : text }
    throw InputError.failure(
      what, "rank \(rank) has \(short(values[rank])), rank 0 has \(short(values[0])); \(remedy)")
  }
}
