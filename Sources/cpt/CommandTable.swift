/// A flag of a command, as the parser, the help and the error messages know it.
struct Flag: Sendable {
  /// With its dashes: "--config".
  let name: String
  /// What its value is called in the help; nil for a switch.
  let value: String?
  let help: String
  var isRepeatable = false
  var isRequired = false
}

/// A command, with everything the parser and the help need.
struct Command: Sendable {
  let name: String
  let summary: String
  /// A call a user can copy.
  let example: String
  let flags: [Flag]
  let run: @Sendable (Arguments) throws -> Int32
}

/// The one table of commands and flags.
let commands: [Command] = [
  Command(
    name: "train",
    summary: "Tune the context's embeddings on labelled examples.",
    example: "cpt train --config configs/quickstart/quickstart.json",
    flags: [
      Flag(name: "--config", value: "FILE", help: "the run's configuration (JSON)", isRequired: true),
      Flag(name: "--output", value: "DIR", help: "folder for results, in place of output_dir"),
      Flag(name: "--set", value: "KEY=VALUE", help: "override a key: --set training.seed=3", isRepeatable: true),
      Flag(name: "--resume", value: nil, help: "go on from the newest checkpoint"),
      Flag(name: "--overwrite", value: nil, help: "remove an earlier run's files from the folder first"),
      Flag(name: "--stop-after", value: "STEP", help: "end after this step with a checkpoint, to resume later"),
      Flag(name: "--dry-run", value: nil, help: "print configuration, tokens, memory, steps; compute nothing"),
      Flag(name: "--profile", value: nil, help: "say which operations the time went to"),
      threads, json, help,
    ],
    run: runTrain),
  Command(
    name: "eval",
    summary: "Measure a tuned prompt on labelled rows, beside in-context learning.",
    example: "cpt eval --checkpoint runs/quickstart/best",
    flags: [
      Flag(name: "--checkpoint", value: "DIR", help: "adapter folder: a run, its best/, or PEFT's", isRequired: true),
      Flag(name: "--config", value: "FILE", help: "template and data, where the checkpoint has none"),
      Flag(name: "--model", value: "DIR", help: "the frozen model, in place of the adapter's"),
      Flag(name: "--data", value: "FILE", help: "rows to evaluate, in place of a split"),
      Flag(name: "--split", value: "NAME", help: "train, validation or test (default: test)"),
      Flag(name: "--set", value: "KEY=VALUE", help: "override a key of the configuration", isRepeatable: true),
      Flag(name: "--no-icl", value: nil, help: "leave out the baseline (the untrained context)"),
      Flag(name: "--predictions", value: "FILE", help: "write a JSON line for every row"),
      Flag(name: "--overwrite", value: nil, help: "replace the file of --predictions"),
      threads, json, help,
    ],
    run: runEval),
  Command(
    name: "export-prompt",
    summary: "Write a tuned prompt in another format.",
    example: "cpt export-prompt --checkpoint runs/quickstart/best --format text",
    flags: [
      Flag(name: "--checkpoint", value: "DIR", help: "adapter folder", isRequired: true),
      Flag(name: "--format", value: "FORMAT", help: "peft, safetensors, npy or text (default: peft)"),
      Flag(name: "--output", value: "PATH", help: "folder (peft) or file; text goes to stdout without it"),
      Flag(name: "--model", value: "DIR", help: "the frozen model, in place of the adapter's"),
      Flag(name: "--neighbours", value: "N", help: "nearest vocabulary tokens a row of text lists (default: 3)"),
      Flag(name: "--overwrite", value: nil, help: "replace what is at --output"),
      threads, json, help,
    ],
    run: runExport),
]

private let threads = Flag(name: "--threads", value: "N", help: "threads to compute with (default: all cores)")
private let json = Flag(name: "--json", value: nil, help: "print the result as JSON")
private let help = Flag(name: "--help", value: nil, help: "print this help")
