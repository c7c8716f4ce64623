import Collectives
import Diagnostics
import Glibc
import System
import Tuning

/// The exit statuses that are not those of an error's kind; `cpt help exit-codes` lists all.
enum ExitStatus {
  /// `cpt eval`: the accuracy is below `--fail-under`.
  static let belowRequirement: Int32 = 2
}

/// The program: finds the command and runs it.
package enum Program {
  /// Runs the command line and returns its exit status; an error is one line on standard error.
  package static func main() -> Int32 {
    openStandardDescriptors()
    // OpenBLAS starts threads of its own, which are never used, and each waits for ever for 128 MB of addresses.
    if Memory.hasLimitedAddresses { restart(setting: "OPENBLAS_NUM_THREADS", to: "1") }
    signal(SIGPIPE, SIG_IGN)
    // A file that grows beyond `ulimit -f` is an error of the call that writes.
    signal(SIGXFSZ, SIG_IGN)
    var world: any Communicator = SoleRank.only
    do {
      try Memory.checkStack()
      world = try World.join()
      isSilent = world.rank > 0
      let status = try run(Array(commandLineWords.dropFirst()), in: world)
      World.leave(world)
      return ended(with: status)
    } catch let error as InputError {
      return failed(with: error.kind.rawValue, "\(error)", in: world)
    } catch {
      return failed(with: 1, "\(error)", in: world)
    }
  }

  /// Tells an error, and ends the other ranks, which may wait for this one.
  private static func failed(with status: Int32, _ error: String, in world: any Communicator) -> Int32 {
    if world.size == 1 { return ended(with: status, error) }
    // What is wrong for all is said once, by the first, which then ends the others: with a signal, which ends the wait.
    if world.rank > 0 {
      usleep(UInt32(2_000_000 + min(world.rank, 400) * 1000))
      if receivedSignal() != nil { return status }
    }
    isSilent = false
    _ = ended(with: status, "rank \(world.rank) on \(World.hostName): \(error)")
    World.abort(world, status: status)
    return status
  }

  /// The exit status, once the end has been told: an error is one line on standard error, or part of the last event.
  private static func ended(with status: Int32, _ error: String? = nil) -> Int32 {
    if progressStyle == .json {
      writeToStandardError(ProgressEvent.end(status: status, error: error).line + "\n")
    } else if let error {
      writeToStandardError("cpt: error: \(error)\n")
    }
    return status
  }

  private static func run(_ words: [String], in world: any Communicator) throws -> Int32 {
    guard let first = words.first else {
      writeToStandardError(overview() + "\n")
      return InputError.Kind.usage.rawValue
    }
    switch first {
    case "--help", "-h":
      try printPiece(overview() + "\n")
      return 0
    case "--version":
      try printResult(words.contains("--verbose") ? versionWithMachine() : versionWithBuild())
      return 0
    default:
      let command = try command(first)
      let arguments = try Arguments(Array(words.dropFirst()), of: command, in: world)
      if arguments.has("--help") {
        try printPiece(command.helpText + "\n")
        return 0
      }
      guard command.runsOnRanks || command.group == .shell || world.size == 1 else {
        throw InputError.usage(first, "runs as one process, found \(world.size) ranks; start it without mpirun or srun")
      }
      if command.flags.contains(where: { $0.name == Flag.progress.name }) {
        progressStyle = arguments.choice(Flag.progress.name, default: .auto)
      }
      try world.requireSame(
        "the command line", words.joined(separator: " "), remedy: "start all ranks with the same one")
      try world.requireSame("the program", programOfRanks, remedy: "start the same cpt on every machine")
      return try command.run(arguments)
    }
  }

  private static func command(_ name: String) throws -> Command {
    if let command = commands.first(where: { $0.name == name }) { return command }
    let names = commands.map(\.name)
    guard name.hasPrefix("-") else {
      throw InputError.usage("\"\(name)\"", "is not a command" + suggestion(for: name, among: names))
    }
    let remedy = nearest(to: name, among: ["--help", "--version"]).map { "did you mean \($0)?" }
    throw InputError.usage(name, "a command is expected here; " + (remedy ?? "cpt --help lists them"))
  }
}

/// The program as a function of `libCPT.so`, for the installed executable.
@c
public func cpt_command_line() -> Int32 { Program.main() }
