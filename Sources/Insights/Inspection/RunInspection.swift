import Diagnostics
import Runs
import Tuning

/// A run as it can be seen before its first step: its tokens, its labels, and what it will take.
package struct RunInspection: Sendable {
  /// The training row that is shown, "train.tsv:12".
  package let place: String
  package let listing: TokenListing
  package let labels: LabelListing
  /// What training will take; the error it would end with where it cannot begin.
  package let forecast: Result<(run: RunForecast, time: TimeEstimate), any Error>

  /// Looks at what a run would train on.
  ///
  /// - Parameters:
  ///   - setup: what would be trained.
  ///   - row: which of the training rows stands for all, counted from 0.
  /// - Throws: `InputError` when there is no such row, or for that row.
  package init(_ setup: TrainingSetup, row: Int) throws {
    let rows = setup.rows.training
    guard rows.indices.contains(row) else {
      throw InputError.usage("--row", "must be a number up to \(rows.count), the rows to train on; found \(row + 1)")
    }
    let example = try setup.encoder.example(of: rows[row])
    place = example.place
    listing = TokenListing(
      setup.startingPrompt, example: example.tokens, loss: setup.configuration.loss,
      tokenizer: setup.tokenizer)
    labels = LabelListing(setup, following: example)
    forecast = Result {
      let trainer = try Trainer(setup, run: RunDirectory(""))
      let rate = setup.team.matrixProductRate(size: 2048)
      return (RunForecast(trainer, setup), TimeEstimate(trainer, setup, rate: rate))
    }
  }
}

/// What a run will take: tokens, positions, memory, steps. It computes nothing.
package struct RunForecast: Sendable {
  package let plan: TrainingPlan
  /// Tokens of the shortest, the median and the longest training example, up to what is computed of it.
  package let shortestExample: Int
  package let medianExample: Int
  package let longestExample: Int
  /// Of the model; nil: as many as one likes.
  package let positions: Int?
  /// Bytes at the peak, about.
  package let memory: Int
  /// How batches are computed, in words.
  package let packing: String

  /// Looks at a run before its first step.
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
  }
}
