import Kernels
import LanguageModel
import Method
import Testing
import TestSupport
import Tuning

@Suite struct OperationCountTests {
  /// Context and example of a golden, as a step computes them with one example a pack.
  private func step(
    of golden: FamilyGoldens.Case, team: ThreadTeam
  ) throws -> (step: TrainingStep, examples: [TypedTokens]) {
    let step = TrainingStep(
      decoder: try FrozenModel(path: golden.folder).decoder,
      context: TypedTokens(ids: golden.context.ids, types: golden.context.types), loss: WeightedLoss(),
      workspace: Workspace(), team: team)
    return (step, golden.rows.map { TypedTokens(ids: $0.ids, types: $0.types) })
  }

  /// A step takes the operations that are measured for it, in one pack and in several.
  @Test(arguments: try FamilyGoldens().cases, [Retention.everything, .inputs])
  func aStepTakesWhatIsMeasured(golden: FamilyGoldens.Case, retention: Retention) throws {
    for packSize in [3, 1] {
      let profile = Profile()
      let (step, examples) = try step(of: golden, team: ThreadTeam(threads: 2, profile: profile))
      let plan = PackPlan(examples: packSize, retention: retention)
      let prompt = step.decoder.embedding.rows(of: step.context.ids)
      _ = step.run(prompt: prompt, examples: examples, plan: plan)
      let counted = profile.entries.reduce(0) { $0 + $1.entry.operations }
      #expect(step.measure(examples: examples, plan: plan).operations == counted)
    }
  }

  /// OPT by hand: every product is 2 · rows · inputs · outputs, forward and again backward, and attention multiplies
  /// every pair of a token and one it sees twice forward and four times backward.
  @Test func operationsOfOPTByHand() throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "opt" })
    let (step, examples) = try step(of: golden, team: ThreadTeam(threads: 1))
    let decoder = step.decoder, example = examples[0]
    let d = Double(decoder.hiddenWidth), F = Double(decoder.blocks[0].feedForward.body.up.weight.outputs)
    let rows = step.context.count + example.computedCount, N = Double(rows)
    let outputs = Double(step.context.labelPositions.count { $0 > 0 } + example.labelPositions.count)
    let lower = Double(decoder.blocks.count - 1)
    // The top block computes keys and values of all rows, the rest only of rows that predict.
    let projections: Double = 4 * d * d, feedForward: Double = 2 * d * F, keysAndValues: Double = 2 * d * d
    let lowerBlocks: Double = lower * 2 * N * (projections + feedForward)
    let topBlock: Double = 2 * N * keysAndValues + 2 * outputs * (projections - keysAndValues + feedForward)
    let head: Double = 2 * outputs * d * Double(decoder.vocabularySize)
    let attention: Double = (lower + outputs / N) * 4 * d * N * (N + 1) / 2
    let expected: Double = 2 * (lowerBlocks + topBlock + head) + 3 * attention
    let kept = step.measure(examples: [example], plan: PackPlan(examples: 1, retention: .everything)).operations
    #expect(abs(kept / expected - 1) < 0.1, "\(kept) of \(expected)")
    // Recomputed are all blocks but their last products.
    let down: Double = 2 * (lower * N + outputs) * d * F
    let again: Double = lowerBlocks + topBlock + attention - down
    let recomputed = step.measure(examples: [example], plan: PackPlan(examples: 1, retention: .inputs)).operations
    #expect(abs((recomputed - kept) / again - 1) < 0.1, "\(recomputed - kept) of \(again)")
  }
}
