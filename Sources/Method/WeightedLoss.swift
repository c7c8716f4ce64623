/// The loss over label tokens of context and example; later tokens have more weight.
///
/// Σ weight · cross entropy / number of label tokens, over every row "context then example" of a batch. Label tokens of
/// the last group (the example's) have weight 1, the group before f, then f², …; all have 1 without decay.
/// Source: PEFT, `CPTEmbedding.calculate_loss`.
///
/// With a weight wᵢ for each example, its row counts wᵢ times: Σᵢ wᵢ Σ weight · cross entropy / Σᵢ wᵢ nᵢ, nᵢ the label
/// tokens of row i. With one label token in a row this is PyTorch's `CrossEntropyLoss(weight:)`, a weighted mean.
package struct WeightedLoss: Sendable, Equatable {
  package enum Kind: String, CaseIterable, Sendable {
    case none
    case decay
  }

  package var kind = Kind.none
  /// f, `opt_loss_decay_factor`.
  package var decayFactor = 1.0

  package init() {}

  /// The weights of a batch's label tokens, already divided by their number.
  package struct Weights: Equatable {
    /// The position of each label token in the context, and the sum of its weights over the batch.
    package var context: [(position: Int, weight: Float)]
    /// The same for each example.
    package var examples: [[(position: Int, weight: Float)]]

    package static func == (a: Weights, b: Weights) -> Bool {
      a.context.elementsEqual(b.context, by: ==)
        && a.examples.elementsEqual(b.examples) { $0.elementsEqual($1, by: ==) }
    }
  }

  /// Weights for a batch of examples after a context. `examples`' types are their own, not yet raised; without
  /// `exampleWeights`, each example counts once.
  ///
  /// A label that is the very first token has no token before it to predict it from, and is ignored.
  package func weights(context: TypedTokens, examples: [TypedTokens], exampleWeights: [Double]? = nil) -> Weights {
    precondition(exampleWeights?.count ?? examples.count == examples.count, "each example has a weight")
    let offset = context.nextTypeOffset
    let contextPositions = context.labelPositions.filter { $0 > 0 }
    var contextWeights = [Double](repeating: 0, count: contextPositions.count)
    var ofExamples: [[(position: Int, weight: Double)]] = []
    var count = 0.0
    for (index, example) in examples.enumerated() {
      let factor = exampleWeights?[index] ?? 1
      let positions = example.labelPositions
      let contextGroups = contextPositions.map { context.types[$0] }
      let exampleGroups = positions.map { example.types[$0] + offset }
      let groups = Set(contextGroups + exampleGroups).sorted(by: >)
      let numberOfGroup = Dictionary(uniqueKeysWithValues: groups.enumerated().map { ($1, $0) })
      func weightOf(_ group: Int) -> Double {
        guard let number = numberOfGroup[group] else { preconditionFailure("every label is of a group") }
        return factor * weight(ofGroup: number)
      }
      for (index, group) in contextGroups.enumerated() { contextWeights[index] += weightOf(group) }
      ofExamples.append(zip(positions, exampleGroups).map { ($0, weightOf($1)) })
      count += factor * Double(contextPositions.count + positions.count)
    }
    let share = count > 0 ? 1 / count : 1
    return Weights(
      context: zip(contextPositions, contextWeights).map { ($0, Float($1 * share)) },
      examples: ofExamples.map { $0.map { ($0.position, Float($0.weight * share)) } })
  }

  /// Weight of the n-th label group from the end.
  private func weight(ofGroup n: Int) -> Double {
    guard kind == .decay else { return 1 }
    var weight = 1.0
    for _ in 0..<n { weight *= decayFactor }
    return weight
  }
}
