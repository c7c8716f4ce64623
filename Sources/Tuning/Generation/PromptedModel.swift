import Collectives
import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// A frozen model with a tuned prompt and its template: the parts of a run that new texts need.
package struct PromptedModel: Sendable {
  /// The source of a text to continue.
  package enum Source: Sendable {
    case flag
    case standardInput
    case request

    /// The error for a problem with the text.
    package func error(_ problem: String) -> InputError {
      switch self {
      case .flag: .usage("--prompt", problem)
      case .standardInput: .badData("standard input", problem)
      case .request: .badData("prompt", problem)
      }
    }
  }

  package let model: FrozenModel
  package let prompt: TunedPrompt
  private let base: TextModel
  private let tokenizer: Tokenizer
  private let encoder: ExampleEncoder
  /// The words of the labels, if the configuration lists them.
  private let labelWords: [String]
  /// Tokens that end a text.
  package let endTokens: Set<Int>

  /// Opens the model and tokenizer of a configuration, to compute with these threads.
  ///
  /// - Throws: `InputError` for anything missing or wrong.
  package init(_ configuration: Configuration, adapter: Adapter, team: ThreadTeam, ranks: Ranks = .sole) throws {
    base = try TextModel(configuration, for: .texts, team: team, ranks: ranks)
    guard let tokenizer = base.tokenizer, let encoder = base.exampleEncoder else {
      preconditionFailure("a model opened for texts has a tokenizer")
    }
    self.tokenizer = tokenizer
    self.encoder = encoder
    model = base.model
    prompt = try adapter.prompt(over: model.decoder)
    labelWords = configuration.data.labelWords?.map(\.word) ?? []
    endTokens = try base.specialTokens.endTokens(tokenizer: tokenizer)
  }

  /// The encoder of texts as rows with each of these labels, after the prompt.
  func rowEncoder(labels: [LabelWord], truncation: DataConfiguration.Truncation?) -> RowEncoder {
    base.rowEncoder(labels: labels, rows: [], contextCount: prompt.context.count, truncation: truncation)
  }

  /// Runs the model over the tuned prompt, or over nothing.
  package func start(usesContext: Bool) -> TextGenerator.Start {
    TextGenerator.Start(model.decoder, context: usesContext ? prompt : nil, on: base.team)
  }

  /// Runs the model over a text, to continue it.
  ///
  /// - Parameters:
  ///   - text: the text to continue.
  ///   - source: the source of the text.
  ///   - isRaw: whether to use the text alone, without the template up to the label.
  ///   - usesContext: whether the tuned prompt comes first.
  ///   - start: what `start` returned; nil: to be computed once the text is known to fit.
  ///   - settings: when to stop and how to choose tokens.
  /// - Returns: the text that follows, before its first token.
  /// - Throws: `InputError` when the text is empty, or too long for the model's positions.
  package func generator(
    after text: String, from source: Source, isRaw: Bool, usesContext: Bool, start: TextGenerator.Start? = nil,
    settings: TextGenerator.Settings
  ) throws -> TextGenerator {
    let ids = try tokens(of: text, from: source, isRaw: isRaw, usesContext: usesContext)
    let contextCount = usesContext ? prompt.context.count : 0, length = contextCount + ids.count
    let decoder = model.decoder
    if let positions = decoder.maximumPositions, length > positions {
      throw source.error(
        usesContext
          ? "context (\(contextCount) tokens) and prompt (\(ids.count)) need \(length) positions, the model has "
            + "\(positions); shorten the prompt"
          : "takes \(ids.count) tokens, the model has \(positions) positions; shorten it")
    }
    return TextGenerator(
      after: start ?? self.start(usesContext: usesContext), prompt: ids, tokenizer: tokenizer, endTokens: endTokens,
      settings: settings)
  }

  /// The tokens of a text, without the context.
  package func tokens(of text: String, from source: Source, isRaw: Bool, usesContext: Bool) throws -> [Int] {
    let isEnough = isRaw ? usesContext || !text.isEmpty : text.contains { !$0.isWhitespace }
    guard isEnough else { throw source.error("the text is empty") }
    guard isRaw || encoder.fieldCount == 1 else {
      throw source.error(
        "is one text, and template.input takes \(encoder.fieldCount) columns; write the whole prompt and use --raw")
    }
    let ids =
      try (usesContext ? [] : encoder.beginning)
      + (isRaw ? tokenizer.encode(text).map(\.id) : encoder.prompt(text: text, labels: labelWords))
    if let id = ids.first(where: { $0 >= model.decoder.vocabularySize }) {
      throw source.error("token id \(id) is outside the model's vocabulary of \(model.decoder.vocabularySize)")
    }
    guard usesContext || !ids.isEmpty else { throw source.error("the tokenizer has no token for any of it") }
    return ids
  }
}
