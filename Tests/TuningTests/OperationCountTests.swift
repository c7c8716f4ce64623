import Kernels
import LanguageModel
import Method
import Testing
import TestSupport
import Tuning

@Suite struct OperationCountTests {
  /// Of one step, against what its profile counts. Of the first block, the backward leaves out the examples' rows.
  @Test(arguments: try FamilyGoldens().cases, [Retention.everything, .inputs])
  func equalsAProfile(golden: FamilyGoldens.Case, retention: Retention) throws {
    let decoder = try FrozenModel(folder: golden.folder).decoder
    let context = TypedTokens(ids: golden.context.ids, types: golden.context.types)
    let example = TypedTokens(ids: golden.rows[0].ids, types: golden.rows[0].types)
    let profile = Profile()
    let step = TrainingStep(
      decoder: decoder, context: context, loss: WeightedLoss(), workspace: Workspace(),
      team: ThreadTeam(threads: 1, profile: profile))
    _ = step.run(
      prompt: decoder.embeddings(of: context.ids), examples: [example],
      plan: PackPlan(examples: 1, retention: retention))
    let rows = context.count + (example.labelPositions.last ?? 0)
    let targets = context.labelPositions.count { $0 > 0 } + example.labelPositions.count
    func operations(visibleKeys: Int) -> Double {
      decoder.operations(
        rows: rows, outputs: targets, visibleKeys: Double(visibleKeys), retention: retention)
    }
    var attention = 0.0, linear = 0.0
    for (operation, entry) in profile.entries {
      if [.attention, .attentionBackward].contains(operation) {
        attention += entry.operations
      } else {
        linear += entry.operations
      }
    }
    let ofLinear = operations(visibleKeys: 0), ofAttention = operations(visibleKeys: rows * (rows + 1) / 2) - ofLinear
    #expect(abs(ofLinear / linear - 1) < 0.1, "\(ofLinear) of \(linear)")
    #expect(abs(ofAttention / attention - 1) < 0.1, "\(ofAttention) of \(attention)")
  }
}
