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
  /// The ranks on this machine, which share its memory.
  package let onMachine: Int

  /// One process.
  package static let sole = Ranks.alone(onMachine: 1)

  /// A process that computes by itself, beside others on its machine.
  package static func alone(onMachine count: Int) -> Ranks {
    Ranks(all: SoleRank.only, tensor: SoleRank.only, data: SoleRank.only, onMachine: count)
  }

  private init(all: any Communicator, tensor: any Communicator, data: any Communicator, onMachine: Int) {
    self.all = all
    self.tensor = tensor
    self.data = data
    self.onMachine = onMachine
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
      data: parts == 1 ? all : all.split(group: all.rank % parts),
      onMachine: all.size == 1 ? 1 : all.splitByMachine().size)
  }

  /// Whether this is the rank that writes files and shows progress.
  package var isFirst: Bool { all.rank == 0 }
}

extension Communicator {
  /// Checks that something is the same on all ranks.
  ///
  /// - Parameters:
  ///   - what: its name, for the error.
  ///   - value: it, or a hash of it.
  ///   - remedy: what to do.
  /// - Throws: `InputError.failure` naming the first rank where it differs from rank 0.
  package func requireSame(_ what: String, _ value: @autoclosure () throws -> String, remedy: String) throws {
    if size == 1 { return }
    let values = gather(try value())
    guard let other = values.indices.first(where: { values[$0] != values[0] }) else { return }
    // Long texts from where they begin to differ.
    let same = values[0].count > 100 ? max(0, values[0].commonPrefix(with: values[other]).count - 20) : 0
    func part(_ text: String) -> String {
      let rest = text.dropFirst(same)
      return "\"" + (same > 0 ? "…" : "") + rest.prefix(100) + (rest.count > 100 ? "…" : "") + "\""
    }
    throw InputError.failure(
      what, "rank \(other) has \(part(values[other])), rank 0 has \(part(values[0])); \(remedy)")
  }
}

extension String {
  fileprivate func commonPrefix(with other: String) -> Substring {
    prefix(zip(self, other).prefix { $0 == $1 }.count)
  }
}
