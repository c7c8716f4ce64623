import FileFormats
import System
import Testing
import TestSupport

/// Every flag of every command has an effect: a flag that is read and then ignored fails here.
@Suite struct FlagTests {
  /// What standard output or standard error holds.
  enum Effect: Sendable {
    /// This text only with the flag.
    case says(String)
    /// This text only without the flag.
    case hides(String)
    /// A refusal of the flag's value.
    case refuses(String)
  }

  /// A flag and its effect.
  struct Case: Sendable {
    /// The flag with its value.
    let words: [String]
    /// The rest of the command line; nil: the command's usual one.
    let others: [String]?
    /// Standard input.
    let input: String
    let effect: Effect

    init(_ words: String..., to others: [String]? = nil, input: String = "", effect: Effect) {
      self.words = words
      self.others = others
      self.input = input
      self.effect = effect
    }
  }

  /// A command, what its flags are added to, and its flags.
  struct Command: CustomTestStringConvertible, Sendable {
    let name: String
    let usual: [String]
    let cases: [Case]

    var testDescription: String { name }
  }

  private static let threads = Case(
    "--threads", "0", effect: .refuses("--threads: must be a whole number of at least 1"))
  private static let tensorParallel = Case(
    "--tensor-parallel", "2", effect: .refuses("--tensor-parallel: is 2, which does not divide the 1 rank"))
  private static let help = Case("--help", to: [], effect: .says("usage:"))
  private static let checkpoint = Case(
    "--checkpoint", "nowhere", to: [], effect: .refuses("nowhere/adapter_config.json: not found"))
  private static let model = Case("--model", "nowhere", effect: .refuses("nowhere: no such file or folder"))

