import Insights
import Kernels
import LanguageModel
import Method
import Tokenization

/// A run's context before and after training.
struct ContextRecord: Sendable {
  /// A point on the map.
  typealias Place = (x: Double, y: Double)

  let tokens: [PromptListing.Entry]
  /// Whether tokens move inside balls; else they are unbounded.
  let isBounded: Bool
  /// The distance each token moved, as a share of its ball's radius, or of the largest distance if there are no balls;
  /// nil for fixed tokens.
  let shares: [Double?]
  /// The distances of each kind of token, and the number of directions; nil if the embeddings are not finite.
  let geometry: PromptGeometry?
  /// The point of each token's embedding on the map, e0 and e0 + delta; nil if the embeddings are not finite.
  let places: [(before: Place, after: Place)]?
  /// The map's share of the variance of all these embeddings, by axis.
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

  /// The tokens example by example; a token outside the examples belongs to the one before it, or else to the first.
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
  /// The token's text with visible signs for line breaks and tabs.
  var visibleText: String { String(text.map { $0.isNewline ? "⏎" : $0 == "\t" ? "⇥" : $0 }) }
}
