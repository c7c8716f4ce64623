import Insights
import Kernels
import LanguageModel
import Method
import Tokenization

/// A run's context before and after training.
struct ContextRecord: Sendable {
  /// A place on the map.
  typealias Place = (x: Double, y: Double)

  let tokens: [PromptListing.Entry]
  /// Whether tokens move inside balls; else they are free.
  let isBounded: Bool
  /// How far each token moved: as a share of its ball's radius, or of the longest way where there are no balls; nil for
  /// tokens that are fixed.
  let shares: [Double?]
  /// How far each kind of token moved, and in how many directions; nil where the embeddings are not finite.
  let geometry: PromptGeometry?
  /// Where each token's embedding lies on the map, e0 and e0 + delta; nil where the embeddings are not finite.
  let places: [(before: Place, after: Place)]?
  /// The map's share of the variance of all of these embeddings, by axis.
  let varianceShares: [Double]

  init(_ prompt: TunedPrompt, decoder: Decoder, tokenizer: Tokenizer?, team: ThreadTeam) {
    let tokens = PromptListing(prompt, decoder: decoder, tokenizer: tokenizer, neighbours: 3, team: team).entries
    self.tokens = tokens
    let farthest = tokens.map(\.distance).max() ?? 0
    isBounded = !tokens.contains { $0.role.isTrained && $0.shareOfRadius == nil && $0.distance > 0 }
    shares = tokens.map { token in
      token.role.isTrained ? token.shareOfRadius ?? (farthest > 0 ? token.distance / farthest : 0) : nil
    }
    geometry = PromptGeometry(prompt)
    let count = prompt.context.count
    let rows = Matrix(rows: 2 * count, columns: prompt.width, values: prompt.initial + prompt.embeddings)
    let components = PrincipalComponents(ofRows: rows, count: 2)
    varianceShares = components?.shares ?? []
    places = components.map { components in
      let map = components.project(rows)
      func place(_ row: Int) -> Place { (Double(map[row, 0]), Double(map[row, 1])) }
      return (0..<count).map { (place($0), place(count + $0)) }
    }
  }

  /// The tokens example by example; those of no example go with the one before them, the first ones with the first.
  var examples: [[Int]] {
    var examples: [[Int]] = []
    var current: Int?
    for (index, token) in tokens.enumerated() {
      let example = token.type > 0 ? (token.type - 1) / 4 : current
      if examples.isEmpty || (current != nil && example != current) { examples.append([]) }
      examples[examples.count - 1].append(index)
      current = example
    }
    return examples
  }
}

extension PromptListing.Entry {
  /// The token as one can see it where spaces count: line breaks and tabs by a sign.
  var visibleText: String { String(text.map { $0.isNewline ? "⏎" : $0 == "\t" ? "⇥" : $0 }) }
}
