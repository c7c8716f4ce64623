import LanguageModel
import Runs

/// How a batch is computed: the number of examples per pack, and what a forward keeps for its backward.
///
/// A plan trades memory for time; it changes only the rounding of the batch's loss and gradient.
package struct PackPlan: Sendable, Equatable {
  /// Maximum examples per pack.
  package let examples: Int
  package let retention: Retention

  package init(examples: Int, retention: Retention = .everything) {
    precondition(examples > 0 && retention != .nothing)
    self.examples = examples
    self.retention = retention
  }

  /// The plan of a run that resumes.
  init(_ computation: Computation) {
    self.init(
      examples: computation.packExamples, retention: computation.recomputesActivations ? .inputs : .everything)
  }

  /// The examples of each pack of a batch of this size.
  func packs(of batch: Int) -> [Range<Int>] {
    precondition(batch > 0, "a batch has examples")
    return stride(from: 0, to: batch, by: examples).map { $0..<min($0 + examples, batch) }
  }
}

extension PackPlan: CustomStringConvertible {
  package var description: String {
    "\(examples) example\(examples == 1 ? "" : "s") per pack, activations "
      + (retention == .inputs ? "recomputed in the backward" : "kept")
  }
}
