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
      Flag(name: "--format", value: "FORMAT", help: "peft (default), prefix-tuning, kv, safetensors, npy, text"),
      Flag(name: "--output", value: "PATH", help: "folder (peft, prefix-tuning) or file; text: stdout without"),
      Flag(name: "--base-model", value: "NAME", help: "the model's name on the Hub, for adapter and card"),
      Flag(name: "--model", value: "DIR", help: "the frozen model, in place of the adapter's"),
      Flag(name: "--neighbours", value: "N", help: "nearest vocabulary tokens a row of text lists (default: 3)"),
      Flag(name: "--overwrite", value: nil, help: "replace what is at --output"),
      threads, json, help,
    ],
    run: runExport),
  Command(
    name: "generate",
    summary: "Go on from a text with the tuned context in front.",
    example: "cpt generate --checkpoint runs/quickstart/best --prompt \"my parcel is late\"",
    flags: [
      Flag(name: "--checkpoint", value: "DIR", help: "adapter folder: a run, its best/, or PEFT's", isRequired: true),
      Flag(name: "--prompt", value: "TEXT", help: "the text; without it or with -, standard input"),
      Flag(name: "--raw", value: nil, help: "take the text as it is, without the template"),
      Flag(name: "--no-context", value: nil, help: "leave the tuned context out: the plain model"),
      Flag(name: "--max-tokens", value: "N", help: "end after so many tokens (default: 64)"),
      Flag(name: "--stop", value: "TEXT", help: "end before this text; may stand several times", isRepeatable: true),
      Flag(name: "--temperature", value: "T", help: "0 takes the likeliest token (default); above, draw"),
      Flag(name: "--top-k", value: "K", help: "draw from the K likeliest tokens"),
      Flag(name: "--top-p", value: "P", help: "draw from the fewest tokens with probability P"),
      Flag(name: "--seed", value: "S", help: "decides the draws (default: 0)"),
      Flag(name: "--config", value: "FILE", help: "template, where the checkpoint has none"),
      Flag(name: "--model", value: "DIR", help: "the frozen model, in place of the adapter's"),
      Flag(name: "--set", value: "KEY=VALUE", help: "override a key of the configuration", isRepeatable: true),
      threads, json, help,
    ],
    run: runGenerate),
]

private let threads = Flag(name: "--threads", value: "N", help: "threads to compute with (default: all cores)")
private let json = Flag(name: "--json", value: nil, help: "print the result as JSON")
private let help = Flag(name: "--help", value: nil, help: "print this help")
