import Tuning

/// A flag of a command, for the parser, the help, the completions and the manual page.
struct Flag: Sendable {
  /// The name with its dashes: "--config".
  let name: String
  /// The kind of its value; nil for a switch.
  var value: Value?
  /// One line for the help.
  let help: String
  /// Whether the flag may appear several times.
  var isRepeatable = false
  /// Whether the command needs the flag.
  var isRequired = false
}

/// The kind of a flag's value or of an operand.
enum Value: Sendable {
  /// A path of a file.
  case file
  /// A path of a folder.
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
  /// The kind of each operand.
  let value: Value
  /// One line for the help.
  let help: String
  /// How many operands the command takes.
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

  /// The word after `cpt`.
  let name: String
  /// Its group in the overview.
  var group = Group.use
  /// One sentence for the overview.
  let summary: String
  /// A call that a user can copy.
  let example: String
  /// Its operands; nil if it takes none.
  var operands: Operands?
  /// Its flags, in the order of the help.
  let flags: [Flag]
  /// Whether processes that mpirun or srun starts together share its work.
  var runsOnRanks = false
  /// Runs the command and returns the exit status.
  let run: @Sendable (Arguments) throws -> Int32
}

/// Flags that several commands share.
extension Flag {
  /// `--checkpoint`: the adapter to use.
  static let checkpoint = Flag(
    name: "--checkpoint", value: .folder, help: "adapter folder: a run, its best/, or one of PEFT's", isRequired: true)
  /// `--model`: the frozen model.
  static let model = Flag(name: "--model", value: .path, help: "the frozen model, instead of the adapter's own")
  /// `--set`: overrides of configuration keys.
  static let set = Flag(
    name: "--set", value: .setting, help: "override a key of the configuration", isRepeatable: true)
  /// `--threads`: the number of threads.
  static let threads = Flag(
    name: "--threads", value: .number("N"), help: "number of threads (default: all cores allowed)")
  /// `--tensor-parallel`: the ranks that a model is cut over.
  static let tensorParallel = Flag(
    name: "--tensor-parallel", value: .number("N"),
    help: "with mpirun: cut the model over N ranks each (default: 1)")
  /// `--progress`: how progress is shown.
  static let progress = Flag(
    name: "--progress", value: .choice("STYLE", ProgressStyle.self),
    help: "auto (default), bar, plain (lines), json (events) or none")
  /// `--json`: output for programs.
  static let json = Flag(name: "--json", help: "print the result as JSON")
  /// `--scoring`: how scores become a prediction.
  static let scoring = Flag(
    name: "--scoring", value: .choice("NAME", Scoring.self),
    help: "acc (default), acc_norm, acc_per_token, pmi_dc, calibrated, batch_calibrated")
  /// `--help`: the command's flags.
  static let help = Flag(name: "--help", help: "print this help")
}
