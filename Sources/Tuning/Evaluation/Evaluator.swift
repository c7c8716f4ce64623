import Collectives
import Kernels
import LanguageModel
import Method

/// Scores rows with a prompt: computes its context once, then many rows at a time, each with all candidate labels.
package struct Evaluator {
  private let decoder: Decoder
  private let workspace: Workspace
  private let team: ThreadTeam
  /// Those of one data group compute other packs than those of another.
  private let ranks: Ranks
  /// Maximum tokens of the rows that are scored together.
  let packTokens: Int
  /// Predicts labels from hidden states, instead of the probabilities of their words.
  var head: ClassifierHead?

  /// Tokens of the rows that are scored together, and smaller numbers for a memory limit.
  static let packSizes = [1024, 256, 64, 1]

  package init(
    decoder: Decoder, workspace: Workspace, team: ThreadTeam, ranks: Ranks = .sole, packTokens: Int = packSizes[0],
    head: ClassifierHead? = nil
  ) {
    self.decoder = decoder
    self.head = head
    self.workspace = workspace
    self.team = team
    self.ranks = ranks
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
          over: rows, packTokens: packTokens, head: head, decoder: decoder, workspace: workspace, team: team,
          ranks: ranks))
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
        over: rows, packTokens: packTokens, head: nil, decoder: decoder, workspace: workspace, team: team, ranks: ranks)
      try scorer.forEachRound(of: examples, from: scorer.emptyPack(endsBeforeLabels: readsStates)) { packs in
        for pack in scorer.own(packs) {
          workspace.scoped { if readsStates { _ = scorer.hiddenStates(pack) } else { _ = scorer.forward(pack) } }
        }
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
      try scorer.forEachRound(of: examples, from: scorer.emptyPack(endsBeforeLabels: true)) { packs in
        guard isComplete else { return }
        let own = scorer.own(packs).flatMap { pack in workspace.scoped { scorer.hiddenStates(pack).values } }
        states += ranks.data.gather(own).flatMap { $0 }
        isComplete = try ranks.all.all(goesOn(states.count / decoder.hiddenWidth))
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
  fileprivate let ranks: Ranks

  /// Computes the context. rows: its embeddings, [tokens, width].
  fileprivate init(
    over rows: Matrix, packTokens: Int, head: ClassifierHead?, decoder: Decoder, workspace: Workspace, team: ThreadTeam,
    ranks: Ranks
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
    self.ranks = ranks
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

  /// Scores the rows of packs, in their order: each rank computes one pack, and all get the scores. All ranks call it, with
  /// the same packs.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  package func scores(of packs: [CandidatePack]) throws -> [CandidateScores] {
    let own = try own(packs).map(scores(of:))
    if ranks.data.size == 1 { return own.flatMap { $0 } }
    // For each row, the number of candidates, and of each its log-probability and its number of tokens.
    let numbers = own.joined().flatMap { row in
      [Double(row.logProbabilities.count)] + row.logProbabilities + row.tokenCounts.map(Double.init)
    }
    return ranks.data.gather(numbers).flatMap { numbers in
      var rest = numbers[...], rows: [CandidateScores] = []
      while let count = rest.popFirst().map({ Int($0) }) {
        rows.append(
          CandidateScores(
            logProbabilities: Array(rest.prefix(count)),
            tokenCounts: rest.dropFirst(count).prefix(count).map { Int($0) }))
        rest = rest.dropFirst(2 * count)
      }
      return rows
    }
  }

  /// Those of at most as many packs as ranks that this rank computes.
  fileprivate func own(_ packs: [CandidatePack]) -> [CandidatePack] {
    precondition(packs.count <= ranks.data.size, "each rank has one pack of a round")
    return ranks.data.rank < packs.count ? [packs[ranks.data.rank]] : []
  }

  fileprivate func forward(_ pack: CandidatePack) -> ForwardPass {
    decoder.forward(pack.tree, targets: pack.targets, prefix: context, workspace: workspace, on: team)
  }

  fileprivate func hiddenStates(_ pack: CandidatePack) -> Matrix {
    decoder.hiddenStates(of: pack.tree, rows: pack.lastRows, prefix: context, workspace: workspace, on: team)
  }

  /// Calls `body` with the rows of examples, a pack for each rank at a time. The packs are the same for any number of ranks.
  fileprivate func forEachRound(
    of examples: [EncodedExample], from emptyPack: CandidatePack, _ body: ([CandidatePack]) throws -> Void
  ) throws {
    var pack = emptyPack, packs: [CandidatePack] = []
    for (index, example) in examples.enumerated() {
      try pack.append(example.row)
      let isLast = index == examples.count - 1
      guard pack.isFull || isLast else { continue }
      packs.append(pack)
      pack = emptyPack
      guard packs.count == ranks.data.size || isLast else { continue }
      try body(packs)
      packs = []
    }
  }

  /// The log probability of every candidate label of every example; `progress` gets the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite; what
  ///   `progress` throws.
  package func predict(
    _ examples: [EncodedExample], progress: (Int) throws -> Void = { _ in }
  ) throws -> [Prediction] {
    var predictions: [Prediction] = []
    try forEachRound(of: examples, from: emptyPack) { packs in
      for scores in try scores(of: packs) {
        let example = examples[predictions.count]
        predictions.append(
          Prediction(place: example.place, text: example.row.text, candidates: scores, label: example.label))
      }
      try progress(predictions.count)
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