  /// Run in a folder with the working example's files, `other.tsv` of three rows, its finished run in `run`, and an
  /// exported adapter in `peft`.
  static let commands = [
    Command(
      name: "train", usual: ["--config", "config.json"],
      cases: [
        Case("--config", "nowhere.json", to: [], effect: .refuses("nowhere.json: cannot be opened")),
        Case("--output", "elsewhere", effect: .says("trained 6 of 6 steps")),
        Case(
          "--set", "training.max_steps=3", to: ["--config", "config.json", "--dry-run"],
          effect: .says("steps            3, ")),
        Case("--resume", effect: .says("trained 6 of 6 steps")),
        Case("--overwrite", effect: .says("trained 6 of 6 steps")),
        Case(
          "--stop-after", "3", to: ["--config", "config.json", "--overwrite"],
          effect: .says("stopped after 3 of 6 steps")),
        Case(
          "--dry-run", to: ["--config", "config.json", "--overwrite"], effect: .says("at its peak")),
        Case("--profile", to: ["--config", "config.json", "--overwrite"], effect: .says("GFLOP/s")),
        tensorParallel, threads,
        Case("--progress", "json", to: ["--config", "config.json", "--overwrite"], effect: .says("\"event\"")),
        Case("--json", to: ["--config", "config.json", "--overwrite"], effect: .says("\"total_steps\": 6")),
        help,
      ]),
    Command(
      name: "eval", usual: ["--checkpoint", "run"],
      cases: [
        checkpoint,
        Case("--config", "config.json", to: ["--checkpoint", "peft"], effect: .says("16 rows")),
        model,
        Case("--data", "other.tsv", effect: .says("3 rows")),
        Case(
          "--split", "validation", to: ["--checkpoint", "run", "--set", "data.validation=../../other.tsv"],
          effect: .says("3 rows")),
        Case("--set", "data.test=../../other.tsv", effect: .says("3 rows")),
        Case("--no-icl", effect: .hides("ICL")),
        Case("--scoring", "calibrated", effect: .says("16 rows, calibrated")),
        Case("--threshold", "0.5", effect: .says("probability at least 0.5")),
        Case("--fail-under", "90", effect: .refuses("--fail-under: must be a share from 0 to 1")),
        Case("--predictions", "-", effect: .says("\"log_probabilities\"")),
        Case(
          "--overwrite", to: ["--checkpoint", "run", "--predictions", "other.tsv", "--split", "test"],
          effect: .says("16 rows")),
        tensorParallel, threads,
        Case("--progress", "json", effect: .says("\"event\"")),
        Case("--json", effect: .says("\"macro_f1\"")),
        help,
      ]),
    Command(
      name: "generate",
      usual: ["--checkpoint", "run", "--prompt", "my parcel is late", "--max-tokens", "4", "--json"],
      cases: [
        checkpoint,
        Case("--prompt", "refund", to: ["--checkpoint", "run", "--json"], effect: .says("\"prompt\": \"refund\"")),
        Case("--raw", to: ["--checkpoint", "peft", "--prompt", "hi", "--json"], effect: .says("\"stop_reason\"")),
        Case(
          "--no-context", to: ["--checkpoint", "run", "--prompt", filler(600)], effect: .refuses("--prompt: takes ")),
        Case(
          "--max-tokens", "0", to: ["--checkpoint", "run", "--prompt", "hi"], effect: .refuses("--max-tokens: must be")),
        Case(
          "--stop", " ", to: ["--checkpoint", "run", "--prompt", "hi", "--max-tokens", "60", "--json"],
          effect: .says("\"stop_reason\": \"stop\"")),
        Case("--temperature", "-1", effect: .refuses("--temperature: must be")),
        Case("--top-k", "3", effect: .refuses("--top-k: needs a --temperature")),
        Case("--top-p", "0.5", effect: .refuses("--top-p: needs a --temperature")),
        Case("--seed", "x", effect: .refuses("--seed: must be a whole number")),
        Case(
          "--config", "config.json", to: ["--checkpoint", "peft", "--prompt", "hi", "--json"],
          effect: .says("\"stop_reason\"")),
        model,
        Case("--set", "model.weights=q9", effect: .refuses("\"model.weights\" must be one of")),
        threads,
        Case("--json", to: ["--checkpoint", "run", "--prompt", "hi"], effect: .says("\"stop_reason\"")),
        help,
      ]),
    Command(
      name: "predict", usual: ["--checkpoint", "run", "--data", "other.tsv"],
      cases: [
        Case(
          "--checkpoint", "nowhere", to: ["--data", "other.tsv"],
          effect: .refuses("nowhere/adapter_config.json: not found")),
        Case("--data", "-", to: ["--checkpoint", "run"], input: "a parcel", effect: .says("a parcel\n")),
        Case("--text", "a parcel", to: ["--checkpoint", "run"], effect: .says("a parcel\n")),
        Case(
          "--format", "csv", to: ["--checkpoint", "run", "--data", "-"], input: "text,id\na parcel,1\n",
          effect: .says("text,id,prediction,")),
        Case("--text-column", "txt", effect: .refuses("has no column \"txt\"")),
        Case("--from-row", "2", effect: .hides("late parcel")),
        Case("--threshold", "1", effect: .says("3 below the threshold")),
        Case("--output", "labelled.tsv", effect: .hides("log_probability_billing")),
        Case(
          "--overwrite", to: ["--checkpoint", "run", "--data", "train.tsv", "--output", "old"], effect: .says("16 rows")
        ),
        Case("--skip-bad", to: ["--checkpoint", "run", "--data", "-"], input: "a\n\nb\n", effect: .says("1 skipped")),
        Case(
          "--scoring", "pmi_dc", to: ["--checkpoint", "run", "--data", "other.tsv"] + bareTemplate,
          effect: .refuses("--scoring: pmi_dc needs")),
        Case(
          "--config", "config.json", to: ["--checkpoint", "peft", "--data", "other.tsv"],
          effect: .says("log_probability_billing")),
        model,
        Case("--set", "model.weights=q9", effect: .refuses("\"model.weights\" must be one of")),
        tensorParallel, threads,
        Case("--progress", "json", effect: .says("\"event\"")),
        Case("--json", effect: .says("\"prediction\": ")),
        help,
      ]),
    Command(
      name: "export-prompt", usual: ["--checkpoint", "run", "--format", "text"],
      cases: [
        checkpoint,
        Case("--format", "npy", to: ["--checkpoint", "run", "--output", "-"], effect: .says("NUMPY")),
        Case(
          "--output", "p.npy", to: ["--checkpoint", "run", "--format", "npy"],
          effect: .says("tokens of width 128 to p.npy")),
        Case("--base-model", "a b", effect: .refuses("--base-model: must be a model's name")),
        model,
        Case(
          "--neighbours", "1", to: ["--checkpoint", "run", "--format", "npy"],
          effect: .refuses("--neighbours: applies to")),
        Case(
          "--overwrite", to: ["--checkpoint", "run", "--format", "npy", "--output", "old"],
          effect: .says("of width 128 to old")
        ),
        threads,
        Case("--json", effect: .says("\"share_of_radius\"")),
        help,
      ]),
    Command(
      name: "inspect", usual: ["--config", "config.json"],
      cases: [
        Case("--config", "nowhere.json", to: [], effect: .refuses("nowhere.json: cannot be opened")),
        checkpoint,
        Case("--model", "nowhere", to: ["--checkpoint", "run"], effect: .refuses("nowhere: no such file or folder")),
        Case("--row", "999", effect: .refuses("--row: must be at most 12")),
        Case("--all", to: ["--checkpoint", "run"], effect: .says(" token ")),
        Case("--set", "training.batch_size=0", effect: .refuses("\"training.batch_size\" must be")),
        threads,
        Case("--json", effect: .says("\"training_rows\"")),
        help,
      ]),
    Command(
      name: "compare", usual: ["--config", "config.json", "--seeds", "1", "--methods", "icl"],
      cases: [
        Case("--config", "nowhere.json", to: [], effect: .refuses("nowhere.json: cannot be opened")),
        Case("--study", "nowhere.json", to: [], effect: .refuses("nowhere.json: cannot be opened")),
        Case(
          "--methods", "cpt,cpt", to: ["--config", "config.json"],
          effect: .refuses("--methods: must list each method once")),
        Case("--seeds", "0", to: ["--config", "config.json"], effect: .refuses("--seeds: must be a whole number")),
        Case("--output", "cells", effect: .says("cells: cells\n")),
        Case("--set", "training.method=cpt", effect: .refuses("cannot override training.method")),
        Case("--resume", effect: .says("  kept")),
        Case("--overwrite", effect: .says("accuracy")),
        threads,
        Case(
          "--progress", "json", to: ["--config", "config.json", "--overwrite"] + oneCell, effect: .says("\"event\"")),
        Case("--json", to: ["--config", "config.json", "--overwrite"] + oneCell, effect: .says("\"labelled_rows\"")),
        help,
      ]),
    Command(
      name: "init", usual: ["--data", "train.tsv", "--output", "-"],
      cases: [
        Case("--data", "nowhere.tsv", to: [], effect: .refuses("nowhere.tsv: cannot be opened")),
        model,
        Case("--text-column", "txt", effect: .refuses("--text-column: train.tsv has no column \"txt\"")),
        Case("--label-column", "lbl", effect: .refuses("--label-column: train.tsv has no column \"lbl\"")),
        Case("--skip-bad", effect: .says("\"skip_bad_rows\": true")),
        Case("--output", "new.json", to: ["--data", "train.tsv"], effect: .says("wrote new.json")),
        Case("--overwrite", to: ["--data", "train.tsv", "--output", "old"], effect: .says("wrote old")),
        Case(
          "--threads", "0", to: ["--data", "train.tsv", "--output", "-"],
          effect: .refuses("--threads: must be a whole number of at least 1")),
        Case("--json", effect: .refuses("--json: conflicts with --output -")),
        help,
      ]),
    Command(
      name: "report", usual: ["run", "--output", "report.html"],
      cases: [
        Case(
          "--output", "report.html", to: ["run", "--no-eval"], effect: .says("wrote a report on run to report.html")),
        Case("--no-eval", to: ["run", "--output", "-"], effect: .says("without evaluating rows (--no-eval)")),
        Case(
          "--model", "nowhere", to: ["run", "--output", "m.html"], effect: .refuses("nowhere: no such file or folder")),
        Case(
          "--overwrite", to: ["run", "--output", "old", "--no-eval"], effect: .says("wrote a report on run to old")),
        Case(
          "--threads", "0", to: ["run", "--output", "t.html"],
          effect: .refuses("--threads: must be a whole number of at least 1")),
        Case("--progress", "json", to: ["run", "--output", "p.html", "--overwrite"], effect: .says("\"event\"")),
        Case("--json", to: ["run", "--output", "j.html", "--overwrite"], effect: .says("\"untrained_accuracy\"")),
        help,
      ]),
    // ServeTests has their effects on a running server.
    Command(
      name: "serve", usual: ["--checkpoint", "run/best", "--port", "0"],
      cases: [
        checkpoint, model,
        Case("--host", "http://localhost", effect: .refuses("--host: expected a name or an address")),
        Case("--port", "70000", to: ["--checkpoint", "run"], effect: .refuses("--port: must be at most 65535")),
        Case("--token-file", "nowhere", effect: .refuses("nowhere: cannot be opened")),
        Case("--max-waiting", "0", effect: .refuses("--max-waiting: must be a whole number of at least 1")),
        Case("--max-texts", "0", effect: .refuses("--max-texts: must be a whole number of at least 1")),
        Case("--max-body", "0", effect: .refuses("--max-body: must be a whole number of at least 1")),
        Case("--timeout", "0", effect: .refuses("--timeout: must be a whole number of at least 1")),
        Case(
          "--threads", "1025",
          effect: .refuses("threads: must be a whole number of at least 1 and at most 1024, found 1025")),
        help,
      ]),
    Command(name: "completions", usual: ["bash"], cases: [help]),
    Command(name: "man", usual: [], cases: [Case("--help", effect: .says("usage:"))]),
    Command(
      name: "help", usual: [],
      cases: [Case("--json", effect: .says("\"repeatable\"")), Case("--help", effect: .says("usage:"))]),
  ]

