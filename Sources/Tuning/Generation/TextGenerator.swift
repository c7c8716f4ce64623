import Diagnostics
import Kernels
import LanguageModel
import Method
import Tokenization

/// A text that a model continues token by token.
package struct TextGenerator {
  /// When to stop, and how tokens are chosen.
  package struct Settings: Sendable {
    package var maxTokens = 64
    package var sampling = Sampling()
    /// The text ends before the first occurrence of one of these.
    package var stops: [String] = []

    package init() {}
  }

  /// Why a text has ended.
  package enum Ending: String, Sendable {
    /// The model chose an end token.
    case endOfText = "end_of_text"
    /// One of the texts to stop at.
    case stop
    case maxTokens = "max_tokens"
    /// The model has no positions left.
    case window
  }

  /// The tokens chosen, including one that ended the text.
  package private(set) var tokens: [Int] = []
  /// The model's log-probability of each, in nats, before temperature.
  package private(set) var logProbabilities: [Float] = []
  /// The text so far: the pieces joined.
  package private(set) var text = ""
  /// Why the text has ended; nil before.
  package private(set) var ending: Ending?

  private let maxTokens: Int
  private let maximumPositions: Int
  private let endTokens: Set<Int>
  private var continuation: Continuation
  private var sampler: Sampler
  private var words: TextStream
  private var upToStop: TextUpToStop
  /// The log-probability of every token to come next.
  private var distribution: [Float]

  /// What comes before a prompt: nothing, or a context that the model has run over.
  package struct Start {
    fileprivate let continuation: Continuation
    fileprivate let distribution: [Float]
    fileprivate let ids: [Int]
    fileprivate let maximumPositions: Int

    /// Runs the model over a context, if there is one.
    package init(_ decoder: Decoder, context: TunedPrompt?, on team: ThreadTeam) {
      var continuation = Continuation(decoder, on: team)
      distribution =
        context.map { context in
          continuation.append(
            .embeddings(Matrix(rows: context.context.count, columns: context.width, values: context.embeddings)))
        } ?? []
      self.continuation = continuation
      ids = context?.context.tokens.ids ?? []
      maximumPositions = decoder.maximumPositions ?? .max
    }
  }

  /// Runs the model over a prompt.
  ///
  /// - Parameters:
  ///   - start: what comes before the prompt; it can begin other texts, too.
  ///   - prompt: the tokens to continue.
  ///   - tokenizer: turns tokens into text.
  ///   - endTokens: the tokens that end a text.
  ///   - settings: when to stop and how to choose.
  /// - Precondition: start and prompt hold a token, and fit the model's positions.
  package init(
    after start: Start, prompt: [Int], tokenizer: Tokenizer, endTokens: Set<Int>, settings: Settings
  ) {
    let length = start.ids.count + prompt.count
    maximumPositions = start.maximumPositions
    precondition(length > 0 && length <= maximumPositions && settings.maxTokens > 0)
    maxTokens = settings.maxTokens
    self.endTokens = endTokens
    sampler = Sampler(settings.sampling)
    words = TextStream(tokenizer)
    // Some tokenizers write a text's first token differently: the tokens before it matter.
    for id in (start.ids + prompt).suffix(8) { _ = words.append(id) }
    upToStop = TextUpToStop(settings.stops)
    continuation = start.continuation.copied()
    distribution = prompt.isEmpty ? start.distribution : continuation.append(.tokens(prompt))
  }

  /// Chooses the next token and returns the text that is now final, often none; nil when the text has ended.
  ///
  /// - Throws: `InputError.failure` when the model's probabilities are not finite.
  package mutating func next() throws -> String? {
    if ending != nil { return nil }
    if let last = tokens.last { distribution = continuation.append(.tokens([last])) }
    guard !distribution.contains(where: \.isNaN) else {
      throw InputError.failure(
        "", "the model's probabilities are not finite; check its weights, and that it is the adapter's model")
    }
    let token = sampler.next(distribution)
    tokens.append(token)
    logProbabilities.append(distribution[token])
    var piece = ""
    if endTokens.contains(token) {
      ending = .endOfText
    } else {
      piece = upToStop.append(words.append(token))
      if tokens.count == maxTokens {
        ending = .maxTokens
      } else if continuation.length == maximumPositions {
        ending = .window
      }
    }
    if ending != nil { piece += upToStop.append(words.finish()) }
    if upToStop.isAtStop { ending = .stop }
    if ending != nil { piece += upToStop.finish() }
    text += piece
    return piece
  }
}
