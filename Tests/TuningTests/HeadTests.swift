import FileFormats
import Kernels
import LanguageModel
import Method
import Runs
import TestSupport
import Testing
import Tuning

@Suite struct HeadTests {
  /// A run's classifier, and what an evaluation makes of the hidden state of a plain sequence up to the label.
  @Test(arguments: [false, true])
  func predictsFromTheTokenBeforeTheLabel(showsContext: Bool) throws {
    try withTemporaryFolder { folder in
      let configuration = try Configuration(
        file: ParityGoldens().write("batch1-none", in: folder),
        overrides: [
          (path: "training.method", value: .string("head")), (path: "head.context", value: .bool(showsContext)),
          (path: "head.strength", value: .number(0.01)),
          (path: "data.test", value: .string("train.jsonl")), (path: "cpt_token_ids", value: .null),
          (path: "cpt_tokens_type_mask", value: .null), (path: "data.context_examples", value: .integer(2)),
        ])
      let team = ThreadTeam(threads: 2)
      let setup = try TrainingSetup(configuration, team: team)
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      let summary = try trainer.train { _ in }
      #expect(summary.head?.rows == setup.rows.training.count)
      let adapter = try Adapter(folder: folder + "/run")
      let evaluation = try EvaluationSetup(configuration, adapter: adapter, split: .test, team: team)
      let decoder = setup.model.decoder
      let head = try #require(evaluation.head)
      for tokens in [1024, 1] {
        let evaluator = Evaluator(
          decoder: decoder, workspace: Workspace(), team: team, packTokens: tokens, head: head)
        let predictions = try evaluator.predict(evaluation.examples, prompt: evaluation.prompt)
        #expect(predictions.count == evaluation.examples.count)
        for (prediction, example) in zip(predictions, evaluation.examples) {
          let label = try #require(example.tokens.labelPositions.first)
          var tree = TokenTree()
          tree.append(.tokens(setup.context.tokens.ids + example.tokens.ids[..<label]))
          let state = decoder.hiddenStates(
            of: tree, rows: [tree.rowCount - 1], workspace: Workspace(), on: team)
          let expected = head.logProbabilities(of: state.values)
          // Against their spread: the probabilities of so small a model differ little.
          let spread = try #require(expected.max()) - (try #require(expected.min()))
          for (a, b) in zip(prediction.logProbabilities, expected) { #expect(abs(a - b) < 0.01 * spread) }
        }
      }
    }
  }
}
