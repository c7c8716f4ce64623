import Tuning

/// How a text is continued.
public struct CompletionOptions: Sendable {
  /// Most tokens to add.
  public var maxTokens = 64
  /// 0: the most probable token; above: sample, the more evenly the higher.
  public var temperature = 0.0
  /// Sample from this many of the most probable tokens; nil: from all.
  public var topK: Int?
  /// Sample from the fewest tokens with this total probability.
  public var topP = 1.0
  public var seed = 0
  /// The text ends before the first occurrence of one of these.
  public var stops: [String] = []
  /// Whether the prompt goes into the run's template, up to the label; otherwise it is used as it is.
  public var usesTemplate = true

  public init() {}
}

/// A continued text.
public struct Completion: Sendable, Equatable {
  /// Why a text has ended.
  public enum Reason: String, Sendable {
    /// The model ended it.
    case endOfText = "end_of_text"
    /// One of the texts to stop at.
    case stop
    case maxTokens = "max_tokens"
    /// The model has no positions left.
    case window
  }

  /// The text that follows the prompt.
  public let text: String
  /// Tokens of the prompt, without the context.
  public let promptTokens: Int
  /// Tokens that the model chose.
  public let tokens: Int
  public let reason: Reason
}

extension Completion.Reason {
  init(_ ending: TextGenerator.Ending) {
    self =
      switch ending {
      case .endOfText: .endOfText
      case .stop: .stop
      case .maxTokens: .maxTokens
      case .window: .window
      }
  }
}
