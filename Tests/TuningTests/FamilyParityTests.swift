import Kernels
import LanguageModel
import Method
import Testing
import TestSupport
import Tuning

/// The loss of a CPT step and its gradient with respect to the prompt, as PEFT computes them, in every family.
@Suite struct FamilyParityTests {
  @Test(arguments: try FamilyGoldens().cases, [Retention.everything, .inputs])
  func lossAndGradientOfAStep(golden: FamilyGoldens.Case, retention: Retention) throws {
    try checkStep(golden, retention)
  }

  @Test(arguments: try FamilyGoldens.gguf.cases)
  func lossAndGradientOfGGUFModels(golden: FamilyGoldens.Case) throws { try checkStep(golden, .everything) }

  /// Models that are not part of the project.
  @Test(.enabled(if: FamilyGoldens.given != nil), arguments: FamilyGoldens.given?.cases ?? [])
  func stepOfGivenModels(golden: FamilyGoldens.Case) throws { try checkStep(golden, .everything) }

  private func checkStep(_ golden: FamilyGoldens.Case, _ retention: Retention) throws {
    let decoder = try FrozenModel(path: golden.folder).decoder
    let tokens = TypedTokens(ids: golden.context.ids, types: golden.context.types)
    let context = Context(tokenIDs: tokens.ids, mask: nil, types: tokens.types)
    var loss = WeightedLoss()
    loss.kind = .decay
    loss.decayFactor = try FamilyGoldens().decayFactor
    let prompt = TunedPrompt(context: context, decoder: decoder, radii: ProjectionRadii())
    let step = TrainingStep(
      decoder: decoder, context: tokens, loss: loss, workspace: Workspace(), team: ThreadTeam(threads: 2))
    let examples = golden.rows.map { TypedTokens(ids: $0.ids, types: $0.types) }
    let expected = try golden.tensors.floats(
      golden.name + ".gradient", shape: [tokens.count, decoder.width])
    // In one pack, and with the context's keys and values kept for packs of their own.
    for packSize in [3, 1] {
      var found = step.run(
        prompt: prompt.embeddings, examples: examples, plan: PackPlan(examples: packSize, retention: retention))
      prompt.maskGradient(&found.gradient)
      if FamilyGoldens.given != nil {
        let gradient = relativeDifference(found.gradient, expected)
        print("\(golden.name): loss within \(abs(found.loss / golden.loss - 1)), gradient \(gradient)")
      }
      #expect(abs(found.loss / golden.loss - 1) < 1e-4)
      #expect(relativeDifference(found.gradient, expected) < 1e-4)
    }
  }
}
