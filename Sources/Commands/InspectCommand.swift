import Diagnostics
import FileFormats
import Insights
import Kernels
import Runs
import Tuning

/// The subjects of `cpt inspect`; each has its own flag.
private enum Subject: String, CaseIterable {
  case configuration = "--config"
  case checkpoint = "--checkpoint"
  case model = "--model"

  /// The subject that the flags name; with a checkpoint, `--model` replaces the checkpoint's model.
  ///
  /// - Throws: `InputError.usage` if there is none, more than one, or a flag of another subject.
  init(_ arguments: Arguments) throws {
    guard let subject = Self.allCases.first(where: { arguments.has($0.rawValue) }) else {
      throw InputError.usage(
        "inspect", "expected --config FILE (a run before training), --model PATH or --checkpoint DIR")
    }
    let flagsOfOthers =
      switch subject {
      case .configuration: ["--checkpoint", "--model"]
      case .checkpoint: ["--set", "--row"]
      case .model: ["--set", "--row", "--all"]
      }
    if let other = flagsOfOthers.first(where: arguments.has) {
      throw InputError.usage(other, "conflicts with \(subject.rawValue); remove one of them")
    }
    self = subject
  }
}

extension Command {
  /// `cpt inspect`.
  static let inspect = Command(
    name: "inspect",
    group: .look,
    summary: "Inspect a run before training, a model, or a tuned prompt.",
    example: "cpt inspect --config configs/quickstart/quickstart.json",
    flags: [
      Flag(name: "--config", value: .file, help: "a run before training: tokens, labels, lengths, memory, time"),
      Flag(name: "--checkpoint", value: .folder, help: "a tuned prompt: which tokens moved, how far, nearest tokens"),
      Flag(name: "--model", value: .path, help: "a model; with --checkpoint, the model to use instead of its own"),
      Flag(name: "--row", value: .number("N"), help: "with --config: show the Nth training row (default: 1)"),
      Flag(name: "--all", help: "show all tokens and labels, not only the first or farthest"),
      .set,
      .threads, .json, .help,
    ],
    run: runInspect)
}

private func runInspect(_ arguments: Arguments) throws -> Int32 {
  let subject = try Subject(arguments)
  let team = try arguments.team(), showsAll = arguments.has("--all")
  let text: String, json: JSON
  switch subject {
  case .configuration:
    let row = try arguments.integer("--row", from: 1) ?? 1
    let inspection = try RunInspection(TrainingSetup(arguments.configuration(), team: team), row: row - 1)
    (text, json) = (inspection.text(showsAll: showsAll), inspection.json)
  case .checkpoint:
    let adapter = try arguments.adapter()
    let (model, tokenizer) = try arguments.model(of: adapter)
    let inspection = try PromptInspection(
      adapter, over: model, tokenizer: tokenizer, neighbours: 3, mostMoved: showsAll ? nil : 10, team: team)
    (text, json) = (inspection.text(over: model.path), inspection.json)
  case .model:
    let facts = try ModelInspection(path: arguments.required(subject.rawValue)).facts
    (text, json) = (facts.text, facts.json)
  }
  try arguments.has("--json") ? printResult(json) : printResult(text)
  return 0
}
