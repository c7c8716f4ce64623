import Kernels
import LanguageModel
import Method
import Tuning

extension TrainingSetup {
  func evaluate(_ examples: [EncodedExample]) throws -> [Prediction] {
    try Evaluator(decoder: model.decoder, workspace: Workspace(), team: team).predict(examples, prompt: startingPrompt)
  }

  /// log P(label tokens) with a context (nil: the setup's) and a candidate as one plain sequence.
  func plainLogProbability(of candidate: TypedTokens, after other: Context? = nil) -> Double {
    let context = other ?? context
    let ids = context.tokens.ids + candidate.ids
    var tree = TokenTree()
    tree.append(.tokens(ids))
    let targets = candidate.labelPositions.map {
      Target(row: context.count + $0 - 1, token: candidate.ids[$0])
    }
    let pass = model.decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
    return pass.scores.reduce(0.0) { $0 + Double($1.logProbability) }
  }
}
