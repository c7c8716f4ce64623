import Diagnostics
import FileFormats
import Insights
import Kernels
import Method
import Runs
import System
import Tuning

extension Command {
  /// `cpt init`.
  static let initialize = Command(
    name: "init",
    group: .make,
    summary: "Write a configuration for a file of labelled rows.",
    example: "cpt init --data tickets.csv --model models/gpt2",
    flags: [
      Flag(name: "--data", value: .file, help: "labelled rows: .csv, .tsv, .jsonl or .json", isRequired: true),
      Flag(name: "--model", value: .path, help: "the model, a folder or a GGUF file; settings are chosen for it"),
      Flag(name: "--text-column", value: .text("NAME"), help: "column of the texts (default: guessed and reported)"),
      Flag(name: "--label-column", value: .text("NAME"), help: "column of the labels (default: guessed and reported)"),
      Flag(name: "--skip-bad", help: "leave out rows with mistakes (data.skip_bad_rows), and report them"),
      Flag(name: "--output", value: .file, help: "configuration to write (default: cpt.json); - prints it"),
      Flag(name: "--overwrite", help: "replace the file of --output"),
      .threads, .json, .help,
    ],
    run: runInit)
}

private func runInit(_ arguments: Arguments) throws -> Int32 {
  let file = arguments.required("--data")
  if file == standardStream || isStream(file) {
    throw InputError.usage(
      "--data",
      "\(file == standardStream ? "standard input" : file) can be read once, and training reads the rows again; write "
        + "them to a file first: … > rows.csv && cpt init --data rows.csv")
  }
  let data = try DataSurvey(
    file: file, textColumn: arguments["--text-column"], labelColumn: arguments["--label-column"],
    skipsBadRows: arguments.has("--skip-bad"))
  let output = try arguments.destination("--output", isFolder: false) ?? arguments.free("cpt.json", "--output")
  if output == standardStream, arguments.has("--json") {
    throw InputError.usage("--json", "conflicts with --output -: both print to standard output; use one of them")
  }
  let model = try arguments["--model"].map {
    try ModelSurvey(path: $0, data: data)
  }
  let siblings = SplitSiblings(of: data)
  let isBeside = output == standardStream || folder(of: output) == "."
  func draft(_ template: Template) -> ConfigurationDraft {
    ConfigurationDraft(
      data: data, siblings: siblings, model: model, template: template,
      output: "runs/" + runName(for: data.file)
    ) { isBeside ? $0 : absolutePath($0) }
  }
  let templates = ConfigurationDraft.templates(data: data, model: model)
  let drafts = (model == nil ? [templates[0]] : templates).map(draft)
  let (chosen, measured) = try likeliest(of: drafts, at: output, team: arguments.team())
  let notes = try chosen.notes + findings(of: chosen, at: output, saysErrors: measured.isEmpty) + measured
  try write(chosen.text, to: output)
  if output == standardStream {
    writeToStandardError(messageLines(findings(chosen, notes)) + "\n")
  } else if arguments.has("--json") {
    try printResult(json(of: chosen, notes, in: output))
  } else {
    try printResult(
      findings(chosen, notes) + "\n\nwrote \(messageLine(output)): review it, then run\n  cpt inspect --config "
        + "\(shellWord(output))\n  cpt train --config \(shellWord(output))")
  }
  return 0
}

/// The findings about the rows that the draft reads.
private func findings(of draft: ConfigurationDraft, at path: String, saysErrors: Bool) throws -> [String] {
  do {
    let configuration = try draft.configuration(at: path)
    let rows = try TrainingRows(
      configuration.data, seed: configuration.training.seed, drawsContext: true, showsContext: true)
    return DataFindings(rows, configuration).sentences
  } catch let error as InputError {
    return saysErrors ? ["training would stop with an error: \(error)"] : []
  }
}

/// The first draft under which the untrained context gives the labels about the highest probability, on a few validation
/// rows.
///
/// An error that training would report becomes a note, since the user can edit the configuration.
private func likeliest(
  of drafts: [ConfigurationDraft], at path: String, team: ThreadTeam
) throws -> (draft: ConfigurationDraft, notes: [String]) {
  guard drafts.count > 1 else { return (drafts[0], []) }
  let terminal = Terminal()
  defer { terminal.clear() }
  terminal.status("evaluating the untrained context on a few rows")
  do {
    let losses = try drafts.map { try untrainedLoss($0.configuration(at: path), team: team) }
    let best = ConfigurationDraft.preferredTemplate(losses: losses)
    let found = zip(drafts, losses).map { "\($0.template.layout) \(fixed($1, 2))" }.joined(separator: "; ")
    var notes = ["-log P(label) before training, by template: \(found)"]
    if losses[best] > 10 {
      notes.append("the model gives these labels a very low probability; choose words it knows in data.label_words")
    }
    return (drafts[best], notes)
  } catch let error as InputError {
    return (drafts[0], ["training would stop with an error: \(error)"])
  }
}

