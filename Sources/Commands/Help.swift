import Diagnostics
import FileFormats
import Runs

/// What `cpt --help` prints.
func overview() -> String {
  let width = commands.map(\.name.count).max() ?? 0
  let groups = Command.Group.allCases.map { group in
    let list = commands.filter { $0.group == group }.map {
      wrapped($0.summary, behind: "  \(padded($0.name, to: width))  ")
    }
    return ([heading(group.rawValue)] + list).joined(separator: "\n")
  }
  return """
    \(wrapped("cpt \(version): classify texts with a frozen language model and a tuned prompt"))

      \(Command.train.example)
      \(Command.evaluate.example)

    \(groups.joined(separator: "\n"))

    \(wrapped("cpt COMMAND [FLAGS]; cpt COMMAND --help lists a command's flags", behind: "usage: "))
    \(wrapped("cpt --version --verbose shows what limits threads and memory here", behind: "       "))
    """
}

extension Command {
  /// How the command is called: "cpt train --config FILE [FLAGS]".
  var usage: String {
    var words = ["cpt", name]
    if let operands {
      let name = operands.value.name + (operands.count.upperBound > 1 ? "…" : "")
      words.append(operands.count.lowerBound == 0 ? "[\(name)]" : name)
    }
    words += flags.filter(\.isRequired).map(\.usage)
    return words.joined(separator: " ") + " [FLAGS]"
  }

  /// What `cpt COMMAND --help` prints.
  var helpText: String {
    var entries = flags.map { ($0.usage, $0.help + ($0.isRequired ? " (required)" : "")) }
    if let operands { entries.insert((operands.value.name, operands.help), at: 0) }
    let width = entries.map(\.0.count).max() ?? 0
    let lines = entries.map { name, help in
      wrapped(help, behind: "  \(padded(name, to: width))  ")
    }
    return """
      \(wrapped(summary))

        \(example)

      \(heading("usage:"))\(wrapped(usage, behind: "usage: ").dropFirst(6))

      \(lines.joined(separator: "\n"))
      """
  }
}

extension Flag {
  /// How the flag is written: "--config FILE".
  var usage: String { name + (value.map { " " + $0.name } ?? "") }
}

extension Command {
  /// `cpt help`.
  static let help = Command(
    name: "help",
    group: .shell,
    summary: "On \(topics.map(\.name).joined(separator: ", ")).",
    example: "cpt help config training.learning_rate",
    operands: Operands(
      value: .topic, help: "a topic or a command; after config, a section or a key of a configuration", count: 0...2),
    flags: [Flag(name: "--json", help: "print all commands, flags, topics and keys as JSON"), .help],
    run: { arguments in
      try printPiece((arguments.has("--json") ? tables().pretty : explanation(of: arguments.operands)) + "\n")
      return 0
    })
}

/// What `cpt help` prints about some words.
private func explanation(of words: [String]) throws -> String {
  guard let name = words.first else { return topicList() }
  if name == "config", let part = words.dropFirst().first { return try configurationReference(part) }
  if let extra = words.dropFirst().first {
    throw InputError.usage("\"\(extra)\"", "\(name) has no subtopics; expected cpt help \(name)")
  }
  if let topic = topics.first(where: { $0.name == name }) { return try explanation(of: topic) }
  if let command = commands.first(where: { $0.name == name }) { return command.helpText }
  let known = topics.map(\.name) + commands.map(\.name)
  throw InputError.usage("\"\(name)\"", "is neither a topic nor a command" + suggestion(for: name, among: known))
}

private func explanation(of topic: Topic) throws -> String {
  let text = "\(heading(wrapped(topic.summary)))\n\n\(refitted(topic.text))"
  return switch topic.name {
  case "config": try text + "\n\n" + configurationReference()
  case "files":
    text + "\n\nThe keys of the JSON files (later versions may add keys):\n\n"
      + fileKeys.map(\.helpText).joined(separator: "\n\n")
  default: text
  }
}

