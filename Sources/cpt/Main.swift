import ContextTuning
import FileFormats
import Glibc

@main
struct CommandLineTool {
  static func main() {
    signal(SIGPIPE, SIG_IGN)
    do {
      exit(try run(Array(CommandLine.arguments.dropFirst())))
    } catch let error as InputError {
      writeToStandardError("cpt: error: \(error)\n")
      exit(error.kind.rawValue)
    } catch {
      writeToStandardError("cpt: error: \(error)\n")
      exit(1)
    }
  }

  private static func run(_ words: [String]) throws -> Int32 {
    guard let first = words.first else {
      writeToStandardError(overview() + "\n")
      return InputError.Kind.usage.rawValue
    }
    switch first {
    case "--help", "-h", "help":
      guard let topic = words.dropFirst().first else {
        try printResult(overview())
        return 0
      }
      try printResult(topic == "config" ? configurationReference() : help(for: try command(topic)))
      return 0
    case "--version":
      try printResult("cpt \(version)")
      return 0
    default:
      let command = try command(first)
      let arguments = try Arguments(Array(words.dropFirst()), of: command)
      if arguments.has("--help") {
        try printResult(help(for: command))
        return 0
      }
      return try command.run(arguments)
    }
  }

  private static func command(_ name: String) throws -> Command {
    guard let command = commands.first(where: { $0.name == name }) else {
      throw InputError.usage("\"\(name)\"", "is no command" + suggestion(for: name, among: commands.map(\.name)))
    }
    return command
  }
}
