import ContextTuning
import Kernels
import LanguageModel
import Tokenization

/// A run's context before and after training.
struct ContextRecord: Sendable {
  /// A place on the map.
  typealias Place = (x: Double, y: Double)

  let tokens: [PromptListing.Entry]
  /// Where each token's embedding lies on the map, e0 and e0 + delta; nil where the embeddings are not finite.
  let places: [(before: Place, after: Place)]?
  /// The map's share of the variance of all of these embeddings, by axis.
  let shares: [Double]

  init(_ prompt: TunedPrompt, decoder: Decoder, tokenizer: Tokenizer?, team: ThreadTeam) {
    tokens = PromptListing(prompt, decoder: decoder, tokenizer: tokenizer, neighbours: 3, team: team).entries
    let count = prompt.context.count
    let rows = Matrix(rows: 2 * count, columns: prompt.width, values: prompt.initial + prompt.embeddings)
    let components = PrincipalComponents(ofRows: rows, count: 2)
    shares = components?.shares ?? []
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

  /// Tokens that may move, those that moved farthest first.
  var movedMost: [Int] {
    tokens.indices.filter { tokens[$0].shareOfRadius != nil && tokens[$0].distance > 0 }
      .sorted { tokens[$0].distance > tokens[$1].distance }
  }
}

extension PromptListing.Entry {
  /// The token as one can see it where spaces count: line breaks and tabs by a sign.
  var visibleText: String { String(text.map { $0.isNewline ? "⏎" : $0 == "\t" ? "⇥" : $0 }) }
}
