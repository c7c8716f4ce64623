import FileFormats
import Glibc
import Runs
import System
import Testing
import TestSupport

/// The one table of commands and flags, and all that is made of it.
@Suite struct CommandTableTests {
  /// A command as `cpt help --json` shows it.
  struct Command {
    let name, summary, example, group: String
    let flags: [(name: String, help: String, choices: [String])]
  }

  private let commands: [Command]
  private let topics: [String]

  init() throws {
    let tables = try Program.run(["help", "--json"]).json()
    func text(_ json: JSON, _ key: String) -> String { json[key]?.string ?? "" }
    commands = (tables["commands"]?.array ?? []).map { json in
      Command(
        name: text(json, "name"), summary: text(json, "summary"), example: text(json, "example"),
        group: text(json, "group"),
        flags: (json["flags"]?.array ?? []).map {
          (text($0, "name"), text($0, "help"), $0["choices"]?.array?.compactMap(\.string) ?? [])
        })
    }
    topics = (tables["topics"]?.array ?? []).map { text($0, "name") }
    try #require(commands.count > 5 && topics.count > 5)
  }

  @Test func namesAreUnique() {
    #expect(Set(commands.map(\.name)).count == commands.count)
    #expect(Set(topics + commands.map(\.name)).count == topics.count + commands.count)
    for command in commands {
      #expect(Set(command.flags.map(\.name)).count == command.flags.count, "\(command.name)")
    }
  }

  @Test func commandsAndFlagsAreDescribed() {
    for command in commands {
      #expect(command.summary.hasSuffix(".") && command.summary.count <= 66, "\(command.name)")
      #expect(command.example.hasPrefix("cpt \(command.name)") && command.example.count <= 78, "\(command.name)")
      #expect(command.flags.last?.name == "--help")
      let hasNoResult = ["completions", "man", "serve"].contains(command.name)
      #expect(hasNoResult || command.flags.contains { $0.name == "--json" }, "\(command.name)")
      for flag in command.flags {
        #expect(flag.name.hasPrefix("--") && flag.name.dropFirst(2).allSatisfy { $0.isLowercase || $0 == "-" })
        #expect(!flag.help.isEmpty && flag.help.count <= 80, "\(flag.name)")
        for word in flag.choices { #expect(flag.help.contains(word), "\(flag.name) does not name \(word)") }
      }
      for word in command.example.split(separator: " ") where word.hasPrefix("--") {
        #expect(command.flags.contains { $0.name == word }, "\(command.example)")
      }
    }
  }

  @Test func everyHelpFitsEightyColumns() throws {
    let calls = [["--help"], ["help"]] + topics.map { ["help", $0] } + commands.map { [$0.name, "--help"] }
    for call in calls {
      let outcome = try Program.run(call)
      #expect(outcome.status == 0 && outcome.errors.isEmpty)
      for line in outcome.output.split(separator: "\n") { #expect(line.count <= 80, "\(call): \(line)") }
      // A screen, where there is not much more to say.
      let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).count
      if ![["help", "config"], ["help", "files"]].contains(call) { #expect(lines <= 30, "\(call)") }
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsNameEveryCommandAndFlag(shell: String) throws {
    let script = try Program.run(["completions", shell]).output
    for command in commands {
      #expect(script.contains(command.name))
      for flag in command.flags {
        let name = shell == "fish" ? "-l \(flag.name.dropFirst(2)) " : flag.name
        #expect(script.contains(name), "\(command.name) \(flag.name)")
        for word in flag.choices { #expect(script.contains(word)) }
      }
    }
    #expect(script.contains("training.learning_rate="))
  }

  @Test func theManualPageNamesEverythingInASCII() throws {
    let page = try Program.run(["man"]).output
    #expect(page.utf8.allSatisfy { $0 < 0x80 })
    func roff(_ text: String) -> String { String(text.flatMap { $0 == "-" ? Array("\\-") : [$0] }) }
    for command in commands {
      #expect(page.contains(".SS cpt \(roff(command.name))"))
      for flag in command.flags { #expect(page.contains("\\fB\(roff(flag.name))\\fR")) }
    }
    for key in Configuration.reference { #expect(page.contains("\\fB\(roff(key.path))\\fR")) }
    for topic in topics { #expect(page.contains(".SH \(roff(topic.uppercased()))")) }
  }

  /// bash itself completes the words.
  @Test(arguments: [
    (["cpt", "tr"], "train"), (["cpt", "eval", "--split", ""], "train validation test"),
    (["cpt", "eval", "--split", "=", "v"], "validation"), (["cpt", "train", "--output", "confi"], "configs"),
    (["cpt", "train", "--set", "training.learning"], "training.learning_rate="),
    (
      ["cpt", "help", "config", "data.tr"], "data.train data.train_on data.train_examples_per_label data.truncate_text"
    ),
    (["cpt", "train", "--con"], "--config"), (["cpt", "train", "--stop-after", ""], ""),
  ])
  func bashCompletes(words: [String], expected: String) throws {
    try withTemporaryFolder { folder in
      let script = folder + "/completions"
      let line = words.map { "'\($0)'" }.joined(separator: " ")
      try writeAtomically(
        try Program.run(["completions", "bash"]).output + """
          compopt() { :; }
          COMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _cpt; echo "${COMPREPLY[*]}"

          """, to: script)
      let outcome = try Program.run([script], in: repository, executable: "/bin/bash")
      #expect(outcome.errors.isEmpty && outcome.output == expected + "\n", "\(outcome)")
    }
  }

  @Test(arguments: [
    (["help", "metod"], "did you mean \"method\"?"), (["help", "config", "training.seeds"], "\"training.seed\"?"),
    (["help", "config", "lerning_rate"], "did you mean \"learning_rate\"?"), (["--hepl"], "did you mean --help?"),
    (["help", "method", "x"], "method has no subtopics"), (["--config", "x"], "a command is expected here"),
    (["train", "c.json"], "did you mean --config c.json?"), (["eval", "--split", "tset"], "did you mean \"test\"?"),
    (["completions"], "SHELL: is missing; expected bash, zsh or fish"), (["completions", "bsh"], "\"bash\"?"),
    (["completions", "bash", "zsh"], "SHELL: appears too often"),
    (["help", "a", "b", "c"], "TOPIC: appears too often"),
  ])
  func aWrongWordIsAnsweredWithTheNearest(call: [String], message: String) throws {
    let outcome = try Program.run(call)
    #expect(outcome.status == 64 && outcome.output.isEmpty && outcome.errorLine.contains(message), "\(outcome)")
  }

  @Test func helpShowsASectionOrAKey() throws {
    let section = try Program.run(["help", "config", "model"]).output
    #expect(section.contains("model.weights: one of \"stored\", \"q8\" (default \"stored\")"))
    #expect(!section.contains("training."))
    let key = try Program.run(["help", "config", "learning_rate"]).output
    #expect(key == (try Program.run(["help", "config", "training.learning_rate"]).output))
    #expect(key.split(separator: "\n").count == 2)
  }
}
