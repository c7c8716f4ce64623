import ContextTuning
import FileFormats
import HTTPTypes
import HummingbirdCore
import NIOCore
import Tuning

/// What the server answers at which path.
struct Routes: Sendable {
  let model: TunedModel
  let settings: Server.Settings
  let metrics: Metrics

  private struct Route: Sendable {
    let path: String
    let method: HTTPRequest.Method
    /// Whether it needs no token.
    var isOpen = false
    let answer: @Sendable (Routes, Request, any EventLoop) async throws -> Answer
  }

  private static let all = [
    Route(path: "/", method: .get, isOpen: true) { _, _, _ in BrowserPage.answer },
    Route(path: "/health", method: .get, isOpen: true) { routes, _, _ in routes.health },
    Route(path: "/metrics", method: .get) { routes, _, _ in routes.metricsText },
    Route(path: "/v1/classify", method: .post) { try await $0.classify($1, on: $2) },
    Route(path: "/v1/completions", method: .post) { try await $0.complete($1, on: $2) },
  ]

  var paths: [String] { Self.all.map(\.path) }

  /// Whether a path needs no token.
  func isOpen(_ path: String) -> Bool { Self.all.contains { $0.path == path && $0.isOpen } }

  func answer(_ request: Request, _ path: String, on eventLoop: any EventLoop) async throws -> Answer {
    guard let route = Self.all.first(where: { $0.path == path }) else {
      throw RequestError(.notFound, "there is nothing at \"\(path)\"; expected one of \(paths.joined(separator: ", "))")
    }
    guard request.method == route.method || (route.method == .get && request.method == .head) else {
      throw RequestError(
        .methodNotAllowed, "\(path) takes \(route.method.rawValue), not \(request.method.rawValue)",
        headers: [.allow: route.method.rawValue])
    }
    return try await route.answer(self, request, eventLoop)
  }

  private var health: Answer {
    Answer(
      .object([
        .init("status", .string("ok")), .init("checkpoint", .string(model.checkpoint)),
        .init("labels", .array(model.labels.map(JSON.string))), .init("waiting", .integer(model.waiting)),
      ]))
  }

  private var metricsText: Answer {
    Answer(metrics.text(waiting: model.waiting), type: "text/plain; version=0.0.4; charset=utf-8")
  }

