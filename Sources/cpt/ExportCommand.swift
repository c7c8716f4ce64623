import ContextTuning
import FileFormats
import Kernels

private enum ExportFormat: String, CaseIterable {
  case peft
  case safetensors
  case npy
  case text
}

extension Command {
  static let exportPrompt = Command(
    name: "export-prompt",
    group: .use,
    summary: "Write a tuned prompt in another format.",
    example: "cpt export-prompt --checkpoint runs/quickstart/best --format text",
    flags: [
      Flag(name: "--checkpoint", value: .folder, help: "adapter folder", isRequired: true),
      Flag(
        name: "--format", value: .choice("FORMAT", ExportFormat.self),
        help: "peft, safetensors, npy or text (default: peft)"),
      Flag(name: "--output", value: .path, help: "folder (peft) or file; text goes to stdout without it"),
      Flag(name: "--model", value: .folder, help: "the frozen model, in place of the adapter's"),
      Flag(
        name: "--neighbours", value: .number("N"), help: "nearest vocabulary tokens a row of text lists (default: 3)"),
      Flag(name: "--overwrite", help: "replace what is at --output"),
      .threads, .json, .help,
    ],
    run: runExport)
}

private func runExport(_ arguments: Arguments) throws -> Int32 {
  let format = arguments.choice("--format", default: ExportFormat.peft)
  let adapter = try Adapter(folder: arguments.required("--checkpoint"))
  if format == .text {
    let text = try listing(of: adapter, arguments)
    if let output = try arguments.destination("--output", isFolder: format == .peft) {
      try writeAtomically(text + "\n", to: output)
    } else {
      try printResult(text)
    }
    return 0
  }
  guard let output = try arguments.destination("--output", isFolder: format == .peft) else {
    throw InputError.usage("--output", "is missing; expected a \(format == .peft ? "folder" : "file") to write to")
  }
  switch format {
  case .peft:
    try makeDirectory(output)
    try adapter.write(to: output)
  case .safetensors: try writeAtomically(adapter.safetensorsFile, to: output)
  case .npy, .text: try writeAtomically(adapter.numPyFile, to: output)
  }
  let tokens = adapter.context.count
  let json: JSON = .object([
    .init("output", .string(output)), .init("format", .string(format.rawValue)), .init("tokens", .integer(tokens)),
    .init("width", .integer(adapter.width)),
  ])
  try printResult(
    arguments.has("--json") ? json.pretty : "wrote \(tokens) tokens of width \(adapter.width) to \(output)")
  return 0
}

/// The prompt token by token.
private func listing(of adapter: Adapter, _ arguments: Arguments) throws -> String {
  let (model, tokenizer) = try arguments.model(of: adapter)
  let listing = PromptListing(
    try adapter.prompt(over: model.decoder), decoder: model.decoder, tokenizer: tokenizer,
    neighbours: try arguments.integer("--neighbours", from: 0) ?? 3, team: ThreadTeam(threads: try arguments.threads()))
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
