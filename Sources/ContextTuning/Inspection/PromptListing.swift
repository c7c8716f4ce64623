import Kernels
import LanguageModel
import Tokenization

/// A tuned prompt token by token, for people.
public struct PromptListing: Sendable {
  public struct Entry: Sendable {
    public let position: Int
    public let id: Int
    public let text: String
    public let type: Int
    public let role: TokenRole
    /// ‖delta‖.
    public let distance: Double
    /// Distance as a share of the ball's radius; nil for tokens that are not trained.
    public let shareOfRadius: Double?
    /// The vocabulary's tokens nearest to the tuned embedding, and their distances.
    public let nearest: [(text: String, distance: Double)]
  }

  public let entries: [Entry]

  /// Lists a prompt with the `neighbours` nearest tokens of the vocabulary each.
  public init(
    _ prompt: TunedPrompt, decoder: Decoder, tokenizer: Tokenizer?, neighbours: Int, team: ThreadTeam
  ) {
    let rows = Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.embeddings)
    let nearest = decoder.nearestWords(to: rows, count: neighbours, on: team)
    func text(_ id: Int) -> String { tokenizer?.text(of: id) ?? "#\(id)" }
    entries = prompt.distances.enumerated().map { index, distance in
      let type = prompt.context.tokens.types[index], id = prompt.context.tokens.ids[index]
      let role = TokenRole(type: type)
      let radius = prompt.radii[index]
      return Entry(
        position: index, id: id, text: text(id), type: type, role: role, distance: Double(distance),
        shareOfRadius: role.isTrained && radius > 0 ? Double(distance / radius) : nil,
        nearest: nearest[index].map { (text($0.id), Double($0.distance)) })
    }
  }
}
