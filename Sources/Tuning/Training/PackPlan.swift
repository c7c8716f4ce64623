import LanguageModel

/// How a batch is computed: how many examples share a pack, and what a forward keeps for its backward.
///
/// Nothing of it changes the batch's loss or gradient but their rounding; it trades memory for time.
package struct PackPlan: Sendable, Equatable {
  /// Examples of a pack, at most.
  package let examples: Int
  package let retention: Retention

  package init(examples: Int, retention: Retention = .everything) {
    precondition(examples > 0)
    self.examples = examples
    self.retention = retention
  }

  /// The examples of each pack of a batch of so many.
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
