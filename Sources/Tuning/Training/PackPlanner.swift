import Diagnostics
import Kernels
import LanguageModel
import Method
import System

/// Chooses how the batches of a run are computed, from what they take.
package struct PackPlanner {
  private let step: TrainingStep
  /// The training examples, and how many tokens are computed of each.
  private let examples: [TypedTokens]
  private let lengths: [Int]
  /// The examples of each batch, by their index.
  private let batches: [[Int]]
  /// Bytes that the process takes whatever the plan: what it holds now, the weights that steps read where they lie, and
  /// the prompt with what training keeps of it.
  private let fixed: Int
  /// Bytes that an evaluation takes, in the workspace of the steps.
  private let evaluation: Int

  /// - Parameters:
  ///   - step: computes a batch.
  ///   - examples: the training examples.
  ///   - batches: the examples of every batch of the run, by their index.
  ///   - evaluation: what evaluations between steps take.
  ///   - resident: bytes that the process holds already.
  package init(
    _ step: TrainingStep, examples: [TypedTokens], batches: [[Int]], evaluation: Measurement?,
    resident: Int = Memory.resident
  ) {
    precondition(!batches.isEmpty, "a run has batches")
    self.step = step
    self.examples = examples
    lengths = examples.map(\.computedCount)
    self.batches = batches
    self.evaluation = evaluation?.bytes ?? 0
    fixed =
      resident + step.decoder.mappedBytes + Self.promptCopies * 4 * step.context.count * step.decoder.width
  }

  /// The prompt as training holds it: e0, delta, their sum, the gradient, two moments, and the copies a checkpoint makes.
  private static let promptCopies = 10

  /// The fastest plan within a limit, and the bytes it takes.
  ///
  /// Without a limit of the user's, it is 80 % of the machine's memory, and the smallest plan where none fits.
  ///
  /// - Throws: `InputError.badData` when nothing fits the user's limit.
  package func plan(limit: Int?, largest: Int) throws -> (PackPlan, bytes: Int) {
    let most = limit ?? Memory.available / 5 * 4
    var smallest: (plan: PackPlan, bytes: Int)?
    for plan in plansFastestFirst(largest: largest) {
      let bytes = bytes(plan)
      if bytes <= most { return (plan, bytes) }
      if smallest.map({ bytes < $0.bytes }) ?? true { smallest = (plan, bytes) }
    }
    guard let smallest else { preconditionFailure("there are plans") }
    guard let limit else { return smallest }
    throw InputError.badData(
      "training.memory_limit",
      "is \(limit / 1_000_000) MB; this model with this context takes about \(smallest.bytes / 1_000_000) MB at the "
        + "least; raise the limit or shorten the context")
  }

  /// Bytes of the process at its peak, estimated.
  package func bytes(_ plan: PackPlan) -> Int {
    fixed + max(evaluation, step.measure(examples: largestBatch(plan), plan: plan).bytes)
  }

  /// Examples of the batch whose largest pack has the most rows.
  private func largestBatch(_ plan: PackPlan) -> [TypedTokens] {
    func rowsHeld(_ batch: [Int]) -> Int {
      let packs = plan.packs(of: batch.count).map { pack in pack.reduce(0) { $0 + lengths[batch[$1]] } }
      // The first stands beside the context, and stays while a later one is computed.
      return packs[0] + (packs.dropFirst().max() ?? 0)
    }
    let rows = batches.map(rowsHeld)
    let largest = rows.indices.reduce(0) { rows[$1] > rows[$0] ? $1 : $0 }
    return batches[largest].map { examples[$0] }
  }

  private func plansFastestFirst(largest: Int) -> [PackPlan] {
    // All batches but an epoch's last are as large as the first.
    let batch = batches[0]
    // Of the sizes that give as many packs, the smallest.
    let sizes = Set((1...batch.count).map { packs in (batch.count + packs - 1) / packs }).filter { $0 <= largest }
    let plans = [Retention.everything, .inputs].flatMap { retention in
      sizes.map { PackPlan(examples: $0, retention: retention) }
    }
    return plans.map { (plan: $0, cost: cost($0, batch: batch.map { examples[$0] })) }.sorted { $0.cost < $1.cost }
      .map(\.plan)
  }

  /// Time, in operations. A product of few rows pays for packing the weights, about 30 rows' worth (OpenBLAS, measured).
  private func cost(_ plan: PackPlan, batch: [TypedTokens]) -> Double {
    let operations = step.measure(examples: batch, plan: plan).operations
    let rows = step.context.count + batch.reduce(0) { $0 + $1.computedCount }
    let packs = plan.packs(of: batch.count).count
    return operations * (1 + 30 * Double(packs) / Double(rows))
  }
}
