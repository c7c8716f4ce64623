import Diagnostics
import FileFormats
import Insights
import Kernels
import Runs
import System

private enum ExportFormat: String, CaseIterable {
  case peft
  case prefixTuning = "prefix-tuning"
  case kv
  case safetensors
  case npy
  case text

  var isFolder: Bool { self == .peft || self == .prefixTuning }
}

extension Command {
  /// `cpt export-prompt`.
  static let exportPrompt = Command(
    name: "export-prompt",
    group: .use,
    summary: "Write a tuned prompt in another format.",
    example: "cpt export-prompt --checkpoint runs/quickstart/best --format text",
    flags: [
      .checkpoint,
      Flag(
        name: "--format", value: .choice("FORMAT", ExportFormat.self),
        help: "peft (default), prefix-tuning, kv, safetensors, npy, text"),
      Flag(name: "--output", value: .path, help: "folder (peft, prefix-tuning), file, or - to print"),
      Flag(
        name: "--base-model", value: .text("NAME"), help: "the model's name on the Hub, for the adapter and its card"),
      .model,
      Flag(
        name: "--neighbours", value: .number("N"), help: "nearest vocabulary tokens per row of text (default: 3)"),
      Flag(name: "--overwrite", help: "replace what is at --output"),
      .threads, .json, .help,
    ],
    run: runExport)
}

private func runExport(_ arguments: Arguments) throws -> Int32 {
  let format = arguments.choice("--format", default: ExportFormat.peft)
  let baseModel = try hubName(arguments)
  let adapter = try arguments.adapter()
  try adapter.refuseHead(for: "export-prompt")
  let output = try arguments.destination("--output", isFolder: format.isFolder)
  if let output, format.isFolder, holdsMoreThanAnAdapter(output) {
    throw InputError.usage(output, "contains a run; export into a separate folder, such as \(output)/adapter")
  }
  if arguments.has("--neighbours"), format != .text {
    throw InputError.usage("--neighbours", "applies to --format text only; remove it")
  }
  if format == .text {
    let text = try listing(of: adapter, arguments)
    guard let output, output != standardStream else {
      try printResult(text)
      return 0
    }
    try write(text + "\n", to: output)
    try printExported(adapter, format, to: output, arguments)
    return 0
  }
  guard let output else {
    throw InputError.usage("--output", "is missing; expected a \(format.isFolder ? "folder" : "file") to write to")
  }
  let named = baseModel.map(adapter.naming) ?? adapter
  func writeFolder(_ kind: ModelCard.Kind, _ writePair: (String) throws -> Void) throws {
    let record = try AdapterRecord(adapterFolder: adapter.folder)
    let name = lastComponent(of: absolutePath(output))
    let card = ModelCard(of: named, kind: kind, name: name, baseModel: baseModel, record: record)
    try makeDirectory(output)
    try writePair(output)
    try writeAtomically(card.text, to: output + "/" + ModelCard.file)
  }
  var layers: Int?
  switch format {
  case .peft: try writeFolder(.cpt, named.write)
  case .prefixTuning:
    let cache = try keysAndValues(of: adapter, arguments)
    try writeFolder(.prefixTuning, PrefixTuningAdapter(cache, of: named).write)
    layers = cache.layerCount
  case .kv:
    let cache = try keysAndValues(of: adapter, arguments)
    try write(cache.safetensorsFile, to: output)
    layers = cache.layerCount
  case .safetensors: try write(adapter.safetensorsFile, to: output)
  case .npy, .text: try write(adapter.numPyFile, to: output)
  }
  if output == standardStream { return 0 }
  try printExported(adapter, format, to: output, layers: layers, isNamed: baseModel != nil, arguments)
  return 0
}