/// The mean of -log P(label) in nats after the untrained context, over up to 16 validation rows.
private func untrainedLoss(_ configuration: Configuration, team: ThreadTeam) throws -> Double {
  let setup = try TrainingSetup(configuration, team: team)
  let examples = try setup.examples(of: .validation)
  let some = stride(from: 0, to: examples.count, by: max(1, examples.count / 16)).prefix(16).map { examples[$0] }
  let evaluator = Evaluator(decoder: setup.model.decoder, workspace: Workspace(), team: setup.team)
  let predictions = try evaluator.predict(some, prompt: setup.startingPrompt)
  return ClassificationReport(predictions, labels: setup.encoder.labelNames).loss
}

/// "a/tickets.2024.csv" → "tickets.2024", "sst2/train.tsv" → "sst2".
private func runName(for file: String) -> String {
  let parts = lastComponent(of: file).split(separator: ".")
  let stem = (parts.last == "gz" ? parts.dropLast() : parts[...]).dropLast().joined(separator: ".")
  return stem == "train" ? lastComponent(of: folder(of: absolutePath(file))) : stem
}

/// The survey's findings as text.
private func findings(_ draft: ConfigurationDraft, _ notes: [String]) -> String {
  let data = draft.data, shown = 20
  func shortened(_ name: String) -> String { clipped(visible(name, space: " "), to: 40) }
  func others(_ all: Int, _ shown: Int) -> String { all > shown ? "\n… and \(all - shown) more" : "" }
  let used = [data.textColumn, data.labelColumn]
  let listed = data.columns.enumerated().filter { $0 < shown || used.contains($1.name) }.map(\.element)
  let columns = listed.map { column in
    [
      shortened(column.name), String(column.filled), String(column.distinct), fixed(column.meanLength, 0),
      column.name == data.textColumn ? "text" : column.name == data.labelColumn ? "label" : "",
    ]
  }
  let words = zip(data.labels, draft.labelWords).prefix(shown).map { label, word in
    [
      shortened(label.label), String(label.rows), percent(Double(label.rows) / Double(data.rows)), shortened(word.word),
    ]
  }
  let lengths = data.texts.map(\.count).sorted()
  var facts = ["texts: \(spread(lengths)) characters"]
  if let model = draft.model {
    facts.append(
      "examples: \(spread(model.exampleTokens)) tokens; \(messageLine(model.path)) is \(model.width) wide"
        + (model.positions.map { ", with \($0) positions" } ?? ""))
  }
  return [
    "\(messageLine(data.file)): \(data.rows) rows",
    table([["column", "filled", "distinct", "characters", "used as"]] + columns, rightAligned: [1, 2, 3])
      + others(data.columns.count, listed.count),
    table([["label", "rows", "share", "predicted as"]] + words, rightAligned: [1, 2])
      + others(data.labels.count, words.count),
    (facts + notes.map { "note: \(messageLine($0))" }).joined(separator: "\n"),
  ].joined(separator: "\n\n")
}

/// "12 to 340, median 80" of ascending numbers.
private func spread(_ values: [Int]) -> String {
  guard let first = values.first, let last = values.last else { return "no" }
  return "\(first) to \(last), median \(values[values.count / 2])"
}

private func json(of draft: ConfigurationDraft, _ notes: [String], in output: String) -> JSON {
  let data = draft.data
  func lengths(_ values: [Int]) -> JSON {
    .object([
      .init("shortest", values.first.map(JSON.integer) ?? .null),
      .init("longest", values.last.map(JSON.integer) ?? .null),
      .init("median", values.isEmpty ? .null : .integer(values[values.count / 2])),
    ])
  }
  let columns = data.columns.map { column in
    JSON.object([
      .init("name", .string(column.name)), .init("filled", .integer(column.filled)),
      .init("distinct", .integer(column.distinct)), .init("mean_characters", .number(column.meanLength)),
    ])
  }
  let labels = zip(data.labels, draft.labelWords).map { label, word in
    JSON.object([
      .init("label", .string(label.label)), .init("rows", .integer(label.rows)), .init("word", .string(word.word)),
    ])
  }
  let model = draft.model.map { model in
    JSON.object([
      .init("path", .string(model.path)), .init("width", .integer(model.width)),
      .init("positions", model.positions.map(JSON.integer) ?? .null),
      .init("example_tokens", lengths(model.exampleTokens)),
    ])
  }
  return .object([
    .init("output", .string(output)), .init("data", .string(data.file)), .init("rows", .integer(data.rows)),
    .init("columns", .array(columns)), .init("text_column", .string(data.textColumn)),
    .init("label_column", .string(data.labelColumn)), .init("labels", .array(labels)),
    .init("text_characters", lengths(data.texts.map(\.count).sorted())), .init("model", model ?? .null),
    .init("notes", .array(notes.map(JSON.string))),
  ])
}
