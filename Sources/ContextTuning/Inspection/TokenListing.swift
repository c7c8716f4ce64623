import Tokenization

/// The sequence of a training step token by token: the context, and one example behind it.
public struct TokenListing: Sendable {
  public struct Entry: Sendable {
    public let position: Int
    public let id: Int
    public let text: String
    /// PEFT's token type; an example's are raised above the context's.
    public let type: Int
    public let role: TokenRole
    /// Of the token's ball; nil where it is not trained, as every token of the example.
    public let radius: Double?
    /// The weight of a label token in the loss, before the sum is divided by the number of label tokens; nil where the
    /// token is none, or stands first and cannot be predicted.
    public let weight: Double?
  }

  public let context: [Entry]
  public let example: [Entry]

  /// Lists the context of a prompt and an example, types 0 to 4, as a batch of that example alone has them.
  init(_ prompt: TunedPrompt, example: TypedTokens, loss: WeightedLoss, tokenizer: Tokenizer?) {
    let tokens = prompt.context.tokens
    let weights = loss.weights(context: tokens, examples: [example])
    let ofExample = weights.examples.first ?? []
    let count = Double(weights.context.count + ofExample.count)
    func entries(
      _ tokens: TypedTokens, from first: Int, radii: [Float]?, _ weights: [(position: Int, weight: Float)]
    ) -> [Entry] {
      let weightOfPosition = Dictionary(uniqueKeysWithValues: weights.map { ($0.position, Double($0.weight) * count) })
      return tokens.ids.indices.map { index in
        let role = TokenRole(type: tokens.types[index])
        return Entry(
          position: first + index, id: tokens.ids[index], text: tokenizer.text(of: tokens.ids[index]),
          type: tokens.types[index], role: role, radius: role.isTrained ? radii.map { Double($0[index]) } : nil,
          weight: weightOfPosition[index])
      }
    }
    context = entries(tokens, from: 0, radii: prompt.radii, weights.context)
    self.example = entries(
      example.raisingTypes(by: tokens.nextTypeOffset), from: tokens.count, radii: nil, ofExample)
  }

  /// Tokens up to the context's second example: enough to see the template; all where there are no examples to tell
  /// apart.
  public var firstExampleCount: Int { context.firstIndex { $0.type > 4 } ?? context.count }
}
