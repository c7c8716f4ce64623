import Diagnostics
import Glibc
import System

/// The processes that mpirun or srun started together.
package enum World {
  /// Joins the other processes; a program that no launcher started is alone.
  ///
  /// - Throws: `InputError.failure` when there are others and this program cannot reach them.
  package static func join() throws -> any Communicator {
    let launched = launchedProcesses
    #if MPI
      guard launched != nil else { return SoleRank.only }
      guard let world = MPICommunicator.start() else {
        throw InputError.failure("MPI", "did not start; is the library the launcher's? \(MPICommunicator.library)")
      }
      if let launched, launched > 1, world.size == 1 {
        throw InputError.failure(
          "MPI",
          "the launcher started \(launched) processes, and each is alone: the launcher is not that of the library, "
            + MPICommunicator.library.prefix(40))
      }
      return world
    #else
      if let launched, launched > 1 {
        throw InputError.failure(
          "MPI",
          "a launcher started \(launched) processes of a cpt without MPI; build it with swift build --traits MPI")
      }
      return SoleRank.only
    #endif
  }

  /// The name and version of the library that ranks need; nil: the program is built without.
  package static var library: String? {
    #if MPI
      // Some say more than that.
      String(MPICommunicator.library.prefix { $0 != "," && !$0.isNewline })
    #else
      nil
    #endif
  }

  /// Leaves the other processes, once all of them do.
  package static func leave(_ world: any Communicator) {
    #if MPI
      if world is MPICommunicator { MPICommunicator.finish() }
    #endif
  }

  /// Ends the other processes too, after an error that they may not know of.
  package static func abort(_ world: any Communicator, status: Int32) {
    #if MPI
      if world is MPICommunicator { MPICommunicator.abort(status: status) }
    #endif
  }

  /// The processes that a launcher says it started; nil: none did.
  private static var launchedProcesses: Int? {
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
      if let count = environment(name).flatMap({ Int($0) }) { return count }
    }
    // With PMIx, and Slurm's of PMI 2, only Slurm says how many.
    guard environment("PMIX_RANK") != nil || environment("PMI_RANK") != nil else { return nil }
    return environment("SLURM_STEP_NUM_TASKS").flatMap { Int($0) } ?? 1
  }

  /// The machine's name, for messages.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension Communicator {
  /// The threads of each rank: the cores of a machine, divided among the ranks that may use the same ones. All ranks have as
  /// many, so that all round alike.
  package var threadsOfRank: Int {
    let machine = splitByMachine()
    let allowed = machine.gather(Cores.affinityMask ?? "")
    let sharers = allowed.count { $0 == allowed[machine.rank] }
    return gather([max(1, Cores.available / sharers)]).flatMap { $0 }.min() ?? 1
  }
}
