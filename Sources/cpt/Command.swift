import Tuning

/// A flag of a command, as the parser, the help, the completions and the man page know it.
struct Flag: Sendable {
  /// With its dashes: "--config".
  let name: String
  /// What its value is; nil for a switch.
  var value: Value?
  let help: String
  var isRepeatable = false
  var isRequired = false
}

/// What the value of a flag, or a word behind a command, is.
enum Value: Sendable {
  case file
  case folder
  /// A file or a folder.
  case path
  /// A number, under the name the help calls it by.
  case number(String)
  /// Any text, under the name the help calls it by.
  case text(String)
  /// One of a few words, under the name the help calls it by.
  case choice(String, [String])
  /// A key of a configuration and its value.
  case setting
  /// What `cpt help` explains.
  case topic

  /// One of the words of a type.
  static func choice<Word: RawRepresentable<String> & CaseIterable>(_ name: String, _: Word.Type) -> Value {
    .choice(name, Word.allCases.map(\.rawValue))
  }

  /// What the help calls it: "FILE".
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

/// The words behind a command that are no flags, and how many of them there may be.
struct Operands: Sendable {
  let value: Value
  let help: String
  let count: ClosedRange<Int>
}

/// A command, with everything the parser and the help need.
struct Command: Sendable {
  /// What a command is for: the overview lists them so.
  enum Group: String, CaseIterable, Sendable {
    case make = "Make a prompt"
    case look = "Look at it"
    case use = "Use it"
    case shell = "Around it"
  }

  let name: String
  var group = Group.use
  let summary: String
  /// A call a user can copy.
  let example: String
  var operands: Operands?
  let flags: [Flag]
  let run: @Sendable (Arguments) throws -> Int32
}

/// Flags that several commands have.
extension Flag {
  static let checkpoint = Flag(
    name: "--checkpoint", value: .folder, help: "adapter folder: a run, its best/, or PEFT's", isRequired: true)
  static let model = Flag(name: "--model", value: .folder, help: "the frozen model, in place of the adapter's")
  static let set = Flag(
    name: "--set", value: .setting, help: "override a key of the configuration", isRepeatable: true)
  static let threads = Flag(
    name: "--threads", value: .number("N"), help: "threads to compute with (default: all cores)")
  static let json = Flag(name: "--json", help: "print the result as JSON")
  static let scoring = Flag(
    name: "--scoring", value: .choice("NAME", Scoring.self),
    help: "acc (default), acc_norm, acc_per_token, pmi_dc, calibrated")
  static let help = Flag(name: "--help", help: "print this help")
}
