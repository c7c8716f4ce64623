import Diagnostics
import Method
import Runs

/// The tokens of the context that each step of a run keeps; they follow from the seed, the step and its batch.
package struct StepContext: Sendable {
  private let context: Context
  /// The context examples that each training example also stands as; empty unless the run leaves them out.
  private let ownExamples: [[Int]]
  private let dropout: Double
  private let seed: Int

  /// - Throws: `InputError.badData` when a batch may hold every example of the context and the run leaves them out.
  package init(_ setup: TrainingSetup) throws {
    let training = setup.configuration.training
    context = setup.context
    dropout = training.contextDropout
    seed = training.seed
    guard training.leavesOneOut else {
      ownExamples = []
      return
    }
    // By their contents: an example that repeats one of the context is known to it as well.
    let shown = setup.rows.context.map(\.content)
    precondition(shown.count == context.exampleRanges.count, "each row of the context has its tokens")
    ownExamples = setup.rows.training.map { row in shown.indices.filter { shown[$0] == row.content } }
    let groups = Set(ownExamples.filter { !$0.isEmpty })
    let batch = training.batchSize * training.accumulationSteps
    guard groups.reduce(0, { $0 + $1.count }) < shown.count || batch < groups.count else {
      throw InputError.badData(
        "training.leave_one_out",
        "would leave out the whole context: a batch may hold all \(groups.count) of its examples; lower "
          + "training.batch_size times training.gradient_accumulation_steps (\(batch)) below \(groups.count), or raise "
          + "data.context_examples")
    }
  }

  /// Positions of the tokens that a step keeps, ascending: at least one.
  package func tokens(forStep step: Int, batch: [Int]) -> [Int] {
    let out = ownExamples.isEmpty ? [] : Set(batch.flatMap { ownExamples[$0] }).map { context.exampleRanges[$0] }
    let shown = context.tokens.types.indices.filter { token in !out.contains { $0.contains(token) } }
    if dropout == 0 { return shown }
    var generator = SeededGenerator(seed: seed, .contextDropout, index: step)
    // A draw for every token, so that it does not depend on what the batch leaves out.
    let draws = context.tokens.types.map { type in
      TokenRole(type: type).isTrained ? Double.random(in: 0..<1, using: &generator) : 1
    }
    let kept = shown.filter { draws[$0] >= dropout }
    return kept.isEmpty ? Array(shown.sorted { draws[$0] > draws[$1] }.prefix(1)) : kept
  }
}
