/// The cost of some work, measured by running its code with kernels that compute nothing.
package struct Measurement: Sendable {
  /// Multiplications and additions of matrix products.
  package let operations: Double
  /// Peak bytes of matrices.
  package let matrixBytes: Int
  /// Peak bytes of threads besides these: scratch memory, and OpenBLAS's packed operands.
  package let threadBytes: Int
  package var bytes: Int { matrixBytes + threadBytes }

  /// Measures work on matrices.
  ///
  /// - Parameters:
  ///   - threads: the number of threads that would do it.
  ///   - work: the work, with a workspace and a team that only measure; it must access matrices only through kernels.
  package init(threads: Int, of work: (Workspace, ThreadTeam) throws -> Void) rethrows {
    let workspace = Workspace(measuring: ()), profile = Profile()
    let team = ThreadTeam(measuring: profile, threads: threads)
    try work(workspace, team)
    operations = profile.entries.reduce(0) { $0 + $1.entry.operations }
    matrixBytes = 4 * workspace.peak
    threadBytes = 4 * team.scratchPeak
  }
}
