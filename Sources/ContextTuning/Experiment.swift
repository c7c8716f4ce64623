import FileFormats
import Kernels
import LanguageModel
import Tokenization

/// Everything a configuration names, opened: model, tokenizer, data, and the context made from them.
public struct Experiment: Sendable {
  /// The configuration, the labels found in the data filled in.
  public let configuration: Configuration
  public let model: FrozenModel
  /// Absent when data and context come as tokens and the folder has no tokenizer.
  public let tokenizer: Tokenizer?
  public let dataset: Dataset
  public let context: Context
  public let encoder: RowEncoder
  public let team: ThreadTeam
  /// The prompt training starts from.
  public let startingPrompt: TunedPrompt

  /// Opens what a configuration names.
  ///
  /// - Parameters:
  ///   - configuration: what to open.
  ///   - adapter: the adapter whose tokens are the context, in place of those the configuration would give.
  ///   - split: the only split whose rows are wanted; nil for a training run.
  ///   - team: the threads to compute with.
  /// - Throws: `InputError` for whatever is missing or wrong.
  public init(
    _ configuration: Configuration, adapter: Adapter? = nil, evaluating split: Dataset.Split? = nil, team: ThreadTeam
  ) throws {
    var configuration = configuration.applyingMethod()
    self.team = team
    guard let folder = configuration.baseModel else {
      throw InputError.badData("base_model_name_or_path", "is missing: expected the folder of a Hugging Face model")
    }
    model = try FrozenModel(folder: folder, quantizing: configuration.model.weights == .q8 ? team : nil)
    let width = model.decoder.width
    if let claimed = configuration.tokenDimension, claimed != width {
      throw InputError.badData(
        "token_dim", "is \(claimed), the model in \(folder) is \(width) wide; is it the right model?")
    }
    let adapter = try adapter ?? configuration.initialAdapter.map { try Adapter(folder: $0) }
    let given =
      adapter?.context
      ?? configuration.tokenIDs.map {
        Context(tokenIDs: $0, mask: configuration.mask, types: configuration.tokenTypes)
      }
    let seed = configuration.training.seed, method = configuration.training.method
    let dataset =
      if let split {
        try Dataset(forEvaluation: configuration.data, seed: seed, split: split)
      } else {
        try Dataset(
          forTraining: configuration.data, seed: seed, drawsContext: given == nil, showsContext: method.showsExamples)
      }
    self.dataset = dataset
    if !dataset.labels.isEmpty { configuration.data.labelWords = dataset.labels }
    self.configuration = configuration

    let rows = dataset.context + dataset.training + dataset.validation + dataset.test
    let hasText = rows.contains { if case .text = $0.content { true } else { false } }
    let tokenizerFolder = configuration.tokenizer ?? folder
    let hasTokenizer = ["tokenizer.json", "vocab.json"].contains { fileExists(tokenizerFolder + "/" + $0) }
    tokenizer = hasText || hasTokenizer ? try Tokenizer(folder: tokenizerFolder) : nil
    let template = configuration.template
    let exampleEncoder = try tokenizer.map { tokenizer in
      try ExampleEncoder(
        template: template, tokenizer: tokenizer,
        endOfText: template.addsEndOfText && hasText
          ? SpecialToken.endOfText.id(tokenizer: tokenizer, folder: tokenizerFolder, modelFolder: folder) : nil,
        beginningOfText: template.addsBeginningOfText && hasText
          ? SpecialToken.beginningOfText.id(tokenizer: tokenizer, folder: tokenizerFolder, modelFolder: folder) : nil)
    }
    let positions = model.decoder.maximumPositions ?? .max, vocabularySize = model.decoder.vocabularySize
    let labels = dataset.labels
    let truncates = configuration.data.truncatesText
    func rowEncoder(contextCount: Int) -> RowEncoder {
      RowEncoder(
        labels: labels, rows: rows, encoder: exampleEncoder, vocabularySize: vocabularySize,
        maximumPositions: positions,
        contextCount: contextCount, truncatesText: truncates)
    }
    func examplesInContext() throws -> Context {
      let alone = rowEncoder(contextCount: 0)
      let examples = try method.showsExamples ? dataset.context.map(alone.tokens) : []
      return Context(examples: examples, beginning: exampleEncoder?.beginning ?? [])
    }
    if method.trainsVirtualTokens, adapter == nil {
      let virtual = try configuration.promptTuning.tokens(
        vocabularySize: vocabularySize, tokenizer: tokenizer, seed: seed)
      let examples = try method.showsExamples ? given ?? examplesInContext() : examplesInContext()
      context = Context(virtualTokens: virtual, before: examples.tokens)
    } else {
      context = try given ?? examplesInContext()
    }
    try context.validate(
      vocabularySize: vocabularySize, maximumPositions: positions,
      place: adapter?.folder
        ?? (method.trainsVirtualTokens
          ? "prompt_tuning.num_virtual_tokens" : given == nil ? "data.context_examples" : "cpt_token_ids"))
    if let claimed = configuration.virtualTokens, given == nil, claimed != context.count {
      throw InputError.badData(
        "num_virtual_tokens", "is \(claimed), the context built from examples has \(context.count)")
    }
    encoder = rowEncoder(contextCount: context.count)
    let untrained = TunedPrompt(context: context, decoder: model.decoder, radii: configuration.projection)
    startingPrompt = try adapter?.prompt(over: untrained) ?? untrained
  }

  /// The rows of a split as evaluation sees them.
  ///
  /// - Throws: `InputError.badData` naming the row.
  public func examples(of split: Dataset.Split) throws -> [EncodedExample] {
    let examples = try dataset[split].map(encoder.example)
    if let first = examples.first { try encoder.refuseLabelsThatBeginOthers(in: first.row) }
    return examples
  }
}
