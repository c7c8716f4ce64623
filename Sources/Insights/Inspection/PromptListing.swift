import Kernels
import LanguageModel
import Method
import Tokenization

/// A tuned prompt token by token, for display.
package struct PromptListing: Sendable {
  package struct Entry: Sendable {
    package let position: Int
    package let id: Int
    package let text: String
    package let type: Int
    package let role: TokenRole
    /// ‖delta‖.
    package let distance: Double
    /// Distance as a share of the ball's radius; nil for tokens that are not trained.
    package let shareOfRadius: Double?
    /// The vocabulary's tokens nearest to the tuned embedding, and their distances.
    package let nearest: [(text: String, distance: Double)]
  }

  package let entries: [Entry]

  /// Lists a prompt, each token with its `neighbours` nearest tokens of the vocabulary.
  ///
  /// With `mostMoved`, lists only that many tokens, the farthest moved first; else all, in their order.
  package init(
    _ prompt: TunedPrompt, decoder: Decoder, tokenizer: Tokenizer?, neighbours: Int, mostMoved: Int? = nil,
    team: ThreadTeam
  ) {
    let distances = prompt.distances, width = prompt.width
    var positions = Array(distances.indices)
    if let mostMoved { positions = Array(positions.sorted { distances[$0] > distances[$1] }.prefix(mostMoved)) }
    let embeddings = prompt.embeddings
    let rows = Matrix(
      rows: positions.count, columns: width,
      values: positions.flatMap { embeddings[($0 * width)..<(($0 + 1) * width)] })
    let nearest = decoder.embedding.nearestWords(to: rows, count: neighbours, on: team)
    entries = zip(positions, nearest).map { position, nearest in
      let type = prompt.context.tokens.types[position], id = prompt.context.tokens.ids[position]
      let role = TokenRole(type: type)
      let distance = Double(distances[position])
      return Entry(
        position: position, id: id, text: tokenizer.text(of: id), type: type, role: role, distance: distance,
        shareOfRadius: prompt.radius(ofToken: position).flatMap { $0 > 0 ? distance / $0 : nil },
        nearest: nearest.map { (tokenizer.text(of: $0.id), Double($0.distance)) })
    }
  }
}

extension Tokenizer? {
  /// A token's text for display; its id if there is no tokenizer.
  func text(of id: Int) -> String { self?.text(of: id) ?? "#\(id)" }
}
