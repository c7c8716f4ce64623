import Diagnostics
import Kernels
import Method
import Runs
import System
import Tuning

/// A frozen model with a tuned prompt, ready to classify and to continue texts.
///
/// The context is computed once, when the model is opened. Any number of threads and tasks may call it at a time: texts that
/// wait together are computed together.
///
/// ```swift
/// let model = try TunedModel(checkpoint: "runs/reviews/best")
/// let answer = try model.classify("an honest, generous film")
/// print(answer.label, answer.probability)
/// ```
public final class TunedModel: Sendable {
  /// How a model is opened.
  public struct Options: Sendable {
    /// The model's folder or GGUF file; nil: the one that the run used.
    public var model: String?
    /// Threads to compute with; nil: as many as there are cores for this process.
    public var threads: Int?
    /// Texts that may wait at a time; those beyond are refused with ``ContextTuningError/Kind/busy``.
    public var waitingTexts = 1024

    public init() {}
  }

  /// The labels, in the order of ``Classification/probabilities``.
  public let labels: [String]
  /// The checkpoint's folder.
  public let checkpoint: String
  /// Tokens of the tuned context.
  public let contextTokens: Int
  /// Threads that compute.
  public let threads: Int

  private let classifier: Classifier
  private let scoring: ScoringQueue
  private let scoringThread: BackgroundThread
  private let completions: CompletionQueue
  private let completionThread: BackgroundThread

  /// Opens a checkpoint, and computes its context.
  ///
  /// - Parameters:
  ///   - checkpoint: a run's folder, or a checkpoint in it.
  ///   - options: how it is opened.
  /// - Throws: ``ContextTuningError`` for anything missing or wrong.
  public init(checkpoint: String, options: Options = Options()) throws {
    let (adapter, team, classifier) = try ContextTuningError.wrapping {
      let adapter = try Adapter(checkpoint: checkpoint)
      guard let file = adapter.runConfigurationPath else {
        throw InputError.missing(
          adapter.folder + "/config.json", "not found; expected the configuration that a run writes beside its adapter")
      }
      let configuration = try adapter.configuration(file: file, model: options.model)
      let fields = configuration.template.inputPattern.fields
      guard fields.count == 1 else {
        throw InputError.badData(
          "template.input",
          "takes \(fields.count) columns, and a text is classified as a whole; use cpt predict")
      }
      let team = try ThreadTeam(forProcess: options.threads, askedBy: "threads")
      return (adapter, team, try Classifier(configuration, adapter: adapter, team: team))
    }
    self.classifier = classifier
    self.checkpoint = adapter.folder
    labels = classifier.labels
    contextTokens = adapter.context.count
    threads = team.threads
    let scoring = ScoringQueue(limit: max(1, options.waitingTexts))
    self.scoring = scoring
    let isReady = Monitor(false)
    scoringThread = try ContextTuningError.wrapping {
      try BackgroundThread {
        classifier.withScorer { emptyPack, scores in
          isReady.change { $0 = true }
          scoring.serve(from: emptyPack, scores)
        }
      }
    }
    let completions = CompletionQueue(limit: max(1, options.waitingTexts))
    self.completions = completions
    do {
      completionThread = try BackgroundThread { completions.serve(classifier.prompted) }
    } catch {
      scoring.end()
      scoringThread.join()
      throw ContextTuningError(error)
    }
    isReady.wait { $0 ? () : nil }
  }

  deinit {
    scoring.end()
    completions.end()
    scoringThread.join()
    completionThread.join()
  }

  /// Texts that wait to be classified or continued.
  public var waiting: Int { scoring.count + completions.count }
}

extension TunedModel {
  /// Classifies a text; blocks the calling thread until there is an answer.
  ///
  /// - Throws: ``ContextTuningError``.
  public func classify(_ text: String) throws -> Classification { try classify([text])[0] }

