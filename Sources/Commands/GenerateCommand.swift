import Diagnostics
import FileFormats
import Glibc
import Kernels
import System
import Tuning

extension Command {
  /// `cpt generate`.
  static let generate = Command(
    name: "generate",
    group: .use,
    summary: "Continue a prompt after the tuned context.",
    example: "cpt generate --checkpoint runs/quickstart/best --prompt \"my parcel is late\"",
    flags: [
      .checkpoint,
      Flag(name: "--prompt", value: .text("TEXT"), help: "the prompt (default, or -: standard input)"),
      Flag(name: "--raw", help: "use the prompt as it is, without the template"),
      Flag(name: "--no-context", help: "omit the tuned context: the plain model"),
      Flag(name: "--max-tokens", value: .number("N"), help: "maximum number of tokens (default: 64)"),
      Flag(
        name: "--stop", value: .text("TEXT"), help: "stop before this text; may be repeated", isRepeatable: true),
      Flag(name: "--temperature", value: .number("T"), help: "0: the most probable token (default); above 0: sample"),
      Flag(name: "--top-k", value: .number("K"), help: "sample from the K most probable tokens"),
      Flag(name: "--top-p", value: .number("P"), help: "sample from the fewest tokens of total probability P"),
      Flag(name: "--seed", value: .number("S"), help: "seed of the sampling (default: 0)"),
      Flag(name: "--config", value: .file, help: "template, if the checkpoint has no configuration"),
      .model,
      .set,
      .threads, .json, .help,
    ],
    run: runGenerate)
}

private func runGenerate(_ arguments: Arguments) throws -> Int32 {
  let settings = try settings(arguments)
  let team = try arguments.team()
  let isRaw = arguments.has("--raw"), usesContext = !arguments.has("--no-context")
  if arguments["--prompt"] == nil, isatty(STDIN_FILENO) == 1 {
    throw InputError.usage("--prompt", "is missing; expected --prompt TEXT, or the text on standard input")
  }
  if arguments["--config"] == standardStream, arguments["--prompt"] ?? standardStream == standardStream {
    throw InputError.usage("--config", "and --prompt both are standard input; give --prompt a text")
  }
  let adapter = try arguments.adapter()
  try adapter.refuseHead(for: "generate")
  let configuration = try arguments.configuration(
    of: adapter, for: isRaw ? nil : "the template must come from a configuration; or use --raw")
  let (text, source) = try prompt(arguments)

  endAtSignals()
  let output = GenerationOutput(isJSON: arguments.has("--json"))
  output.status("reading the prompt")
  defer { output.end() }
  let prompted = try PromptedModel(configuration, adapter: adapter, team: team)
  let start = ContinuousClock.now
  var generator = try prompted.generator(
    after: text, from: source, isRaw: isRaw, usesContext: usesContext, settings: settings)
  let promptTime = ContinuousClock.now - start
  while let piece = try generator.next() {
    guard try output.show(piece, tokens: generator.tokens.count) else { return 0 }
  }
  let time = ContinuousClock.now - start
  try output.finish(generator, prompt: text, promptSeconds: promptTime / .seconds(1), seconds: time / .seconds(1))
  return 0
}

private func settings(_ arguments: Arguments) throws -> TextGenerator.Settings {
  var settings = TextGenerator.Settings()
  settings.maxTokens = try arguments.integer("--max-tokens", from: 1) ?? settings.maxTokens
  settings.stops = arguments.all("--stop")
  let temperature = try arguments.number("--temperature", "a number of at least 0") { $0 >= 0 }
  settings.sampling.temperature = temperature ?? 0
  settings.sampling.topK = try arguments.integer("--top-k", from: 1)
  settings.sampling.topP = try arguments.number("--top-p", "a number above 0 and up to 1") { $0 > 0 && $0 <= 1 } ?? 1
  settings.sampling.seed = try arguments.integer("--seed", from: 0) ?? 0
  if settings.sampling.temperature == 0, let name = ["--top-k", "--top-p"].first(where: arguments.has) {
    throw InputError.usage(name, "needs a --temperature above 0, such as 1; without one, nothing is sampled")
  }
  return settings
}

/// The text of `--prompt`, or standard input without its last line break.
private func prompt(_ arguments: Arguments) throws -> (text: String, source: PromptedModel.Source) {
  if let text = arguments["--prompt"], text != "-" { return (text, .flag) }
  let bytes = try readBytes(of: "/dev/stdin", streams: true)
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw PromptedModel.Source.standardInput.error("is not UTF-8")
  }
  return (text.hasSuffix("\n") || text.hasSuffix("\r\n") ? String(text.dropLast()) : text, .standardInput)
}

/// Shows a text while it grows: on standard output, or as JSON at the end; on standard error only if it is a terminal.
private struct GenerationOutput {
  let isJSON: Bool
  private let terminal = Terminal()

  init(isJSON: Bool) { self.isJSON = isJSON }

  func status(_ text: String) {
    terminal.status(text)
    if terminal.isInteractive { setOpenLine(on: STDERR_FILENO) }
  }

  /// Shows a new piece; false if the reader has closed the output.
  func show(_ piece: String, tokens: Int) throws -> Bool {
    if isJSON {
      status("\(tokens) tokens")
      return true
    }
    if piece.isEmpty { return true }
    terminal.clear()
    setOpenLine(on: STDOUT_FILENO)
    return try printPiece(piece)
  }

  func finish(_ generator: TextGenerator, prompt: String, promptSeconds: Double, seconds: Double) throws {
    end()
    if isJSON {
      try printResult(json(of: generator, prompt: prompt, promptSeconds: promptSeconds, seconds: seconds))
      return
    }
    try printResult("")
    guard terminal.isInteractive, let ending = generator.ending else { return }
    let rate = Double(generator.tokens.count) / max(1e-9, seconds - promptSeconds)
    terminal.line("\(generator.tokens.count) tokens, \(fixed(rate, rate < 10 ? 1 : 0)) per second, \(ending.words)")
  }

  /// Removes the status.
  func end() {
    terminal.clear()
    setOpenLine(on: nil)
  }

  private func json(of generator: TextGenerator, prompt: String, promptSeconds: Double, seconds: Double) -> JSON {
    .object([
      .init("prompt", .string(prompt)), .init("text", .string(generator.text)),
      .init("tokens", .array(generator.tokens.map(JSON.integer))),
      .init("log_probabilities", .array(generator.logProbabilities.map { .number(Double($0)) })),
      .init("stop_reason", generator.ending.map { .string($0.rawValue) } ?? .null),
      .init("prompt_seconds", .number(promptSeconds)), .init("elapsed_seconds", .number(seconds)),
    ])
  }
}

extension TextGenerator.Ending {
  fileprivate var words: String {
    switch self {
    case .endOfText: "ended by the model"
    case .stop: "ended by --stop"
    case .maxTokens: "ended by --max-tokens"
    case .window: "ended at the model's last position"
    }
  }
}
