import Synchronization

/// The time of each kernel, with the floating-point operations the algorithm needs.
///
/// Only the multiplications and additions of matrix products count, not elementwise work. Attention's backward counts
/// its four products, not the recomputed scores.
package final class Profile: Sendable {
  /// A kernel, by its name in the table.
  package enum Operation: String, CaseIterable, Sendable {
    case linear = "linear"
    case linearBackward = "linear backward"
    case attention = "attention"
    case attentionBackward = "attention backward"
    case norm = "norm"
    case normBackward = "norm backward"
    case rotary = "rotary"
    case activation = "activation"
    case activationBackward = "activation backward"
    case crossEntropy = "cross entropy"
    case rows = "copies, bias, residual"
    case quantization = "quantization"
    case communication = "sums over ranks"
  }

  /// The totals of one kernel so far.
  package struct Entry: Sendable {
    package var calls = 0
    package var seconds = 0.0
    package var operations = 0.0
  }

  private let table = Mutex<[Operation: Entry]>([:])

  package init() {}

  /// The totals of each kernel that was called.
  package var entries: [(operation: Operation, entry: Entry)] {
    table.withLock { table in Operation.allCases.compactMap { operation in table[operation].map { (operation, $0) } } }
  }

  func add(_ operation: Operation, seconds: Double, operations: Double) {
    table.withLock { table in
      table[operation, default: Entry()].calls += 1
      table[operation, default: Entry()].seconds += seconds
      table[operation, default: Entry()].operations += operations
    }
  }
}

extension ThreadTeam {
  /// Floating-point operations per second of OpenBLAS's product of square matrices with this many threads, the best of
  /// `rounds`: the reference for the share of the machine's speed that a step reaches.
  package func matrixProductRate(size: Int = 4096, rounds: Int = 3) -> Double {
    let matrices = (0..<3).map { _ in Matrix(rows: size, columns: size) }
    for matrix in matrices { matrix.fill(0.5) }
    useBLASThreads(threads)
    defer { useBLASThreads(1) }
    return (0..<rounds).map { _ in
      let start = ContinuousClock.now
      multiply(
        m: size, n: size, k: size, matrices[0].base, leadingA: size, matrices[1].base, leadingB: size,
        into: matrices[2].base, leadingC: size)
      let cube = Double(size) * Double(size) * Double(size)
      return 2 * cube / ((ContinuousClock.now - start) / .seconds(1))
    }.max() ?? 0
  }
}
