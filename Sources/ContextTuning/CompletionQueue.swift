import Diagnostics
import System
import Tuning

/// Texts of many callers that one thread continues, one after the other.
final class CompletionQueue: Sendable {
  struct Request: Sendable {
    let prompt: String
    let options: CompletionOptions
    let caller: Caller
    /// Gets the answer, once.
    let deliver: @Sendable (Result<Completion, any Error>) -> Void
  }

  private let waiting: BoundedQueue<Request>

  /// - Parameter limit: most texts that wait.
  init(limit: Int) { waiting = BoundedQueue(limit: limit) }

  /// Texts that wait now.
  var count: Int { waiting.count }

  /// - Throws: `QueueIsFull`.
  func add(_ request: Request) throws { try waiting.add([request]) }

  /// Takes no more texts; those that wait are still continued.
  func end() { waiting.end() }

  /// Continues texts as they come, until the queue has ended and is empty. The context is computed for the first one.
  func serve(_ model: PromptedModel) {
    var start: TextGenerator.Start?
    while let request = waiting.next() {
      request.deliver(
        Result {
          try request.caller.requireWaiting()
          let warm = start ?? model.start(usesContext: true)
          start = warm
          return try Self.complete(request, model, after: warm)
        })
    }
  }

  private static func complete(
    _ request: Request, _ model: PromptedModel, after start: TextGenerator.Start
  ) throws -> Completion {
    let options = request.options
    var settings = TextGenerator.Settings()
    settings.maxTokens = options.maxTokens
    settings.stops = options.stops
    settings.sampling.temperature = options.temperature
    settings.sampling.topK = options.topK
    settings.sampling.topP = options.topP
    settings.sampling.seed = options.seed
    let isRaw = !options.usesTemplate
    let promptTokens = try model.tokens(of: request.prompt, from: .request, isRaw: isRaw, usesContext: true).count
    var generator = try model.generator(
      after: request.prompt, from: .request, isRaw: isRaw, usesContext: true, start: start, settings: settings)
    while try generator.next() != nil { try request.caller.requireWaiting() }
    guard let ending = generator.ending else { preconditionFailure("a text that has no next piece has ended") }
    return Completion(
      text: generator.text, promptTokens: promptTokens, tokens: generator.tokens.count,
      reason: Completion.Reason(ending))
  }
}

extension CompletionOptions {
  /// Checks that every value is in its range.
  ///
  /// - Throws: ``ContextTuningError`` naming the value.
  func validate() throws {
    func require(_ isRight: Bool, _ name: String, _ expected: String) throws {
      if !isRight { throw ContextTuningError(.input, "\(name): must be \(expected)") }
    }
    try require((1...Int(Int32.max)).contains(maxTokens), "maxTokens", "a whole number of at least 1")
    try require(temperature >= 0 && temperature.isFinite, "temperature", "a number of at least 0")
    try require(topK.map { $0 >= 1 } ?? true, "topK", "a whole number of at least 1")
    try require(topP > 0 && topP <= 1, "topP", "a number above 0 and up to 1")
    try require(seed >= 0, "seed", "a whole number of at least 0")
    try require(stops.allSatisfy { !$0.isEmpty }, "stops", "texts that are not empty")
  }
}
