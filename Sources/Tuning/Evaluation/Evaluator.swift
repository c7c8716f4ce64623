import Kernels
import LanguageModel
import Method

/// Scores rows with a prompt: computes its context once, then many rows at a time, each with all candidate labels.
package struct Evaluator {
  private let decoder: Decoder
  private let workspace: Workspace
  private let team: ThreadTeam
  /// Maximum tokens of the rows that are scored together.
  let packTokens: Int

  /// Tokens of the rows that are scored together, and smaller numbers for a memory limit.
  static let packSizes = [1024, 256, 64, 1]

  package init(decoder: Decoder, workspace: Workspace, team: ThreadTeam, packTokens: Int = packSizes[0]) {
    self.decoder = decoder
    self.workspace = workspace
    self.team = team
    self.packTokens = packTokens
  }

  /// Computes a prompt's context and holds its keys and values while `body` scores rows over them.
  package func withContext<Result>(
    of prompt: TunedPrompt, _ body: (ContextScorer) throws -> Result
  ) rethrows -> Result {
    let rows = Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.embeddings)
    return try workspace.scoped {
      try body(ContextScorer(over: rows, packTokens: packTokens, decoder: decoder, workspace: workspace, team: team))
    }
  }

  /// The cost of predicting some examples after a context of this many tokens.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label.
  package func measure(_ examples: [EncodedExample], contextCount: Int) throws -> Measurement {
    try Measurement(threads: team.threads) { workspace, team in
      let rows = workspace.matrix(contextCount, decoder.width)
      let scorer = ContextScorer(over: rows, packTokens: packTokens, decoder: decoder, workspace: workspace, team: team)
      try scorer.forEachPack(of: examples) { pack in workspace.scoped { _ = scorer.forward(pack) } }
    }
  }

  /// The log probability of every candidate label of every example; `progress` gets the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite.
  package func predict(
    _ examples: [EncodedExample], prompt: TunedPrompt, progress: (Int) -> Void = { _ in }
  ) throws -> [Prediction] {
    if examples.isEmpty { return [] }
    return try withContext(of: prompt) { try $0.predict(examples, progress: progress) }
  }
}

/// Scores rows after a context that is already computed.
package struct ContextScorer {
  fileprivate let contextCount: Int
  fileprivate let packTokens: Int
  fileprivate let context: Prefix?
  fileprivate let decoder: Decoder
  fileprivate let workspace: Workspace
  fileprivate let team: ThreadTeam

  /// Computes the context. rows: its embeddings, [tokens, width].
  fileprivate init(over rows: Matrix, packTokens: Int, decoder: Decoder, workspace: Workspace, team: ThreadTeam) {
    var tree = TokenTree()
    tree.append(.embeddings(rows))
    contextCount = rows.rows
    self.packTokens = packTokens
    context = decoder.forward(tree, targets: [], keepsRoot: true, workspace: workspace, on: team).kept
    self.decoder = decoder
    self.workspace = workspace
    self.team = team
  }

  /// An empty pack for rows.
  package var emptyPack: CandidatePack { CandidatePack(contextCount: contextCount, tokens: packTokens) }

  /// Scores the rows of a pack, in their order.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package func scores(of pack: CandidatePack) throws -> [CandidateScores] {
    try workspace.scoped { try pack.scores(of: forward(pack).scores) }
  }

  fileprivate func forward(_ pack: CandidatePack) -> ForwardPass {
    decoder.forward(pack.tree, targets: pack.targets, prefix: context, workspace: workspace, on: team)
  }

  /// Calls `body` with the rows of examples, pack by pack.
  fileprivate func forEachPack(of examples: [EncodedExample], _ body: (CandidatePack) throws -> Void) throws {
    var pack = emptyPack
    for (index, example) in examples.enumerated() {
      try pack.append(example.row)
      guard pack.isFull || index == examples.count - 1 else { continue }
      try body(pack)
      pack = emptyPack
    }
  }

  /// The log probability of every candidate label of every example; `progress` gets the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite.
  package func predict(
    _ examples: [EncodedExample], progress: (Int) -> Void = { _ in }
  ) throws -> [Prediction] {
    var predictions: [Prediction] = []
    try forEachPack(of: examples) { pack in
      for scores in try scores(of: pack) {
        let example = examples[predictions.count]
        predictions.append(
          Prediction(place: example.place, text: example.row.text, candidates: scores, label: example.label))
      }
      progress(predictions.count)
    }
    return predictions
  }

  /// The references of the scorings under this context.
  package func priors(of encoder: RowEncoder) -> LabelPriors {
    // An empty text has no score if the template puts nothing before its label.
    let contentFree = encoder.characterCounts == nil ? nil : try? scores(ofTexts: LabelPriors.contentFreeTexts, encoder)
    return LabelPriors(characterCounts: encoder.characterCounts, contentFree: contentFree)
  }

  private func scores(ofTexts texts: [String], _ encoder: RowEncoder) throws -> [CandidateScores] {
    var pack = emptyPack
    for text in texts { try pack.append(encoder.candidates(of: text, at: "\"\(text)\"")) }
    return try scores(of: pack)
  }
}
