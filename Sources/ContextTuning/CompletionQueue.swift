import Diagnostics
import Synchronization
import System
import Tuning

/// Whether a caller has lost interest.
final class Cancellation: Sendable {
  private let state = Atomic(false)

  var isCancelled: Bool { state.load(ordering: .relaxed) }

  func cancel() { state.store(true, ordering: .relaxed) }
}

/// Texts of many callers that one thread continues, one after the other.
final class CompletionQueue: Sendable {
  struct Request: Sendable {
    let prompt: String
    let options: CompletionOptions
    let deadline: ContinuousClock.Instant?
    let cancellation: Cancellation
    let deliver: @Sendable (Result<Completion, any Error>) -> Void

    init(
      _ prompt: String, _ options: CompletionOptions, deadline: ContinuousClock.Instant?,
      cancellation: Cancellation = Cancellation(), deliver: @escaping @Sendable (Result<Completion, any Error>) -> Void
    ) {
      self.prompt = prompt
      self.options = options
      self.deadline = deadline
      self.cancellation = cancellation
      self.deliver = deliver
    }

    /// - Throws: `ScoringQueue.Refusal.isLate` when nobody waits for the text.
    func requireWanted() throws {
      guard !cancellation.isCancelled, deadline.map({ $0 > .now }) ?? true else { throw ScoringQueue.Refusal.isLate }
    }
  }

  private struct State {
    var waiting: [Request] = []
    var hasEnded = false
  }

  private let limit: Int
  private let state = Monitor(State())

  init(limit: Int) { self.limit = limit }

  /// Texts that wait now.
  var count: Int { state.change { $0.waiting.count } }

  /// - Throws: `ScoringQueue.Refusal`.
  func add(_ request: Request) throws {
    try state.change { state in
      if state.hasEnded { throw ScoringQueue.Refusal.hasEnded }
      guard state.waiting.count < limit else { throw ScoringQueue.Refusal.isFull }
      state.waiting.append(request)
    }
  }

  /// Takes no more texts; those that wait are still continued.
  func end() { state.change { $0.hasEnded = true } }

  /// Continues texts as they come, until the queue has ended and is empty. The context is computed for the first one.
  func serve(_ model: PromptedModel) {
    var start: TextGenerator.Start?
    while let request = state.wait(for: { state -> Request?? in
      if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
      return state.hasEnded ? .some(nil) : nil
    }) {
      request.deliver(
        Result {
          try request.requireWanted()
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
    while try generator.next() != nil { try request.requireWanted() }
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
