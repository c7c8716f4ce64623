import Kernels
import LanguageModel
import Method
import Runs
import System
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

  /// Of weighted examples: Σ wᵢ nᵢ lossᵢ / Σ wᵢ nᵢ and its gradient, from steps of single examples.
  @Test(arguments: [1, 3], [true, false])
  func weightsAreThoseOfAMean(examplesOfAPack: Int, keepsAll: Bool) throws {
    var configuration = try Configuration(file: repository + "/configs/quickstart/quickstart.json")
    configuration.loss.kind = .decay
    configuration.loss.decayFactor = 0.9
    let setup = try TrainingSetup(configuration, team: ThreadTeam(threads: 2))
    let context = setup.context
    let examples = try setup.encoder.examples(of: Array(setup.rows.training.prefix(3))).map(\.tokens)
    let step = TrainingStep(
      decoder: setup.model.decoder, context: context.tokens, loss: configuration.loss, workspace: Workspace(),
      team: setup.team)
    let kept = Array(keepsAll ? 0..<context.count : context.exampleRanges[0].upperBound..<context.count)
    func run(_ examples: [TypedTokens], _ weights: [Double]?) -> TrainingStep.Result {
      step.run(
        prompt: setup.startingPrompt.embeddings, examples: examples, weights: weights,
        plan: PackPlan(examples: examplesOfAPack), keeping: kept)
    }
    let weights = [0.25, 3, 1.5]
    let singles = examples.map { run([$0], nil) }
    let labels = kept.count { $0 > 0 && TokenRole(type: context.tokens.types[$0]) == .label }
    let shares = zip(examples, weights).map { $1 * Double($0.labelPositions.count + labels) }
    let total = shares.reduce(0, +)
    let found = run(examples, weights)
    let loss = zip(singles, shares).reduce(0) { $0 + $1.0.loss * $1.1 / total }
    #expect(abs(found.loss - loss) < 1e-5 * loss)
    #expect(abs(found.loss - run(examples, nil).loss) > 1e-3)
    var difference = 0.0, size = 0.0
    for index in found.gradient.indices {
      let expected = zip(singles, shares).reduce(0) { $0 + Double($1.0.gradient[index]) * $1.1 / total }
      difference += (Double(found.gradient[index]) - expected) * (Double(found.gradient[index]) - expected)
      size += expected * expected
    }
    #expect(size > 0 && difference < 1e-8 * size, "\(difference) of \(size)")
    // Equal weights are none.
    #expect(run(examples, [2, 2, 2]).loss == run(examples, nil).loss)
  }

  /// scikit-learn's compute_class_weight("balanced", classes=[a, b, c], y=[a, a, a, a, b, c]) is [0.5, 2, 2].
  @Test func weightsOfClasses() throws {
    try withTemporaryFolder { folder in
      let rows = ["a", "b", "a", "a", "c", "a"].enumerated().map { "text \($0)\t\($1)\n" }
      try writeAtomically("text\tlabel\n" + rows.joined(), to: folder + "/train.tsv")
      func weights(_ value: String, _ more: String = "") throws -> [Double]? {
        let json = """
          {"base_model_name_or_path": "\(repository)/configs/quickstart/model", "template": {"end_of_text": false},
           "data": {"train": "train.tsv", "train_on": "all", "context_examples": 2, "class_weights": \(value)\(more)}}
          """
        let setup = try TrainingSetup(
          Configuration(text: Array(json.utf8), file: folder + "/c.json"), team: ThreadTeam(threads: 1))
        return try Trainer(setup, run: RunDirectory("")).weights
      }
      #expect(try weights("null") == nil)
      #expect(try weights(#""balanced""#) == [0.5, 2, 0.5, 0.5, 2, 0.5])
      #expect(try weights(#"{"b": 3, "c": 0.5}"#) == [1, 3, 1, 1, 0.5, 1])
      // b and c are one class.
      let words = #", "label_words": {"a": "x", "b": "y", "c": "y"}"#
      #expect(try weights(#""balanced""#, words) == [0.75, 1.5, 0.75, 0.75, 1.5, 0.75])
      #expect(try weights(#"{"c": 3}"#, words) == [1, 3, 1, 1, 3, 1])
    }
  }
}
