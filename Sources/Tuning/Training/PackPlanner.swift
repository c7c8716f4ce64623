import Diagnostics
import Kernels
import LanguageModel
import Method
import System

/// Chooses how to compute the batches of a run, from their time and memory.
package struct PackPlanner {
  private let step: TrainingStep
  /// The training examples, and how many tokens are computed of each.
  private let examples: [TypedTokens]
  private let lengths: [Int]
  /// The examples of each batch, by their index.
  private let batches: [[Int]]
  /// Bytes that the process takes under every plan: what it holds besides the steps, the weights,
  /// and the prompt with its optimiser state.
  private let fixed: Int
  /// Bytes that an evaluation takes in the workspace of the steps.
  private let evaluation: Int

  /// - Parameters:
  ///   - step: computes a batch.
  ///   - examples: the training examples.
  ///   - batches: the examples of every batch of the run, by their index.
  ///   - evaluation: the cost of evaluations between steps.
  ///   - held: bytes that the process holds besides the steps: the program, the tokenizer, the rows.
  package init(
    _ step: TrainingStep, examples: [TypedTokens], batches: [[Int]], evaluation: Measurement?,
    held: Int
  ) {
    precondition(!batches.isEmpty, "a run has batches")
    self.step = step
    self.examples = examples
    lengths = examples.map(\.computedCount)
    self.batches = batches
    self.evaluation = evaluation?.bytes ?? 0
    fixed =
      held + step.decoder.weightBytes + Self.promptCopies * 4 * step.context.count * step.decoder.width
  }

  /// Copies of the prompt in training: e0, delta, their sum, the gradient, two moments, and a checkpoint's copies.
  private static let promptCopies = 10

  /// The fastest plan within a number of bytes and what it takes; nil when none fits.
  ///
  /// No pack has more than `largest` examples.
  package func fastest(within limit: Int, largest: Int) -> (plan: PackPlan, bytes: Int)? {
    plansFastestFirst(largest: largest).lazy.map { (plan: $0, bytes: bytes($0)) }.first { $0.bytes <= limit }
  }

  /// The plan that takes the least memory, and its bytes.
  package func smallest(largest: Int) -> (plan: PackPlan, bytes: Int) {
    let plans = plansFastestFirst(largest: largest).map { (plan: $0, bytes: bytes($0)) }
    guard let smallest = plans.min(by: { $0.bytes < $1.bytes }) else { preconditionFailure("there are plans") }
    return smallest
  }

  /// Bytes of the process at its peak, estimated.
  package func bytes(_ plan: PackPlan) -> Int {
    fixed + max(evaluation, step.measure(examples: largestBatch(plan), plan: plan).bytes)
  }

  /// Examples of the batch whose largest pack has the most rows.
  private func largestBatch(_ plan: PackPlan) -> [TypedTokens] {
    func rowsHeld(_ batch: [Int]) -> Int {
      let packs = plan.packs(of: batch.count).map { pack in pack.reduce(0) { $0 + lengths[batch[$1]] } }
      // The first pack also holds the context, and stays in memory while later packs are computed.
      return packs[0] + (packs.dropFirst().max() ?? 0)
    }
    let rows = batches.map(rowsHeld)
    let largest = rows.indices.reduce(0) { rows[$1] > rows[$0] ? $1 : $0 }
    return batches[largest].map { examples[$0] }
  }

  private func plansFastestFirst(largest: Int) -> [PackPlan] {
    // All batches but an epoch's last are as large as the first.
    let batch = batches[0]
    // The smallest of the sizes that give the same number of packs.
    let sizes = Set((1...batch.count).map { packs in (batch.count + packs - 1) / packs }).filter { $0 <= largest }
    let plans = [Retention.everything, .inputs].flatMap { retention in
      sizes.map { PackPlan(examples: $0, retention: retention) }
    }
    return plans.map { (plan: $0, cost: cost($0, batch: batch.map { examples[$0] })) }.sorted { $0.cost < $1.cost }
      .map(\.plan)
  }

  /// Estimated time, as an equivalent number of operations. A product of few rows also pays for packing the weights, about 30 rows' worth (OpenBLAS,
  /// measured).
  private func cost(_ plan: PackPlan, batch: [TypedTokens]) -> Double {
    let operations = step.measure(examples: batch, plan: plan).operations
    let rows = step.context.count + batch.reduce(0) { $0 + $1.computedCount }
    let packs = plan.packs(of: batch.count).count
    return operations * (1 + 30 * Double(packs) / Double(rows))
  }
}
