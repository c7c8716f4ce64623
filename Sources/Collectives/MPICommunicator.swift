#if MPI
  import CMPI

  /// A communicator of MPI.
  package final class MPICommunicator: Communicator, @unchecked Sendable {
    // Sendable: one thread at a time computes, and with it calls MPI.

    private let ranks: cpt_communicator
    package let rank: Int
    package let size: Int
    /// The ranks' parts of a sum.
    private var parts: [Float] = []

    private init(_ ranks: cpt_communicator) {
      self.ranks = ranks
      rank = Int(cpt_mpi_rank(ranks))
      size = Int(cpt_mpi_size(ranks))
    }

    /// Starts MPI: all processes that the launcher started.
    ///
    /// - Returns: nil if MPI did not start.
    package static func start() -> MPICommunicator? {
      cpt_mpi_start() == 0 ? MPICommunicator(cpt_mpi_world()) : nil
    }

    /// Ends MPI, once all ranks come to it.
    package static func finish() { cpt_mpi_finish() }

    /// Ends all ranks.
    package static func abort(status: Int32) { cpt_mpi_abort(status) }

    /// The name and version of the library.
    package static var library: String {
      var text = [CChar](repeating: 0, count: Int(cpt_mpi_library_size()) + 1)
      let count = cpt_mpi_library(&text)
      return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Each rank adds up one part of the numbers, and gets the sums of the others: the traffic does not depend on the number
    /// of ranks, and the order of additions does not depend on the library.
    package func sum(_ values: UnsafeMutableBufferPointer<Float>) {
      guard let base = values.baseAddress else { return }
      // MPI counts with 32 bits.
      for start in stride(from: 0, to: values.count, by: 1 << 30) {
        sum(base + start, count: min(1 << 30, values.count - start))
      }
    }

    private func sum(_ base: UnsafeMutablePointer<Float>, count: Int) {
      let starts = (0...size).map { Int32(count * $0 / size) }
      let counts = (0..<size).map { starts[$0 + 1] - starts[$0] }
      let own = Int(counts[rank]), place = base + Int(starts[rank])
      let ownCounts = [Int32](repeating: Int32(own), count: size)
      if parts.count < size * own { parts = [Float](repeating: 0, count: size * own) }
      parts.withUnsafeMutableBufferPointer { buffer in
        guard let parts = buffer.baseAddress else { return }
        cpt_mpi_exchange_floats(ranks, base, counts, starts, parts, ownCounts, (0..<size).map { Int32($0 * own) })
        place.update(from: parts, count: own)
        for other in 1..<size {
          let part = parts + other * own
          for index in 0..<own { place[index] += part[index] }
        }
      }
      cpt_mpi_gather_floats(ranks, base, counts, starts)
    }

    package func gather(_ bytes: [UInt8]) -> [[UInt8]] {
      var counts = [Int32](repeating: 0, count: size)
      cpt_mpi_gather_count(ranks, Int32(bytes.count), &counts)
      var starts = [0]
      for count in counts { starts.append(starts[starts.count - 1] + Int(count)) }
      var all = [UInt8](repeating: 0, count: max(1, starts[size]))
      cpt_mpi_gather_bytes(ranks, bytes, Int32(bytes.count), &all, counts, starts.dropLast().map { Int32($0) })
      return (0..<size).map { Array(all[starts[$0]..<starts[$0 + 1]]) }
    }

    package func split(group: Int) -> any Communicator { MPICommunicator(cpt_mpi_split(ranks, Int32(group))) }

    package func splitByMachine() -> any Communicator { MPICommunicator(cpt_mpi_node(ranks)) }

    package func send(_ bytes: [UInt8], to rank: Int) { cpt_mpi_send(ranks, bytes, Int32(bytes.count), Int32(rank)) }

    package func receive() -> (bytes: [UInt8], sender: Int)? {
      var sender: Int32 = 0, count: Int32 = 0
      guard cpt_mpi_probe(ranks, &sender, &count) != 0 else { return nil }
      var bytes = [UInt8](repeating: 0, count: Int(count))
      cpt_mpi_receive(ranks, &bytes, count, sender)
      return (bytes, Int(sender))
    }
  }
#endif
