import ContextTuning

/// The version `cpt --version` prints.
let version = "0.1.0"

/// What `cpt --help` prints.
func overview() -> String {
  let width = commands.map(\.name.count).max() ?? 0
  let list = commands.map { "  \(padded($0.name, to: width))  \($0.summary)" }.joined(separator: "\n")
  return """
    cpt \(version): context-aware prompt tuning of frozen language models, on CPUs

      cpt train --config configs/quickstart/quickstart.json
      cpt eval --checkpoint runs/quickstart/best

    usage: cpt COMMAND [FLAGS]

    \(list)

      cpt COMMAND --help   the flags of a command
      cpt help config      every key of a configuration file
      cpt --version        print the version
    """
}

/// What `cpt COMMAND --help` prints.
func help(for command: Command) -> String {
  let left = command.flags.map { $0.name + ($0.value.map { " " + $0.name } ?? "") }
  let width = left.map(\.count).max() ?? 0
  let flags = zip(command.flags, left).map { flag, name in
    "  \(padded(name, to: width))  \(flag.help)\(flag.isRequired ? " (required)" : "")"
  }
  return """
    \(command.summary)

      \(command.example)

    usage: cpt \(command.name) [FLAGS]

    \(flags.joined(separator: "\n"))
    """
}

/// What `cpt help config` prints.
func configurationReference() -> String {
  let keys = Configuration.reference
  let width = keys.map(\.path.count).max() ?? 0
  return keys.map { key in
    "\(padded(key.path, to: width))  \(key.meaning)\n"
      + "\(padded("", to: width))  \(key.expected); default \(key.defaultValue)"
  }.joined(separator: "\n")
}
