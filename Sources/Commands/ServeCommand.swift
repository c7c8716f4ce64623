import ContextTuning
import Diagnostics
import FileFormats
import Glibc
import Serving
import System

extension Command {
  /// `cpt serve`.
  static let serve = Command(
    name: "serve",
    group: .use,
    summary: "Answer HTTP requests: label texts, continue prompts.",
    example: "cpt serve --checkpoint runs/quickstart/best",
    flags: [
      Flag(name: "--checkpoint", value: .folder, help: "a run, or a checkpoint in it", isRequired: true),
      .model,
      Flag(name: "--host", value: .text("NAME"), help: "address to listen on (default: 127.0.0.1)"),
      Flag(name: "--port", value: .number("N"), help: "port (default: 8080; 0: any free one)"),
      Flag(name: "--token-file", value: .file, help: "file with a token that requests must carry"),
      Flag(name: "--max-waiting", value: .number("N"), help: "texts that may wait; beyond, 429 (default: 1024)"),
      Flag(name: "--max-texts", value: .number("N"), help: "texts of one request (default: 256)"),
      Flag(name: "--max-body", value: .number("BYTES"), help: "size of a request (default: 1048576)"),
      Flag(name: "--timeout", value: .number("SECONDS"), help: "for a request, and for its answer (default: 30)"),
      .threads, .help,
    ],
    run: runServe)
}

private func runServe(_ arguments: Arguments) throws -> Int32 {
  var settings = Server.Settings()
  settings.host = arguments["--host"] ?? settings.host
  guard settings.host.allSatisfy({ !$0.isWhitespace && $0 != "/" }) else {
    throw InputError.usage("--host", "expected a name or an address such as 0.0.0.0, found \"\(settings.host)\"")
  }
  settings.port = try arguments.integer("--port", from: 0) ?? settings.port
  guard settings.port <= 65535 else {
    throw InputError.usage("--port", "must be at most 65535, found \(settings.port)")
  }
  settings.token = try arguments["--token-file"].map(token)
  settings.maximumTexts = try arguments.integer("--max-texts", from: 1) ?? settings.maximumTexts
  settings.maximumBodyBytes = try arguments.integer("--max-body", from: 1) ?? settings.maximumBodyBytes
  if let seconds = try arguments.integer("--timeout", from: 1) { settings.timeout = .seconds(seconds) }
  var options = TunedModel.Options()
  options.model = arguments["--model"]
  options.threads = try arguments.integer("--threads", from: 1)
  options.waitingTexts = try arguments.integer("--max-waiting", from: 1) ?? options.waitingTexts
  if !settings.isLocal, settings.token == nil {
    note("\(settings.host): other machines can use this server; --token-file keeps strangers out")
  }
  let checkpoint = arguments.required("--checkpoint")
  let terminal = Terminal()
  terminal.status("opening \(messageLine(checkpoint))")
  let model: TunedModel
  do {
    model = try TunedModel(checkpoint: checkpoint, options: options)
  } catch {
    terminal.clear()
    throw ContextTuningError(error).inputError
  }
  terminal.clear()
  let server = Server(model, settings: settings)
  let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
  let end = Monitor<Result<Void, any Error>?>(nil)
  Task {
    let result: Result<Void, any Error>
    do {
      try await server.run { port in writeToStandardError("listening on http://\(host):\(port)\n") }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    end.change { $0 = result }
  }
  try end.wait { $0 }.get()
  return 0
}

/// The token in a file, without white space around it.
private func token(in file: String) throws -> String {
  guard let text = String(validating: try readBytes(of: file, streams: true), as: UTF8.self) else {
    throw InputError.badData(file, "is not UTF-8; expected a token of printable ASCII characters")
  }
  let characters = text.split(whereSeparator: \.isWhitespace)
  guard characters.count == 1, let token = characters.first,
    token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
  else {
    throw InputError.badData(file, "expected one token of printable ASCII characters, without white space inside")
  }
  return String(token)
}
