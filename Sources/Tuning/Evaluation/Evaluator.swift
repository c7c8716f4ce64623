import Kernels
import LanguageModel
import Method

/// Scores rows against prompts: a prompt's context once, then many rows at a time, each with all of its candidate labels.
package struct Evaluator {
  private let decoder: Decoder
  private let workspace: Workspace
  private let team: ThreadTeam

  package init(decoder: Decoder, workspace: Workspace, team: ThreadTeam) {
    self.decoder = decoder
    self.workspace = workspace
    self.team = team
  }

  /// Computes a prompt's context, whose keys and values are held until `body`, which scores rows over them, returns.
  package func withContext<Result>(
    of prompt: TunedPrompt, _ body: (ContextScorer) throws -> Result
  ) rethrows -> Result {
    try workspace.scoped {
      var tree = TokenTree()
      tree.append(.embeddings(Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.embeddings)))
      let pass = decoder.forward(tree, targets: [], keeping: 0, workspace: workspace, on: team)
      return try body(
        ContextScorer(
          contextCount: prompt.context.count, context: pass.kept, decoder: decoder, workspace: workspace, team: team))
    }
  }

  /// The log probability of every candidate label of every example; `progress` hears the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite.
  package func predict(
    _ examples: [EncodedExample], prompt: TunedPrompt, progress: (Int) -> Void = { _ in }
  ) throws -> [Prediction] {
    if examples.isEmpty { return [] }
    return try withContext(of: prompt) { try $0.predict(examples, progress: progress) }
  }
}

/// Scores rows behind a context that is computed already.
package struct ContextScorer {
  fileprivate let contextCount: Int
  fileprivate let context: Prefix?
  fileprivate let decoder: Decoder
  fileprivate let workspace: Workspace
  fileprivate let team: ThreadTeam

  /// A pack to fill with rows.
  package var emptyPack: CandidatePack { CandidatePack(contextCount: contextCount) }

  /// Scores the rows of a pack, in their order.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package func scores(of pack: CandidatePack) throws -> [CandidateScores] {
    try workspace.scoped {
      let pass = decoder.forward(
        pack.tree, targets: pack.targets, prefix: context, workspace: workspace, on: team)
      return try pack.scores(of: pass.scores)
    }
  }

  /// The log probability of every candidate label of every example; `progress` hears the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite.
  package func predict(
    _ examples: [EncodedExample], progress: (Int) -> Void = { _ in }
  ) throws -> [Prediction] {
    var predictions: [Prediction] = []
    var pack = emptyPack
    for (index, example) in examples.enumerated() {
      try pack.append(example.row)
      guard pack.isFull || index == examples.count - 1 else { continue }
      for scores in try scores(of: pack) {
        let example = examples[predictions.count]
        predictions.append(
          Prediction(place: example.place, text: example.row.text, candidates: scores, label: example.label))
      }
      pack = emptyPack
      progress(predictions.count)
    }
    return predictions
  }

  /// What scorings compare a row's log probabilities with, under this context.
  package func priors(of encoder: RowEncoder) -> LabelPriors {
    // An empty text has no score where the template leaves nothing before its label.
    let contentFree = encoder.characterCounts == nil ? nil : try? scores(ofTexts: LabelPriors.contentFreeTexts, encoder)
    return LabelPriors(characterCounts: encoder.characterCounts, contentFree: contentFree)
  }

  private func scores(ofTexts texts: [String], _ encoder: RowEncoder) throws -> [CandidateScores] {
    var pack = emptyPack
    for text in texts { try pack.append(encoder.candidates(of: text, at: "\"\(text)\"")) }
    return try scores(of: pack)
  }
}
