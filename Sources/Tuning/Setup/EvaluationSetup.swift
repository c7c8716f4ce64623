import Collectives
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// The parts of an evaluation: the model, the prompt, and the labelled rows of a split.
package struct EvaluationSetup: Sendable {
  /// The configuration as its method uses it, with the labels found in the data.
  package let configuration: Configuration
  package let model: FrozenModel
  /// nil if rows come as tokens and there is no tokenizer.
  package let tokenizer: Tokenizer?
  package let encoder: RowEncoder
  package let examples: [EncodedExample]
  /// Rows of the split's files that were left out.
  package let skipped: SkippedRows
  package let prompt: TunedPrompt
  /// The classifier of the method `head`.
  package let head: ClassifierHead?
  package let team: ThreadTeam
  package let ranks: Ranks

  /// Whether the untrained prompt without the classifier is in-context learning, to compare with: it then consists of
  /// examples.
  package var hasInContextLearning: Bool {
    configuration.training.method == .cpt || (head != nil && configuration.showsExamples)
  }

  /// Opens the files of a configuration.
  ///
  /// - Throws: `InputError` for anything missing or wrong.
  package init(
    _ configuration: Configuration, adapter: Adapter, split: Split, team: ThreadTeam, ranks: Ranks = .sole
  ) throws {
    var configuration = configuration.applyingMethod()
    let rows = try EvaluationRows(configuration.data, seed: configuration.training.seed, split: split)
    if configuration.data.labelWords == nil, !rows.labels.isEmpty { configuration.data.labelWords = rows.labels }
    let source = try TextModel(configuration, for: rows.all.holdText ? .texts : .tokens, team: team, ranks: ranks)
    prompt = try adapter.prompt(over: source.model.decoder, radii: configuration.projection)
    encoder = source.rowEncoder(
      labels: rows.labels, rows: rows.all, contextCount: prompt.context.count,
      truncation: configuration.data.truncation)
    head = try adapter.head(
      for: configuration.training.method, labels: encoder.labelNames, decoder: source.model.decoder)
    examples = try encoder.examples(of: rows.split)
    skipped = rows.skipped
    self.configuration = configuration
    self.team = team
    self.ranks = ranks
    model = source.model
    tokenizer = source.tokenizer
  }
}
