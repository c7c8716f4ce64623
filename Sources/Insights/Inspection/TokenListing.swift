import Method
import Tokenization

/// The sequence of a training step token by token: the context, then one example.
package struct TokenListing: Sendable {
  package struct Entry: Sendable {
    package let position: Int
    package let id: Int
    package let text: String
    /// PEFT's token type; an example's are raised above the context's.
    package let type: Int
    package let role: TokenRole
    /// The radius of the token's ball; nil if the token is unbounded or not trained, like every token of the example.
    package let radius: Double?
    /// The weight of a label token in the loss, before the sum is divided by the number of label tokens; nil for other
    /// tokens, and for a first token, which cannot be predicted.
    package let weight: Double?
  }

  package let context: [Entry]
  package let example: [Entry]

  /// Lists the context of a prompt and an example, types 0 to 4, as a batch of that example alone has them.
  init(_ prompt: TunedPrompt, example: TypedTokens, loss: WeightedLoss, tokenizer: Tokenizer?) {
    let tokens = prompt.context.tokens
    let weights = loss.weights(context: tokens, examples: [example])
    let ofExample = weights.examples.first ?? []
    let count = Double(weights.context.count + ofExample.count)
    func entries(
      _ tokens: TypedTokens, from first: Int, _ weights: [(position: Int, weight: Float)],
      radius: (Int) -> Double? = { _ in nil }
    ) -> [Entry] {
      let weightOfPosition = Dictionary(uniqueKeysWithValues: weights.map { ($0.position, Double($0.weight) * count) })
      return tokens.ids.indices.map { index in
        Entry(
          position: first + index, id: tokens.ids[index], text: tokenizer.text(of: tokens.ids[index]),
          type: tokens.types[index], role: TokenRole(type: tokens.types[index]), radius: radius(index),
          weight: weightOfPosition[index])
      }
    }
    context = entries(tokens, from: 0, weights.context, radius: prompt.radius(ofToken:))
    self.example = entries(example.raisingTypes(by: tokens.nextTypeOffset), from: tokens.count, ofExample)
  }

  /// Tokens up to the context's second example: enough to see the template; all tokens if there is no second example.
  package var firstExampleCount: Int { context.firstIndex { $0.type > 4 } ?? context.count }
}
