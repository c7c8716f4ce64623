import Collectives
import Diagnostics
import FileFormats
import Kernels
import System

/// What `cpt --version` prints: the version, what the program was compiled for and by, and the library of matrix products.
func versionWithBuild() -> String { programVersion + "\n" + buildFacts.text }

/// The version and the commit.
private var programVersion: String { "cpt \(version)\(commit.isEmpty ? "" : " (\(commit))")" }

/// What must be the same in all ranks: they may have processors for which OpenBLAS takes different kernels.
var programOfRanks: String { "\(programVersion) for \(instructionSet)" }

private var buildFacts: [Fact] {
  [
    Fact("compiled", .string(instructionSet), "compiled", "for \(instructionSet), by Swift \(compilerVersion)"),
    Fact("products", .string(matrixLibrary), "products", matrixLibrary),
  ] + (World.library.map { [Fact("ranks", .string($0), "ranks", $0)] } ?? [])
}

/// The compiler's version, as exactly as the language tells it.
private var compilerVersion: String {
  #if compiler(>=6.5)
    "6.5 or later"
  #elseif compiler(>=6.4)
    "6.4"
  #elseif compiler(>=6.3)
    "6.3"
  #else
    "6.2"
  #endif
}

/// What `cpt --version --verbose` prints: the version, the library of matrix products, and what limits threads and memory,
/// each with its source.
func versionWithMachine() -> String {
  func list(_ limits: [Limit], _ text: (Int) -> String) -> String {
    limits.map { "\(text($0.value)) (\($0.source))" }.joined(separator: ", ")
  }
  let cores = Cores.available
  let facts =
    [
      Fact("version", .string(version), "cpt", version)
    ] + buildFacts + [
      Fact("threads", .integer(cores), "threads", "\(cores): " + list(Cores.limits) { "\($0)" }),
      Fact(
        "memory", .integer(Memory.available(threads: cores).value), "memory",
        gigabytes(Memory.available(threads: cores).value) + ": " + list(Memory.limits(threads: cores), gigabytes)),
    ]
  return facts.text
}

private func gigabytes(_ bytes: Int) -> String { "\(fixed(Double(bytes) / 1e9, 2)) GB" }
