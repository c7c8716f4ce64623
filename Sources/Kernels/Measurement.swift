/// What some work takes, found by running its code while kernels do nothing.
package struct Measurement: Sendable {
  /// Multiplications and additions of matrix products.
  package let operations: Double
  /// Bytes of matrices at the peak.
  package let matrixBytes: Int
  /// Bytes that threads take beside them at the peak: scratch memory, and what OpenBLAS packs.
  package let threadBytes: Int
  package var bytes: Int { matrixBytes + threadBytes }

  /// Measures work on matrices.
  ///
  /// - Parameters:
  ///   - threads: how many would do it.
  ///   - work: does it with a workspace and a team that only measure; it must touch matrices through kernels alone.
  package init(threads: Int, of work: (Workspace, ThreadTeam) throws -> Void) rethrows {
    let workspace = Workspace(measuring: ()), profile = Profile()
    let team = ThreadTeam(measuring: profile, threads: threads)
    try work(workspace, team)
    operations = profile.entries.reduce(0) { $0 + $1.entry.operations }
    matrixBytes = 4 * workspace.peak
    threadBytes = 4 * team.scratchPeak
  }
}