  private static let oneCell = ["--seeds", "1", "--methods", "icl"]
  private static let bareTemplate = ["template.input={}", "template.intra_separator=", "template.output={}"]
    .flatMap { ["--set", $0] }
  private static func filler(_ words: Int) -> String { Array(repeating: "parcel", count: words).joined(separator: " ") }

  @Test func everyFlagIsThere() throws {
    let tables = try #require(Program.run(["help", "--json"]).json()["commands"]?.array)
    #expect(tables.compactMap { $0["name"]?.string }.sorted() == Self.commands.map(\.name).sorted())
    for command in Self.commands {
      let table = try #require(tables.first { $0["name"]?.string == command.name })
      let flags = (table["flags"]?.array ?? []).compactMap { $0["name"]?.string }
      #expect(flags == command.cases.map { $0.words[0] }, "\(command.name)")
    }
  }

  /// More threads take more memory.
  @Test func asManyThreadsComputeAsAreAskedFor() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      func memory(_ threads: String) throws -> Int {
        try #require(example.trainRun(["--dry-run", "--json", "--threads", threads]).json()["memory_bytes"]?.integer)
      }
      #expect(try memory("33") - memory("1") > 16 << 20)
    }
  }

  @Test(arguments: commands)
  func everyFlagHasItsEffect(command: Command) throws {
    try withCheckpoint { folder in
      try writeAtomically(
        "text\tlabel\nlate parcel\tdelivery\nrefund\tbilling\nagain\tdelivery\n", to: folder + "/other.tsv")
      #expect(
        try Program.run(["export-prompt", "--checkpoint", "run", "--output", "peft"], in: folder).status == 0)
      for item in command.cases {
        try writeAtomically("old", to: folder + "/old")
        let others = item.others ?? command.usual
        func run(_ words: [String]) throws -> (status: Int32, text: String) {
          let outcome = try Program.run([command.name] + words, in: folder, input: Array(item.input.utf8))
          return (outcome.status, outcome.output + outcome.errors)
        }
        switch item.effect {
        case .says(let text):
          #expect(try !run(others).text.contains(text), "\(item.words)")
          let (status, found) = try run(others + item.words)
          #expect(status == 0 && found.contains(text), "\(item.words)\n\(found)")
        case .hides(let text):
          #expect(try run(others).text.contains(text), "\(item.words)")
          let (status, found) = try run(others + item.words)
          #expect(status == 0 && !found.contains(text), "\(item.words)\n\(found)")
        case .refuses(let text):
          let (status, found) = try run(others + item.words)
          #expect(status >= 64 && found.contains(text), "\(item.words)\n\(found)")
        }
      }
    }
  }
}
