import Diagnostics
import FileFormats
import Kernels
import System

/// What `cpt --version --verbose` prints: the version, the library of matrix products, and what limits threads and memory,
/// each with its source.
func versionWithMachine() -> String {
  func list(_ limits: [Limit], _ text: (Int) -> String) -> String {
    limits.map { "\(text($0.value)) (\($0.source))" }.joined(separator: ", ")
  }
  let cores = Cores.available
  let facts = [
    Fact("version", .string(version), "cpt", version),
    Fact("products", .string(matrixLibrary), "products", matrixLibrary),
    Fact("threads", .integer(cores), "threads", "\(cores): " + list(Cores.limits) { "\($0)" }),
    Fact(
      "memory", .integer(Memory.available(threads: cores).value), "memory",
      gigabytes(Memory.available(threads: cores).value) + ": " + list(Memory.limits(threads: cores), gigabytes)),
  ]
  return facts.text
}

private func gigabytes(_ bytes: Int) -> String { "\(fixed(Double(bytes) / 1e9, 2)) GB" }
