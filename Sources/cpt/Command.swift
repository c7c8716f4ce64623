import Tuning

/// A flag of a command, for the parser, the help, the completions and the manual page.
struct Flag: Sendable {
  /// The name with its dashes: "--config".
  let name: String
  /// The kind of its value; nil for a switch.
  var value: Value?
  let help: String
  var isRepeatable = false
  var isRequired = false
}

/// The kind of a flag's value or of an operand.
enum Value: Sendable {
  case file
  case folder
  /// A file or a folder.
  case path
  /// A number, with its name in the help.
  case number(String)
  /// Any text, with its name in the help.
  case text(String)
  /// One of several words, with its name in the help.
  case choice(String, [String])
  /// A key of a configuration and its value.
  case setting
  /// A topic of `cpt help`.
  case topic

  /// One of the words of a type.
  static func choice<Word: RawRepresentable<String> & CaseIterable>(_ name: String, _: Word.Type) -> Value {
    .choice(name, Word.allCases.map(\.rawValue))
  }

  /// Its name in the help: "FILE".
  var name: String {
    switch self {
    case .file: "FILE"
    case .folder: "DIR"
    case .path: "PATH"
    case .number(let name), .text(let name), .choice(let name, _): name
    case .setting: "KEY=VALUE"
    case .topic: "TOPIC"
    }
  }

  /// The words to choose from.
  var choices: [String]? {
    if case .choice(_, let words) = self { words } else { nil }
  }
}

/// The operands of a command, and how many it takes.
struct Operands: Sendable {
  let value: Value
  let help: String
  let count: ClosedRange<Int>
}

/// A command with everything that the parser and the help need.
struct Command: Sendable {
  /// The groups of commands in the overview.
  enum Group: String, CaseIterable, Sendable {
    case make = "Train a prompt"
    case look = "Evaluate and inspect it"
    case use = "Use it"
    case shell = "Help and shell"
  }

  let name: String
  var group = Group.use
  let summary: String
  /// A call that a user can copy.
  let example: String
  var operands: Operands?
  let flags: [Flag]
  let run: @Sendable (Arguments) throws -> Int32
}

/// Flags that several commands share.
extension Flag {
  static let checkpoint = Flag(
    name: "--checkpoint", value: .folder, help: "adapter folder: a run, its best/, or one of PEFT's", isRequired: true)
  static let model = Flag(name: "--model", value: .folder, help: "the frozen model, instead of the adapter's own")
  static let set = Flag(
    name: "--set", value: .setting, help: "override a key of the configuration", isRepeatable: true)
  static let threads = Flag(
    name: "--threads", value: .number("N"), help: "number of threads (default: all cores)")
  static let json = Flag(name: "--json", help: "print the result as JSON")
  static let scoring = Flag(
    name: "--scoring", value: .choice("NAME", Scoring.self),
    help: "acc (default), acc_norm, acc_per_token, pmi_dc, calibrated")
  static let help = Flag(name: "--help", help: "print this help")
}