  /// Classifies texts together; blocks the calling thread until there are answers, which are in the order of the texts.
  ///
  /// - Throws: ``ContextTuningError``; then there is no answer to any of the texts.
  public func classify(_ texts: [String]) throws -> [Classification] {
    let result = Monitor<Result<[Classification], any Error>?>(nil)
    try start(texts, for: Caller()) { answer in result.change { $0 = answer } }
    return try ContextTuningError.wrapping { try result.wait { $0 }.get() }
  }

  /// Classifies a text.
  ///
  /// - Throws: ``ContextTuningError``.
  public func classify(_ text: String) async throws -> Classification { try await classify([text])[0] }

  /// Classifies texts together; the answers are in their order.
  ///
  /// - Parameters:
  ///   - texts: the texts.
  ///   - deadline: when an answer is of no use any more; nil: never.
  /// - Returns: an answer for each text.
  /// - Throws: ``ContextTuningError``; then there is no answer to any of the texts.
  public func classify(
    _ texts: [String], deadline: ContinuousClock.Instant? = nil
  ) async throws -> [Classification] {
    let caller = Caller(until: deadline)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        do {
          try start(texts, for: caller) { answer in
            continuation.resume(with: answer.mapError { ContextTuningError($0) })
          }
        } catch {
          continuation.resume(throwing: ContextTuningError(error))
        }
      }
    } onCancel: {
      caller.leave()
    }
  }

  /// Adds texts to the queue; `deliver` gets the answers, once, unless an error is thrown here.
  private func start(
    _ texts: [String], for caller: Caller, deliver: @escaping @Sendable (Result<[Classification], any Error>) -> Void
  ) throws {
    let rows = try texts.enumerated().map { index, text in
      try classifier.candidates(of: (text, []), at: texts.count == 1 ? "text" : "text \(index + 1)")
    }
    if rows.isEmpty { return deliver(.success([])) }
    let labels = labels, truncated = rows.map(\.isTruncated)
    let request = ScoringQueue.Request(rows, for: caller) { scores in
      deliver(
        scores.map { scores in
          scores.indices.map { Classification(scores[$0], labels: labels, isTruncated: truncated[$0]) }
        })
    }
    try scoring.add(request)
  }
}

extension TunedModel {
  private func refuseHead() throws {
    if classifier.hasHead {
      throw ContextTuningError(
        .input, "\(checkpoint): holds a classifier head, which has no tuned prompt to continue texts with")
    }
  }

  /// Continues a text; blocks the calling thread until it has ended.
  ///
  /// - Throws: ``ContextTuningError``.
  public func complete(_ prompt: String, options: CompletionOptions = CompletionOptions()) throws -> Completion {
    try refuseHead()
    try options.validate()
    let result = Monitor<Result<Completion, any Error>?>(nil)
    try ContextTuningError.wrapping {
      try completions.add(
        CompletionQueue.Request(prompt: prompt, options: options, caller: Caller()) { answer in
          result.change { $0 = answer }
        })
    }
    return try ContextTuningError.wrapping { try result.wait { $0 }.get() }
  }

  /// Continues a text.
  ///
  /// - Parameters:
  ///   - prompt: the text.
  ///   - options: how it is continued.
  ///   - deadline: when the text is of no use any more; nil: never.
  /// - Returns: the text that follows.
  /// - Throws: ``ContextTuningError``.
  public func complete(
    _ prompt: String, options: CompletionOptions = CompletionOptions(), deadline: ContinuousClock.Instant? = nil
  ) async throws -> Completion {
    try refuseHead()
    try options.validate()
    let caller = Caller(until: deadline)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        do {
          try completions.add(
            CompletionQueue.Request(prompt: prompt, options: options, caller: caller) { answer in
              continuation.resume(with: answer.mapError { ContextTuningError($0) })
            })
        } catch {
          continuation.resume(throwing: ContextTuningError(error))
        }
      }
    } onCancel: {
      caller.leave()
    }
  }
}
