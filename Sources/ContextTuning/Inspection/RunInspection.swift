import FileFormats
import Kernels
import LanguageModel

/// A run as it can be seen before its first step: its tokens, its labels, and what it will take.
public struct RunInspection: Sendable {
  /// The training row that is shown, "train.tsv:12".
  public let place: String
  public let listing: TokenListing
  public let labels: LabelListing
  /// What training will take; the error it would end with where it cannot begin.
  public let forecast: Result<RunForecast, any Error>

  /// Looks at what an experiment would train on.
  ///
  /// - Parameters:
  ///   - experiment: what would be trained.
  ///   - row: which of the training rows stands for all, counted from 0.
  /// - Throws: `InputError` when there is no such row, or for that row.
  public init(_ experiment: Experiment, row: Int) throws {
    let rows = experiment.dataset.training
    guard rows.indices.contains(row) else {
      throw InputError.usage("--row", "must be a number up to \(rows.count), the rows to train on; found \(row + 1)")
    }
    let example = try experiment.encoder.example(of: rows[row])
    place = example.place
    listing = TokenListing(
      experiment.startingPrompt, example: example.tokens, loss: experiment.configuration.loss,
      tokenizer: experiment.tokenizer)
    labels = LabelListing(experiment, following: example)
    forecast = Result { RunForecast(try Trainer(experiment, run: RunDirectory("")), experiment) }
  }
}

/// What a run will take: positions, memory, time.
public struct RunForecast: Sendable {
  public let plan: TrainingPlan
  /// Tokens of the shortest, the median and the longest training example, up to what is computed of it.
  public let shortestExample: Int
  public let medianExample: Int
  public let longestExample: Int
  /// Of the model; nil: as many as one likes.
  public let positions: Int?
  /// Bytes at the peak, about.
  public let memory: Int
  /// How batches are computed, in words.
  public let packing: String
  public let time: TimeEstimate

  init(_ trainer: Trainer, _ experiment: Experiment) {
    plan = trainer.plan
    let lengths = trainer.examples.map { $0.labelPositions.last ?? 0 }.sorted()
    shortestExample = lengths.first ?? 0
    medianExample = lengths.isEmpty ? 0 : lengths[lengths.count / 2]
    longestExample = lengths.last ?? 0
    positions = experiment.model.decoder.maximumPositions
    memory = trainer.estimatedMemory
    packing = trainer.packing
    time = TimeEstimate(trainer, experiment, rate: experiment.team.matrixProductRate(size: 2048))
  }
}
