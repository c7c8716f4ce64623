import Runs

/// A shell that can complete the program's command lines.
private enum Shell: String, CaseIterable {
  case bash
  case zsh
  case fish

  var script: String {
    switch self {
    case .bash: bashCompletions()
    case .zsh: zshCompletions()
    case .fish: fishCompletions()
    }
  }
}

extension Command {
  /// `cpt completions`.
  static let completions = Command(
    name: "completions",
    group: .shell,
    summary: "Print completions for bash, zsh or fish.",
    example: "cpt completions bash > ~/.local/share/bash-completion/completions/cpt",
    operands: Operands(value: .choice("SHELL", Shell.self), help: "bash, zsh or fish", count: 1...1),
    flags: [.help],
    run: { arguments in
      try printResult(arguments.operands.compactMap(Shell.init).map(\.script).joined())
      return 0
    })
}

/// The flags that `cpt` accepts in place of a command.
private let flagsWithoutCommand = [
  Flag(name: "--help", help: "print the commands"), Flag(name: "--version", help: "print the version"),
  Flag(name: "--verbose", help: "with --version: what limits threads and memory here"),
]

/// The keys of a configuration; `--set` adds `=`.
private let configurationKeys = Configuration.reference.map(\.path)

/// The words after `help` other than configuration keys.
private var topicWords: [String] { topics.map(\.name) + commands.map(\.name) }

// MARK: - bash

private func bashCompletions() -> String {
  func list(_ words: [String]) -> String {
    "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$current\"))"
  }
  func completion(of value: Value) -> String {
    switch value {
    case .file, .path: "_cpt_paths -f"
    case .folder: "_cpt_paths -d"
    case .number, .text: ":"
    case .choice(_, let words): list(words)
    case .setting: "compopt -o nospace; " + list(configurationKeys.map { $0 + "=" })
    case .topic: list(topicWords)
    }
  }
  let values = commands.flatMap { command in
    command.flags.compactMap { flag in
      flag.value.map { "    \(command.name),\(flag.name)) \(completion(of: $0)); return ;;" }
    }
  }
  let words = commands.map { command in
    let operand = command.operands.map { "\n      \(completion(of: $0.value))" } ?? ""
    return """
          \(command.name))
            if [[ $current == -* ]]; then
              \(list(command.flags.map(\.name)))
              return
            fi\(operand) ;;
      """
  }
  return """
    # bash completion for cpt, made by: cpt completions bash
    _cpt_paths() {
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
    }

    _cpt() {
      local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
      # --flag=value is three words to bash.
      if [[ $current == = ]]; then
        current=
      elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
      fi
      COMPREPLY=()
      if ((COMP_CWORD == 1)); then
        \(list(commands.map(\.name) + flagsWithoutCommand.map(\.name)))
        return
      fi
      case ${COMP_WORDS[1]},$previous in
    \(values.joined(separator: "\n"))
        help,config) \(list(configurationKeys)); return ;;
      esac
      case ${COMP_WORDS[1]} in
    \(words.joined(separator: "\n"))
      esac
    }

    complete -F _cpt cpt
    """
}

// MARK: - zsh

private func zshCompletions() -> String {
  /// A text for single quotes, escaped for `_arguments`.
  func quoted(_ text: String) -> String {
    let special: Set<Character> = ["\\", "[", "]", ":"]
    return String(text.flatMap { special.contains($0) ? ["\\", $0] : $0 == "'" ? ["'", "\\", "'", "'"] : [$0] })
  }
  func action(of value: Value) -> String {
    switch value {
    case .file, .path: "_files"
    case .folder: "_files -/"
    case .number, .text: " "
    case .choice(_, let words): "(\(words.joined(separator: " ")))"
    case .setting: "{compadd -S \"\" - \(configurationKeys.map { $0 + "=" }.joined(separator: " "))}"
    case .topic: "(\(topicWords.joined(separator: " ")))"
    }
  }
  func argument(for flag: Flag) -> String {
    let value = flag.value.map { "=[\(quoted(flag.help))]:\($0.name):\(action(of: $0))" }
    return "'\(flag.isRepeatable ? "*" : "")\(flag.name)\(value ?? "[\(quoted(flag.help))]")'"
  }
  let cases = commands.map { command in
    let operand = command.operands.map { operands in
      let position = operands.count.upperBound > 1 ? "*" : "1"
      return ["'\(position):\(operands.value.name):\(action(of: operands.value))'"]
    }
    let arguments = (command.flags.map(argument) + (operand ?? [])).map { "        \($0)" }
    return "    \(command.name)) _arguments \\\n\(arguments.joined(separator: " \\\n")) ;;"
  }
  return """
    #compdef cpt
    # zsh completion for cpt, made by: cpt completions zsh
    _cpt() {
      local context state state_descr line
      typeset -A opt_args
      local -a commands=(
    \(commands.map { "    '\(quoted("\($0.name)")):\(quoted($0.summary))'" }.joined(separator: "\n"))
      )
      _arguments -C \\
    \(flagsWithoutCommand.map { "    \(argument(for: $0))" }.joined(separator: " \\\n")) \\
        '1: :->command' '*:: :->arguments'
      case $state in
        command) _describe -t commands command commands ;;
        arguments)
          case $words[1] in
    \(cases.joined(separator: "\n"))
          esac ;;
      esac
    }

    if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _cpt "$@"; else compdef _cpt cpt; fi
    """
}

// MARK: - fish

private func fishCompletions() -> String {
  func quoted(_ text: String) -> String {
    "'" + String(text.flatMap { $0 == "'" || $0 == "\\" ? ["\\", $0] : [$0] }) + "'"
  }
  func completion(of value: Value) -> String {
    switch value {
    case .file, .path: "-F"
    case .folder: "-x -a '(__fish_complete_directories)'"
    case .number, .text: "-x"
    case .choice(_, let words): "-x -a \(quoted(words.joined(separator: " ")))"
    case .setting: "-x -a \(quoted(configurationKeys.map { $0 + "=" }.joined(separator: " ")))"
    case .topic: "-x -a \(quoted(topicWords.joined(separator: " ")))"
    }
  }
  func line(_ condition: String, _ rest: String) -> String { "complete -c cpt -n \(quoted(condition)) \(rest)" }
  func flagLine(_ flag: Flag, _ condition: String) -> String {
    let value = flag.value.map { " -r " + completion(of: $0) } ?? ""
    return line(condition, "-l \(flag.name.drop { $0 == "-" })\(value) -d \(quoted(flag.help))")
  }
  let top = "__fish_use_subcommand"
  let names = commands.map { line(top, "-a \($0.name) -d \(quoted($0.summary))") }
  let flags = commands.flatMap { command in
    let condition = "__fish_seen_subcommand_from \(command.name)"
    let operand = command.operands.map { [line(condition, completion(of: $0.value))] } ?? []
    return operand + command.flags.map { flagLine($0, condition) }
  }
  return """
    # fish completion for cpt, made by: cpt completions fish
    complete -c cpt -f
    \((flagsWithoutCommand.map { flagLine($0, top) } + names + flags).joined(separator: "\n"))
    """
}