/// What `cpt help` prints.
private func topicList() -> String {
  let width = topics.map(\.name.count).max() ?? 0
  let list = topics.map { wrapped($0.summary, behind: "  \(padded($0.name, to: width))  ") }
  return """
      cpt help method

    \(heading("Topics"))
    \(list.joined(separator: "\n"))

    \(wrapped("cpt help COMMAND equals cpt COMMAND --help; cpt --help lists the commands"))
    """
}

/// Every configuration key, those of a section, or one.
///
/// - Throws: `InputError.usage` for a word that is neither a section nor a key, with the nearest one.
private func configurationReference(_ part: String? = nil) throws -> String {
  let keys = Configuration.reference
  func section(_ key: ConfigurationKeyDescription) -> String { String(key.path.prefix { $0 != "." }) }
  guard let part else { return keys.map(\.helpText).joined(separator: "\n") }
  let found = keys.filter { $0.path == part || $0.path.hasPrefix(part + ".") || $0.path.hasSuffix("." + part) }
  guard !found.isEmpty else {
    let sections = Set(keys.filter { $0.path.contains(".") }.map(section)).sorted()
    let names = keys.flatMap { [$0.path, String($0.path.drop { $0 != "." }.dropFirst())] }.filter { !$0.isEmpty }
    let remedy =
      nearest(to: part, among: sections + names).map { "; did you mean \"\($0)\"?" }
      ?? "; expected one of the sections \(sections.joined(separator: ", ")), or a key (cpt help config lists them)"
    throw InputError.usage("\"\(part)\"", "is not a configuration key" + remedy)
  }
  return found.map(\.helpText).joined(separator: "\n")
}

extension ConfigurationKeyDescription {
  fileprivate var helpText: String { keyHelp(path, "\(expected) (default \(defaultValue))", meaning) }
}

extension FileKeys {
  fileprivate var helpText: String {
    ([heading(title)] + keys.map { keyHelp($0.path, $0.values, $0.meaning) }).joined(separator: "\n")
  }
}

extension FieldDescription {
  /// The allowed values, and whether the key may be missing.
  var values: String { presence == .sometimes ? expected + "; may be missing" : expected }
}

/// A key with its values, and its meaning below.
private func keyHelp(_ path: String, _ values: String, _ meaning: String) -> String {
  let lead = wrapped("\(path): \(values)", indent: 4)
  return heading(path) + lead.dropFirst(path.count) + "\n" + wrapped(meaning, behind: "    ")
}

/// The tables that all help is made of: commands with their flags, topics, keys of configurations and files.
private func tables() -> JSON {
  func flag(_ flag: Flag) -> JSON {
    .object([
      .init("name", .string(flag.name)), .init("value", flag.value.map { .string($0.name) } ?? .null),
      .init("choices", flag.value?.choices.map { .array($0.map(JSON.string)) } ?? .null),
      .init("help", .string(flag.help)), .init("required", .bool(flag.isRequired)),
      .init("repeatable", .bool(flag.isRepeatable)),
    ])
  }
  func command(_ command: Command) -> JSON {
    .object([
      .init("name", .string(command.name)), .init("group", .string(command.group.rawValue)),
      .init("summary", .string(command.summary)), .init("usage", .string(command.usage)),
      .init("example", .string(command.example)), .init("flags", .array(command.flags.map(flag))),
    ])
  }
  func topic(_ topic: Topic) -> JSON {
    .object([.init("name", .string(topic.name)), .init("text", .string(topic.text))])
  }
  let keys = Configuration.reference.map { key in
    JSON.object([
      .init("key", .string(key.path)), .init("default", .string(key.defaultValue)),
      .init("values", .string(key.expected)), .init("meaning", .string(key.meaning)),
    ])
  }
  let files = fileKeys.map { file in
    JSON.object([
      .init("title", .string(file.title)),
      .init(
        "keys",
        .array(
          file.keys.map { key in
            .object([
              .init("key", .string(key.path)), .init("values", .string(key.values)),
              .init("meaning", .string(key.meaning)),
            ])
          })),
    ])
  }
  return .object([
    .init("version", .string(version)), .init("commands", .array(commands.map(command))),
    .init("topics", .array(topics.map(topic))),
    .init("configuration", .array(keys)), .init("files", .array(files)),
  ])
}