/// Says what was written; `layers` are those whose keys and values it has.
private func printExported(
  _ adapter: Adapter, _ format: ExportFormat, to output: String, layers: Int? = nil, isNamed: Bool = false,
  _ arguments: Arguments
) throws {
  let tokens = adapter.context.count
  if arguments.has("--json") {
    let size = layers.map { JSON.Member("layers", .integer($0)) } ?? .init("width", .integer(adapter.width))
    let members: [JSON.Member] = [
      .init("output", .string(output)), .init("format", .string(format.rawValue)), .init("tokens", .integer(tokens)),
      size,
    ]
    try printResult(JSON.object(members))
  } else {
    let what = layers.map { "keys and values of \(tokens) tokens in \($0) layers" }
    var lines = ["wrote \(what ?? "\(tokens) tokens of width \(adapter.width)") to \(messageLine(output))"]
    if format.isFolder, !isNamed {
      lines.append("to publish it on the Hub, name the model there with --base-model NAME")
      if let file = try adapter.configuration.baseModel.flatMap(GGUFModel.file) {
        let name = try GGUFModel(path: file).metadata.text("general.name").map { ", which calls itself \(quoted($0))" }
        lines.append(
          "PEFT does not read the GGUF file \(messageLine(lastComponent(of: file)))\(name ?? ""): name its Hugging Face "
            + "model with --base-model, or give PeftModel that model yourself")
      }
    }
    try printResult(lines.joined(separator: "\n"))
  }
}

/// Whether a folder belongs to a run, a checkpoint or a comparison, which a second adapter would contradict.
private func holdsMoreThanAnAdapter(_ folder: String) -> Bool {
  ["config.json", "metrics.jsonl", "trainer_state.json", Comparison.file].contains { fileExists(folder + "/" + $0) }
}

/// The value of `--base-model`: "gpt2", "meta-llama/Llama-3.2-1B".
private func hubName(_ arguments: Arguments) throws -> String? {
  guard let name = arguments["--base-model"] else { return nil }
  let parts = name.split(separator: "/", omittingEmptySubsequences: false)
  let isPlain = parts.allSatisfy { part in
    !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }
      && part.contains { $0 != "." }
  }
  guard isPlain, parts.count <= 2 else {
    throw InputError.usage(
      "--base-model", "must be a model's name on the Hub such as gpt2 or meta-llama/Llama-3.2-1B, found \"\(name)\"")
  }
  return name
}

private func keysAndValues(of adapter: Adapter, _ arguments: Arguments) throws -> ContextCache {
  let model = try arguments.model(of: adapter).model
  return ContextCache(
    try adapter.prompt(over: model.decoder), model: model, team: try arguments.team())
}

/// The prompt token by token.
private func listing(of adapter: Adapter, _ arguments: Arguments) throws -> String {
  let (model, tokenizer) = try arguments.model(of: adapter)
  let listing = PromptListing(
    try adapter.prompt(over: model.decoder), decoder: model.decoder, tokenizer: tokenizer,
    neighbours: try arguments.integer("--neighbours", from: 0) ?? 3, team: try arguments.team())
  if arguments.has("--json") { return JSON.array(listing.entries.map(\.json)).pretty }
  let rows = listing.entries.map { entry in
    [
      String(entry.position), String(entry.id), visible(entry.text), String(entry.type), entry.role.name,
      fixed(entry.distance, 4), entry.shareOfRadius.map { percent($0) } ?? "",
      entry.nearest.map { "\(visible($0.text)) \(fixed($0.distance, 3))" }.joined(separator: "  "),
    ]
  }
  return table(
    [["#", "id", "token", "type", "role", "moved", "of radius", "nearest tokens and their distance"]] + rows,
    rightAligned: [0, 1, 3, 5, 6])
}

extension PromptListing.Entry {
  /// The entry as `--json` prints it.
  var json: JSON {
    .object([
      .init("position", .integer(position)), .init("id", .integer(id)), .init("text", .string(text)),
      .init("type", .integer(type)), .init("role", .string(role.name)), .init("distance", .number(distance)),
      .init("share_of_radius", shareOfRadius.map(JSON.number) ?? .null),
      .init(
        "nearest",
        .array(nearest.map { .object([.init("text", .string($0.text)), .init("distance", .number($0.distance))]) })),
    ])
  }
}
