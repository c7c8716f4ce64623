import Diagnostics
import Kernels
import System

extension ThreadTeam {
  /// The threads to compute with: as many as asked for, or as there are cores for this process.
  ///
  /// - Parameters:
  ///   - threads: the number; nil: that of the cores.
  ///   - place: what asked for them, for messages: "--threads".
  ///   - profile: records the kernels' time.
  /// - Throws: `InputError.usage` when there cannot be so many, or the addresses that the process may use do not suffice.
  package init(forProcess threads: Int?, askedBy place: String, profile: Profile? = nil) throws {
    let threads = threads ?? Cores.available
    guard (1...1024).contains(threads) else {
      throw InputError.usage(place, "must be a whole number of at least 1 and at most 1024, found \(threads)")
    }
    try Memory.checkAddresses(threads: threads)
    self.init(threads: threads, profile: profile, reservesMemory: Memory.hasLimitedAddresses)
  }
}
