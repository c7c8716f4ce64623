import Method
import Runs

/// The training examples of each step of a run; they follow from the seed and the step alone.
struct BatchOrder: Sendable {
  private let examples: Int
  /// Examples of one mathematical batch.
  private let size: Int
  private let shuffles: Bool
  private let seed: Int

  init(examples: Int, _ training: TrainingConfiguration) {
    precondition(examples > 0, "there are examples to train on")
    self.examples = examples
    size = training.batchSize * training.accumulationSteps
    shuffles = training.shuffles
    seed = training.seed
  }

  var stepsPerEpoch: Int { (examples - 1) / size + 1 }

  /// Indices of the examples of a step.
  func batch(forStep step: Int) -> [Int] {
    let first = step % stepsPerEpoch * size
    return Array(order(ofEpoch: step / stepsPerEpoch)[first..<min(first + size, examples)])
  }

  /// The batches of the first steps: at least one, and no more epochs than can be listed in a moment.
  func batches(upTo steps: Int) -> [[Int]] {
    let epochs = min(max(1, (steps - 1) / stepsPerEpoch + 1), max(1, 1_000_000 / examples))
    let all = (0..<epochs).flatMap { epoch in
      let order = order(ofEpoch: epoch)
      return stride(from: 0, to: examples, by: size).map { Array(order[$0..<min($0 + size, examples)]) }
    }
    return Array(all.prefix(max(1, steps)))
  }

  private func order(ofEpoch epoch: Int) -> [Int] {
    var order = Array(0..<examples)
    if shuffles {
      var generator = SeededGenerator(seed: seed, .order, index: epoch)
      order.shuffle(using: &generator)
    }
    return order
  }
}
