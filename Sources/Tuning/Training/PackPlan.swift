import Diagnostics
import Glibc
import Kernels
import LanguageModel
import Method
import System

/// How a batch is computed: how many examples share a pack, and what a forward keeps for its backward.
///
/// Nothing of it changes the batch's loss or gradient but their rounding; it trades memory for time.
package struct PackPlan: Sendable, Equatable {
  /// Examples of a pack, at most.
  package let examples: Int
  package let retention: Retention

  package init(examples: Int, retention: Retention = .everything) {
    self.examples = examples
    self.retention = retention
  }
}

extension PackPlan: CustomStringConvertible {
  package var description: String {
    "\(examples) example\(examples == 1 ? "" : "s") a pack, activations "
      + (retention == .inputs ? "computed again in the backward" : "kept")
  }
}

/// What the plans of a run are made from.
package struct PackPlanner {
  let decoder: Decoder
  /// Tokens of the context, and those of its labels.
  let contextTokens: Int
  let contextLabels: Int
  /// Tokens of each training example, up to what is computed of it.
  let exampleTokens: [Int]
  /// The most labels that any example has.
  let exampleLabels: Int
  /// Examples of one mathematical batch.
  let batch: Int
  let threads: Int
  /// Bytes of the weights, and of whatever else the run holds beside its workspace.
  let resident: Int

  package init(_ setup: TrainingSetup, examples: [TypedTokens], batch: Int) {
    decoder = setup.model.decoder
    let context = setup.context.tokens
    contextTokens = context.count
    contextLabels = context.labelPositions.count
    exampleTokens = examples.map(\.computedCount)
    exampleLabels = examples.map(\.labelPositions.count).max() ?? 0
    self.batch = batch
    threads = setup.team.threads
    // The prompt, its gradient, the optimiser's moments, and the copies a checkpoint makes of them.
    let promptBytes = 4 * 10 * context.count * decoder.width
    resident = Memory.resident + decoder.mappedBytes + promptBytes
  }

  /// The fastest plan within a limit, and the bytes it takes.
  ///
  /// Without a limit of the user's, it is 80 % of the machine's memory, and the smallest plan where none fits.
  ///
  /// - Throws: `InputError.badData` when nothing fits the user's limit.
  package func plan(limit: Int?, largest: Int) throws -> (PackPlan, bytes: Int) {
    let plans = [Retention.everything, .inputs].flatMap { retention in
      (1...max(1, min(largest, batch))).map { PackPlan(examples: $0, retention: retention) }
    }.map { (plan: $0, bytes: bytes($0)) }
    let most = limit ?? Memory.available / 5 * 4
    if let found = plans.filter({ $0.bytes <= most }).min(by: { cost($0.plan) < cost($1.plan) }) { return found }
    let smallest = plans.min { $0.bytes < $1.bytes } ?? (PackPlan(examples: 1, retention: .inputs), 0)
    guard let limit else { return smallest }
    let least = smallest.bytes
    throw InputError.badData(
      "training.memory_limit",
      "is \(limit / 1_000_000) MB; this model with this context takes about \(least / 1_000_000) MB at the least; "
        + "raise the limit or shorten the context")
  }

  /// Bytes of the process at its peak, estimated.
  func bytes(_ plan: PackPlan) -> Int {
    let sizes = packs(plan)
    guard let first = sizes.first else { return resident }
    let memory = decoder.memory(of: first, retention: plan.retention)
    var workspace = memory.peak
    if let second = sizes.dropFirst().first {
      // The gradients of the context's keys and values, and a pack of examples on top of the first's.
      let gradients = 4 * first.kept * 2 * decoder.blocks.count * Workspace.stride(decoder.keyValueWidth)
      let later = decoder.memory(of: second, retention: plan.retention)
      workspace = max(memory.peak, memory.retained + later.peak) + gradients
    }
    let mostRows = sizes.map(\.rows).max() ?? 0
    return resident + workspace + threads * (Self.bytesOfThread + Self.packedBytesOfRow * mostRows)
  }

  /// Attention's scratch memory and OpenBLAS's packed blocks of weights, and of activations (a row of at most 448).
  private static let bytesOfThread = 1 << 20
  private static let packedBytesOfRow = 4 * 448

  /// Tokens of so many examples: three standard deviations above what is to be expected of a random draw.
  private func tokens(ofExamples count: Int) -> Int {
    let lengths = exampleTokens.map(Double.init)
    let mean = lengths.reduce(0, +) / Double(max(1, lengths.count))
    let variance = lengths.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, lengths.count))
    let likely = Double(count) * mean + 3 * (Double(count) * variance).squareRoot()
    return min(count * (exampleTokens.max() ?? 0), Int(likely.rounded(.up)))
  }

  private func packs(_ plan: PackPlan) -> [PackShape] {
    let counts = stride(from: 0, to: batch, by: plan.examples).map { min(plan.examples, batch - $0) }
    return counts.enumerated().map { index, count in
      let rows = tokens(ofExamples: count), labels = count * exampleLabels
      return index == 0
        ? PackShape(
          rows: contextTokens + rows, outputs: contextLabels + labels, kept: counts.count > 1 ? contextTokens : 0)
        : PackShape(rows: rows, outputs: labels, prefix: contextTokens)
    }
  }

  /// Time, in rows of a large pack. A product of few rows pays for packing the weights, about 30 rows' worth (OpenBLAS,
  /// measured); computing blocks again costs a third more.
  private func cost(_ plan: PackPlan) -> Double {
    let rows = packs(plan).reduce(0) { $0 + Double($1.rows + 30) }
    return plan.retention == .inputs ? rows * 4 / 3 : rows
  }
}

extension Decoder {
  fileprivate var keyValueWidth: Int { blocks.map { max($0.key.weight.outputs, $0.value.weight.outputs) }.max() ?? 0 }
}
