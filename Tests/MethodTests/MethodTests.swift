import Method
import Testing
import TestSupport

@Suite struct MethodTests {
  @Test(arguments: [
    (0, TokenRole.none), (1, .inputTemplate), (2, .input), (3, .outputTemplate), (4, .label), (5, .inputTemplate),
    (8, .label), (-1, .none),
  ])
  func typesAreRoles(type: Int, role: TokenRole) {
    #expect(TokenRole(type: type) == role)
  }

  /// PEFT adds the largest type; the next multiple of 4 is the same where PEFT is right.
  @Test(arguments: [([1, 2, 3, 4], 4), ([0], 0), ([1], 4), ([1, 2, 3, 4, 5, 6], 8), ([1, 2, 3, 4, 8], 8)])
  func examplesAreShiftedToTheNextGroup(types: [Int], offset: Int) {
    #expect(TypedTokens(ids: types, types: types).nextTypeOffset == offset)
  }

  @Test func weightsDecayFromTheExampleBackwards() {
    var loss = WeightedLoss()
    loss.kind = .decay
    loss.decayFactor = 0.5
    let context = TypedTokens(ids: [9, 1, 9, 9, 3], types: [4, 2, 8, 8, 0])
    let examples = [
      TypedTokens(ids: [1, 2], types: [2, 4]), TypedTokens(ids: [1, 2, 3, 4], types: [2, 4, 6, 8]),
    ]
    // The label at position 0 has no token before it. Label tokens: 2 + 1 and 2 + 2 = 7.
    let weights = loss.weights(context: context, examples: examples)
    #expect(weights.context.map(\.position) == [2, 3])
    for entry in weights.context { #expect(abs(entry.weight - (0.5 + 0.25) / 7) < 1e-7) }
    #expect(weights.examples[0].map(\.position) == [1] && abs(weights.examples[0][0].weight - 1 / 7.0) < 1e-7)
    #expect(weights.examples[1].map(\.position) == [1, 3])
    #expect(abs(weights.examples[1][0].weight - 0.5 / 7) < 1e-7 && abs(weights.examples[1][1].weight - 1 / 7.0) < 1e-7)
    loss.kind = .none
    let equal = loss.weights(context: context, examples: examples)
    #expect(equal.context.allSatisfy { abs($0.weight - 2 / 7.0) < 1e-7 })
  }

  @Test func projectionScalesOnlyRowsOutsideTheirBall() {
    var radii = ProjectionRadii()
    radii.input = 0.2
    radii.format = 0.1
    let context = Context(tokenIDs: [1, 2, 3, 4], mask: nil, types: [1, 2, 4, 0])
    let width = 2
    let scale = (Float(width) / 2048).squareRoot()
    var prompt = TunedPrompt(
      context: context, initial: [Float](repeating: 1, count: 8), delta: [1, 0, 0.001, 0, 0, 0, 0, 0], radii: radii,
      width: width)
    #expect(prompt.radii == [0.1 * scale, 0.2 * scale, 1e-10, 1e-10])
    prompt.project()
    #expect(abs(prompt.delta[0] - 0.1 * scale) < 1e-8)
    #expect(prompt.delta[2] == 0.001)
    var gradient: [Float] = [1, 1, 1, 1, 1, 1, 1, 1]
    prompt.maskGradient(&gradient)
    #expect(gradient == [1, 1, 1, 1, 0, 0, 0, 0])
  }

  @Test func maskedTokensAreLeftOut() {
    let context = Context(tokenIDs: [5, 6, 7], mask: [1, 0, 1], types: [1, 2, 4])
    #expect(context.tokens == TypedTokens(ids: [5, 7], types: [1, 4]))
    #expect(Context(tokenIDs: [5], mask: nil, types: nil).tokens.types == [1])
  }
}
