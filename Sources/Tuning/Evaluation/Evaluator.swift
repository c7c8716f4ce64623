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
  /// Predicts labels from hidden states, instead of the probabilities of their words.
  var head: ClassifierHead?

  /// Tokens of the rows that are scored together, and smaller numbers for a memory limit.
  static let packSizes = [1024, 256, 64, 1]

  package init(
    decoder: Decoder, workspace: Workspace, team: ThreadTeam, packTokens: Int = packSizes[0],
    head: ClassifierHead? = nil
  ) {
    self.decoder = decoder
    self.head = head
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
      try body(
        ContextScorer(
          over: rows, packTokens: packTokens, head: head, decoder: decoder, workspace: workspace, team: team))
    }
  }

  /// The cost of predicting some examples after a context of this many tokens, by their words or from hidden states.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label.
  package func measure(
    _ examples: [EncodedExample], contextCount: Int, readsStates: Bool = false
  ) throws -> Measurement {
    try Measurement(threads: team.threads) { workspace, team in
      let rows = workspace.matrix(contextCount, decoder.width)
      let scorer = ContextScorer(
        over: rows, packTokens: packTokens, head: nil, decoder: decoder, workspace: workspace, team: team)
      try scorer.forEachPack(of: examples, from: scorer.emptyPack(endsBeforeLabels: readsStates)) { pack in
        workspace.scoped { if readsStates { _ = scorer.hiddenStates(pack) } else { _ = scorer.forward(pack) } }
      }
    }
  }

  /// The hidden state of the token before each example's label, [examples, width], row by row.
  ///
  /// - Parameters:
  ///   - examples: the rows.
  ///   - prompt: the context before them.
  ///   - goesOn: gets the number of examples done; false ends it.
  /// - Returns: nil if `goesOn` ended it.
  /// - Throws: `InputError.badData` naming an example that starts with its label.
  func hiddenStates(
    of examples: [EncodedExample], prompt: TunedPrompt, goesOn: (Int) throws -> Bool
  ) throws -> [Float]? {
    try withContext(of: prompt) { scorer in
      var states: [Float] = []
      var isComplete = true
      try scorer.forEachPack(of: examples, from: scorer.emptyPack(endsBeforeLabels: true)) { pack in
        guard isComplete else { return }
        states += workspace.scoped { scorer.hiddenStates(pack).values }
        isComplete = try goesOn(states.count / decoder.hiddenWidth)
      }
      return isComplete ? states : nil
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
  fileprivate let head: ClassifierHead?
  fileprivate let decoder: Decoder
  fileprivate let workspace: Workspace
  fileprivate let team: ThreadTeam

  /// Computes the context. rows: its embeddings, [tokens, width].
  fileprivate init(
    over rows: Matrix, packTokens: Int, head: ClassifierHead?, decoder: Decoder, workspace: Workspace, team: ThreadTeam
  ) {
    var tree = TokenTree()
    tree.append(.embeddings(rows))
    contextCount = rows.rows
    self.packTokens = packTokens
    self.head = head
    context = decoder.forward(tree, targets: [], keepsRoot: true, workspace: workspace, on: team).kept
    self.decoder = decoder
    self.workspace = workspace
    self.team = team
  }

  /// An empty pack for rows.
  package var emptyPack: CandidatePack { emptyPack(endsBeforeLabels: head != nil) }

  fileprivate func emptyPack(endsBeforeLabels: Bool) -> CandidatePack {
    CandidatePack(contextCount: contextCount, tokens: packTokens, endsBeforeLabels: endsBeforeLabels)
  }

  /// Scores the rows of a pack, in their order.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package func scores(of pack: CandidatePack) throws -> [CandidateScores] {
    try workspace.scoped {
      if let head {
        try pack.scores(of: hiddenStates(pack), by: head)
      } else {
        try pack.scores(of: forward(pack).scores)
      }
    }
  }

  fileprivate func forward(_ pack: CandidatePack) -> ForwardPass {
    decoder.forward(pack.tree, targets: pack.targets, prefix: context, workspace: workspace, on: team)
  }

  fileprivate func hiddenStates(_ pack: CandidatePack) -> Matrix {
    decoder.hiddenStates(of: pack.tree, rows: pack.lastRows, prefix: context, workspace: workspace, on: team)
  }

  /// Calls `body` with the rows of examples, pack by pack.
  fileprivate func forEachPack(
    of examples: [EncodedExample], from emptyPack: CandidatePack, _ body: (CandidatePack) throws -> Void
  ) throws {
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
    try forEachPack(of: examples, from: emptyPack) { pack in
      for scores in try scores(of: pack) {
        let example = examples[predictions.count]
        predictions.append(
          Prediction(place: example.place, text: example.row.text, candidates: scores, label: example.label))
      }
      progress(predictions.count)
    }
    return predictions
  }

  /// The references of the scorings under this context; a head has none, since it does not read the labels' words.
  package func priors(of encoder: RowEncoder) -> LabelPriors {
    if head != nil { return LabelPriors(characterCounts: nil, contentFree: nil) }
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
