import Kernels
import LanguageModel
import Method
import Runs
import Testing
import TestSupport
import Tuning

@Suite struct TrainingStepTests {
  /// Of the examples' own labels, which the model of the quickstart often knows, one plain sequence each.
  @Test func labelAccuracyIsThatOfTheExamples() throws {
    let setup = try TrainingSetup(
      Configuration(file: repository + "/configs/quickstart/quickstart.json"), team: ThreadTeam(threads: 2))
    let decoder = setup.model.decoder, context = setup.context.tokens
    let examples = try setup.encoder.examples(of: Array(setup.rows.training.prefix(8))).map(\.tokens)
    var hits = 0, labels = 0
    for example in examples {
      var tree = TokenTree()
      tree.append(.tokens(context.ids + example.ids))
      let targets = example.labelPositions.map { Target(row: context.count + $0 - 1, token: example.ids[$0]) }
      let scores = decoder.forward(tree, targets: targets, workspace: Workspace(), on: setup.team).scores
      labels += scores.count
      hits += scores.count { $0.isMostProbable }
    }
    #expect(hits > 0 && hits < labels)
    let step = TrainingStep(
      decoder: decoder, context: context, loss: setup.configuration.loss, workspace: Workspace(), team: setup.team)
    let found = step.run(
      prompt: setup.startingPrompt.embeddings, examples: examples, plan: PackPlan(examples: 5, retention: .inputs))
    #expect(found.labelAccuracy == Double(hits) / Double(labels))
  }
}