  /// The object in a request's body; its keys must be among these.
  private func object(of request: Request, on eventLoop: any EventLoop, keys: Set<String>) async throws -> JSON {
    let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
    guard type.filter({ $0 != " " }) == "application/json" else {
      throw RequestError(.unsupportedMediaType, "expected the header \"Content-Type: application/json\"")
    }
    let limit = settings.maximumBodyBytes
    let tooLarge = RequestError(
      .contentTooLarge, "the body is larger than \(limit) bytes", headers: [.connection: "close"])
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
    let bytes: [UInt8]
    do {
      bytes = try await within(settings.timeout, on: eventLoop) {
        var buffer = try await request.body.collect(upTo: limit)
        return buffer.readBytes(length: buffer.readableBytes) ?? []
      }
    } catch is NIOTooManyBytesError {
      throw tooLarge
    } catch is TimeoutError {
      throw RequestError(.requestTimeout, "the body did not arrive in time", headers: [.connection: "close"])
    }
    let json = try JSON(parsing: bytes, file: "body")
    guard let members = json.object else {
      throw RequestError(.badRequest, "body: expected an object, found \(json.shortDescription)")
    }
    if let unknown = members.first(where: { !keys.contains($0.key) }) {
      throw RequestError(
        .badRequest,
        "body: unknown key \"\(unknown.key)\"; expected \(keys.sorted().map { "\"\($0)\"" }.joined(separator: ", "))")
    }
    return json
  }

  private func classify(_ request: Request, on eventLoop: any EventLoop) async throws -> Answer {
    let body = try await object(of: request, on: eventLoop, keys: ["input"])
    guard let input = body["input"], let texts = input.texts else {
      throw RequestError(.badRequest, "\"input\": expected a text or a list of texts")
    }
    guard (1...settings.maximumTexts).contains(texts.count) else {
      throw RequestError(
        .badRequest, "\"input\": expected 1 to \(settings.maximumTexts) texts, found \(texts.count)")
    }
    let answers = try await model.classify(texts, deadline: .now + settings.timeout)
    metrics.countTexts(answers.count)
    return Answer(
      .object([
        .init("object", .string("list")),
        .init("data", .array(answers.enumerated().map { index, answer in answer.json(index) })),
      ]))
  }

  private func complete(_ request: Request, on eventLoop: any EventLoop) async throws -> Answer {
    let body = try await object(
      of: request, on: eventLoop,
      keys: [
        "prompt", "max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "template", "stream", "n", "model",
      ])
    func value<Value>(_ key: String, _ expected: String, _ read: (JSON) -> Value?) throws -> Value? {
      guard let json = body[key], !json.isNull else { return nil }
      guard let value = read(json) else {
        throw RequestError(.badRequest, "\"\(key)\": expected \(expected), found \(json.shortDescription)")
      }
      return value
    }
    guard let prompt = try value("prompt", "a text", \.string) else {
      throw RequestError(.badRequest, "\"prompt\": expected a text")
    }
    _ = try value("stream", "false: the answer comes as a whole") { $0.bool == false ? false : nil }
    _ = try value("n", "1: there is one choice") { $0.integer == 1 ? 1 : nil }
    _ = try value("model", "a text", \.string)
    var options = CompletionOptions()
    options.maxTokens =
      try value("max_tokens", "a whole number from 1 to \(settings.maximumTokens)") { json in
        json.integer.flatMap { (1...settings.maximumTokens).contains($0) ? $0 : nil }
      } ?? options.maxTokens
    options.temperature =
      try value("temperature", "a number of at least 0") { json in json.number.flatMap { $0 >= 0 ? $0 : nil } } ?? 0
    options.topP =
      try value("top_p", "a number above 0 and up to 1") { json in json.number.flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
      }
      ?? 1
    options.topK = try value("top_k", "a whole number of at least 1") { json in
      json.integer.flatMap { $0 > 0 ? $0 : nil }
    }
    options.seed =
      try value("seed", "a whole number of at least 0") { json in json.integer.flatMap { $0 >= 0 ? $0 : nil } } ?? 0
    options.stops =
      try value("stop", "a text or a list of texts, none empty") { json in
        json.texts.flatMap { $0.allSatisfy { !$0.isEmpty } ? $0 : nil }
      } ?? []
    options.usesTemplate = try value("template", "true or false", \.bool) ?? true
    let completion = try await model.complete(prompt, options: options, deadline: .now + settings.timeout)
    return Answer(
      .object([
        .init("object", .string("text_completion")),
        .init(
          "choices",
          .array([
            .object([
              .init("index", .integer(0)), .init("text", .string(completion.text)),
              .init("finish_reason", .string([.endOfText, .stop].contains(completion.reason) ? "stop" : "length")),
            ])
          ])),
        .init(
          "usage",
          .object([
            .init("context_tokens", .integer(model.contextTokens)),
            .init("prompt_tokens", .integer(completion.promptTokens)),
            .init("completion_tokens", .integer(completion.tokens)),
          ])),
      ]))
  }
}

extension JSON {
  /// A text, or the texts of a list.
  fileprivate var texts: [String]? {
    if let string { return [string] }
    guard let array, case let texts = array.compactMap(\.string), texts.count == array.count else { return nil }
    return texts
  }
}

extension Classification {
  fileprivate func json(_ index: Int) -> JSON {
    .object(
      [
        .init("index", .integer(index)), .init("label", .string(label)), .init("probability", .number(probability)),
        .init("probabilities", .object(probabilities.map { .init($0.label, .number($0.probability)) })),
      ] + (isTruncated ? [.init("truncated", .bool(true))] : []))
  }
}

private struct TimeoutError: Error {}

/// The result of some work, if it ends in time; its task is cancelled otherwise.
///
/// The event loop forgets a timer that is cancelled; a task that sleeps would hold its memory until the time is over.
private func within<Result: Sendable>(
  _ duration: Duration, on eventLoop: any EventLoop, _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
  let caller = Caller()
  let task = Task(operation: work)
  let timer = eventLoop.scheduleTask(in: TimeAmount(duration)) {
    caller.leave()
    task.cancel()
  }
  defer { timer.cancel() }
  let result = await withTaskCancellationHandler {
    await task.result
  } onCancel: {
    task.cancel()
  }
  // Of a body that did not come whole, cancelled work has what came.
  do { try caller.requireWaiting() } catch { throw TimeoutError() }
  return try result.get()
}
