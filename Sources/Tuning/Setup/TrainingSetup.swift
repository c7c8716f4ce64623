import Collectives
import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// The parts of a training run: the model, the rows, and the initial prompt.
package struct TrainingSetup: Sendable {
  /// The configuration as its method uses it, with the labels found in the data.
  package let configuration: Configuration
  package let model: FrozenModel
  /// nil if rows come as tokens and there is no tokenizer.
  package let tokenizer: Tokenizer?
  package let rows: TrainingRows
  package let context: Context
  /// The places of the rows in the context whose text was truncated to fit the model.
  let truncatedContext: [String]
  package let encoder: RowEncoder
  package let team: ThreadTeam
  package let ranks: Ranks
  /// Bytes that the program and the tokenizer hold.
  private let heldBytes: Int
  /// The prompt training starts from.
  package let startingPrompt: TunedPrompt

  /// Opens the files of a configuration.
  ///
  /// - Throws: `InputError` for anything missing or wrong.
  package init(_ configuration: Configuration, team: ThreadTeam, ranks: Ranks = .sole) throws {
    var configuration = configuration.applyingMethod()
    let adapter = try configuration.initialAdapter.map { try Adapter(folder: $0) }
    try adapter?.refuseHead(for: "\"initial_adapter\"")
    let given =
      adapter?.context
      ?? configuration.tokenIDs.map {
        Context(tokenIDs: $0, mask: configuration.mask, types: configuration.tokenTypes)
      }
    let seed = configuration.training.seed, method = configuration.training.method
    let showsExamples = configuration.showsExamples
    var data = configuration.data
    // A row that sees itself in the context sees its label.
    if method == .head, showsExamples, data.trainOn == .all { data.trainOn = .rest }
    let rows = try TrainingRows(data, seed: seed, drawsContext: given == nil, showsContext: showsExamples)
    if configuration.data.labelWords == nil, !rows.labels.isEmpty { configuration.data.labelWords = rows.labels }
    let source = try TextModel(configuration, for: rows.all.holdText ? .examples : .tokens, team: team, ranks: ranks)
    let decoder = source.model.decoder
    func rowEncoder(contextCount: Int) -> RowEncoder {
      source.rowEncoder(
        labels: rows.labels, rows: rows.all, contextCount: contextCount,
        truncation: configuration.data.truncation)
    }
    var truncatedContext: [String] = []
    func examplesInContext() throws -> Context {
      guard showsExamples else { return Context(examples: [], beginning: source.exampleEncoder?.beginning ?? []) }
      let beginning = source.exampleEncoder?.beginning ?? []
      var found = try rowEncoder(contextCount: 0).tokens(of: rows.context)
      // Of a context without room for a row, the longest texts are cut until it takes half of the positions.
      if configuration.data.truncation != nil, let positions = decoder.maximumPositions,
        beginning.count + found.tokens.reduce(0, { $0 + $1.count }) >= positions
      {
        let ends = found.tokens.reduce(0) { $0 + $1.count - $1.computedCount }
        let longest = largest(
          of: found.tokens.map(\.computedCount), takingTogether: positions / 2 - beginning.count - ends)
        found = try rowEncoder(contextCount: positions - longest).tokens(of: rows.context)
      }
      truncatedContext = found.truncated
      return Context(examples: found.tokens, beginning: beginning)
    }
    let context: Context
    if method.trainsVirtualTokens {
      let virtual = try configuration.promptTuning.tokens(
        vocabularySize: decoder.vocabularySize, maximumPositions: decoder.maximumPositions ?? .max,
        tokenizer: source.tokenizer, seed: seed)
      let examples = try showsExamples ? given ?? examplesInContext() : examplesInContext()
      context = Context(virtualTokens: virtual, before: examples.tokens)
    } else if !showsExamples {
      context = try source.markerContext()
    } else {
      context = try given ?? examplesInContext()
    }
    try context.validate(
      vocabularySize: decoder.vocabularySize, maximumPositions: decoder.maximumPositions ?? .max,
      place: adapter?.folder
        ?? (method.trainsVirtualTokens
          ? "prompt_tuning.num_virtual_tokens" : given == nil ? "data.context_examples" : "cpt_token_ids"))
    if let claimed = configuration.virtualTokens, given == nil, claimed != context.count {
      throw InputError.badData(
        "num_virtual_tokens", "is \(claimed), the context built from examples has \(context.count)")
    }
    self.truncatedContext = truncatedContext
    let untrained = TunedPrompt(context: context, decoder: decoder, radii: configuration.projection)
    self.configuration = configuration
    self.rows = rows
    self.context = context
    self.team = team
    self.ranks = ranks
    model = source.model
    tokenizer = source.tokenizer
    heldBytes = source.heldBytes
    encoder = rowEncoder(contextCount: context.count)
    startingPrompt = try adapter?.prompt(over: untrained) ?? untrained
  }

  /// Bytes that the process holds besides weights and what passes compute, with these examples of its rows; estimated.
  func heldBytes(_ examples: [TypedTokens]) -> Int {
    // A row's text and the objects around it; an id and a type for each token (measured).
    heldBytes + 300 * rows.all.count + examples.reduce(0) { $0 + 20 * $1.ids.count }
  }

  /// The rows of a split as evaluation uses them.
  ///
  /// - Throws: `InputError.badData` naming the row.
  package func examples(of split: Split) throws -> [EncodedExample] { try encoder.examples(of: rows[split]) }
}

/// The largest limit so that lengths, each cut to it, are together at most a sum; at least 1.
private func largest(of lengths: [Int], takingTogether sum: Int) -> Int {
  var left = sum
  for (index, length) in lengths.sorted().enumerated() {
    let share = left / (lengths.count - index)
    if length > share { return max(1, share) }
    left -= length
  }
  return max(1, lengths.max() ?? 1)
}
