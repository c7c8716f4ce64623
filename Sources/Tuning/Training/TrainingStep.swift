import Collectives
import Kernels
import LanguageModel
import Method

/// One mathematical batch, forward and backward: the loss and its gradient with respect to the prompt.
package struct TrainingStep {
  package struct Result {
    package let loss: Double
    /// d loss / d prompt, [context tokens, width], row by row; not masked.
    package var gradient: [Float]
    /// The share of the examples' label tokens that are the model's most probable next token.
    package let labelAccuracy: Double
  }

  package let decoder: Decoder
  package let context: TypedTokens
  let loss: WeightedLoss
  let workspace: Workspace
  let team: ThreadTeam
  /// The ranks that each compute a share of a batch.
  let ranks: any Communicator

  package init(
    decoder: Decoder, context: TypedTokens, loss: WeightedLoss, workspace: Workspace, team: ThreadTeam,
    ranks: any Communicator = SoleRank.only
  ) {
    self.decoder = decoder
    self.context = context
    self.loss = loss
    self.workspace = workspace
    self.team = team
    self.ranks = ranks
  }

  /// Computes the batch by the plan; without `weights`, its examples weigh the same. With several ranks, each computes its
  /// share of the examples, and the loss and the gradient are the sums of theirs, added in the order of ranks.
  package func run(
    prompt: [Float], examples: [TypedTokens], weights: [Double]? = nil, plan: PackPlan
  ) -> Result {
    let rows = Matrix(rows: context.count, columns: decoder.width, values: prompt)
    let share = ranks.share(of: examples.count)
    var ofBatch = loss.weights(context: context, examples: examples, exampleWeights: weights)
    ofBatch.examples = Array(ofBatch.examples[share])
    // The context's labels count once.
    if ranks.rank > 0 { ofBatch.context = [] }
    return workspace.scoped {
      let (tally, gradient) = passes(
        over: rows, examples: Array(examples[share]), weights: ofBatch, plan: plan, workspace: workspace, on: team)
      sum(gradient, over: ranks, on: team)
      let tallies = ranks.gather([tally.loss, Double(tally.labels), Double(tally.hits)])
      let sums = (0..<3).map { index in tallies.reduce(0) { $0 + $1[index] } }
      return Result(
        loss: sums[0], gradient: gradient.values, labelAccuracy: sums[1] == 0 ? 0 : sums[2] / sums[1])
    }
  }

  /// Computes the batch over a part of the context: the tokens at these positions, ascending, one after the other.
  ///
  /// The gradient is [context tokens, width] all the same; that of the other tokens is zero.
  package func run(
    prompt: [Float], examples: [TypedTokens], weights: [Double]? = nil, plan: PackPlan, keeping kept: [Int]
  ) -> Result {
    if kept.count == context.count { return run(prompt: prompt, examples: examples, weights: weights, plan: plan) }
    let width = decoder.width
    func row(_ index: Int) -> Range<Int> { (index * width)..<((index + 1) * width) }
    let part = TrainingStep(
      decoder: decoder, context: context.keeping(kept), loss: loss, workspace: workspace, team: team,
      ranks: ranks)
    var result = part.run(
      prompt: kept.flatMap { prompt[row($0)] }, examples: examples, weights: weights, plan: plan)
    var gradient = [Float](repeating: 0, count: prompt.count)
    for (index, token) in kept.enumerated() { gradient.replaceSubrange(row(token), with: result.gradient[row(index)]) }
    result.gradient = gradient
    return result
  }

  /// The cost of a rank's share of a batch under the plan, over the whole context: at least that over a part of it.
  package func measure(examples: [TypedTokens], plan: PackPlan) -> Measurement {
    Measurement(threads: team.threads) { workspace, team in
      let rows = workspace.matrix(context.count, decoder.width)
      let weights = loss.weights(context: context, examples: examples)
      _ = passes(over: rows, examples: examples, weights: weights, plan: plan, workspace: workspace, on: team)
    }
  }

  /// The sums of the targets' scores.
  private struct Tally {
    var loss = 0.0
    var labels = 0
    var hits = 0

    mutating func add(_ scores: [TargetScore], _ targets: [Target], areLabels: [Bool]) {
      for (index, score) in scores.enumerated() {
        loss -= Double(targets[index].weight) * Double(score.logProbability)
        if areLabels[index] {
          labels += 1
          if score.isMostProbable { hits += 1 }
        }
      }
    }
  }

  /// Forward and backward of all packs: the scores, and the gradient of the prompt, [context tokens, width].
  ///
  /// The first pack is the context and the first examples. Later packs are examples over the context's stored keys and
  /// values. The gradients of these add up until the first pack's backward, which comes last.
  private func passes(
    over rows: Matrix, examples: [TypedTokens], weights: WeightedLoss.Weights, plan: PackPlan,
    workspace: Workspace, on team: ThreadTeam
  ) -> (tally: Tally, gradient: Matrix) {
    var tally = Tally()
    if examples.isEmpty {
      let gradient = workspace.matrix(rows.rows, rows.columns)
      fill(gradient, with: 0, on: team)
      return (tally, gradient)
    }
    let packs = plan.packs(of: examples.count)
    var tree = TokenTree()
    let root = tree.append(.embeddings(rows))
    var targets = weights.context.map {
      Target(row: $0.position - 1, token: context.ids[$0.position], weight: $0.weight)
    }
    var areLabels = targets.map { _ in false }
    // A label at the start of an example is predicted by the context's last token.
    for (example, weights) in zip(examples, weights.examples) {
      for label in weights where label.position == 0 {
        targets.append(Target(row: context.count - 1, token: example.ids[0], weight: label.weight))
        areLabels.append(true)
      }
    }
    let ofExamples = append(packs[0], of: examples, weights, to: &tree, parent: root)
    targets += ofExamples
    areLabels += ofExamples.map { _ in true }
    let first = decoder.forward(
      tree, targets: targets, retention: plan.retention, keepsRoot: packs.count > 1, workspace: workspace,
      on: team)
    tally.add(first.scores, targets, areLabels: areLabels)

    let later = first.kept?.zeroGradients(in: workspace, on: team)
    for pack in packs.dropFirst() {
      workspace.scoped {
        var tree = TokenTree(prefixLength: context.count)
        let targets = append(pack, of: examples, weights, to: &tree, parent: nil)
        let pass = decoder.forward(
          tree, targets: targets, prefix: first.kept, retention: plan.retention, workspace: workspace, on: team)
        decoder.backward(pass, prefixGradients: later, workspace: workspace, on: team)
        tally.add(pass.scores, targets, areLabels: targets.map { _ in true })
      }
    }
    let gradient = decoder.backward(first, fromLaterPacks: later, inputSegment: root, workspace: workspace, on: team)
    guard let gradient else { preconditionFailure("the context's gradient is asked for") }
    return (tally, gradient)
  }

  /// Adds examples as leaves, each up to the token before its last label: that label is only predicted, and nothing
  /// after it matters.
  private func append(
    _ pack: Range<Int>, of examples: [TypedTokens], _ weights: WeightedLoss.Weights, to tree: inout TokenTree,
    parent: Int?
  ) -> [Target] {
    var targets: [Target] = []
    for index in pack {
      let example = examples[index]
      guard let last = weights.examples[index].last?.position, last > 0 else { continue }
      let leaf = tree.append(.tokens(Array(example.ids[..<last])), parent: parent)
      let start = tree.segments[leaf].rows.lowerBound
      for label in weights.examples[index] where label.position > 0 {
        targets.append(
          Target(row: start + label.position - 1, token: example.ids[label.position], weight: label.weight))
      }
    }
    return targets
  }
}
