import Diagnostics
import Runs
import Tuning

/// A run before its first step: its tokens, its labels, and its cost.
package struct RunInspection: Sendable {
  /// The training row shown, "train.tsv:12".
  package let place: String
  package let listing: TokenListing
  package let labels: LabelListing
  /// What a user should know about the rows.
  package let findings: [String]
  /// The cost of training, or the error if it cannot begin.
  package let forecast: Result<(run: RunForecast, time: TimeEstimate), any Error>

  /// Inspects the rows and tokens a run would train on.
  ///
  /// - Parameters:
  ///   - setup: the run.
  ///   - row: the training row to show, counted from 0.
  /// - Throws: `InputError` when there is no such row, or for that row.
  package init(_ setup: TrainingSetup, row: Int) throws {
    let rows = setup.rows.training
    guard rows.indices.contains(row) else {
      throw InputError.usage("--row", "must be at most \(rows.count), the number of training rows; found \(row + 1)")
    }
    let example = try setup.encoder.example(of: rows[row])
    place = example.place
    listing = TokenListing(
      setup.startingPrompt, example: example.tokens, loss: setup.configuration.loss,
      tokenizer: setup.tokenizer)
    labels = LabelListing(setup, following: example)
    let trainer = Result { try Trainer(setup, run: RunDirectory("")) }
    findings =
      (try? trainer.get().findings(of: setup)) ?? DataFindings(setup.rows, setup.configuration).sentences
    forecast = Result {
      let trainer = try trainer.get()
      let rate = setup.team.matrixProductRate(size: 2048)
      return (RunForecast(trainer, setup), try TimeEstimate(trainer, rate: rate))
    }
  }
}

/// The cost of a run: tokens, positions, memory, steps. The model is not run for it.
package struct RunForecast: Sendable {
  package let plan: TrainingPlan
  /// Tokens of the shortest, the median and the longest training example, up to the last one computed.
  package let shortestExample: Int
  package let medianExample: Int
  package let longestExample: Int
  /// The model's maximum number of positions; nil: unlimited.
  package let positions: Int?
  /// Estimated peak memory in bytes.
  package let memory: Int
  /// How batches are computed, in words.
  package let packing: String
  /// Numbers of ranks, and how many times as fast they compute a step as one.
  package let rankSpeedups: [(ranks: Int, factor: Double)]

  /// Estimates a run before its first step.
  package init(_ trainer: Trainer, _ setup: TrainingSetup) {
    plan = trainer.plan
    let lengths = trainer.examples.map(\.computedCount).sorted()
    guard let shortest = lengths.first, let longest = lengths.last else {
      preconditionFailure("a run has training examples")
    }
    shortestExample = shortest
    medianExample = lengths[lengths.count / 2]
    longestExample = longest
    positions = setup.model.decoder.maximumPositions
    memory = trainer.estimatedMemory
    packing = trainer.packPlan.description
    rankSpeedups = [2, 4, 8, 16].compactMap { ranks in trainer.speedup(ranks: ranks).map { (ranks, $0) } }
  }
}
