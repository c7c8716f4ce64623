import Diagnostics
import FileFormats
import Kernels
import Runs
import Tuning

/// Tunes the context of a configuration's model on its labelled rows, as `cpt train` does.
///
/// ```swift
/// let summary = try Training(configuration: "reviews.json").run { event in
///   if case .step(let step, let steps, let loss) = event { print("\(step)/\(steps) loss \(loss)") }
/// }
/// let model = try TunedModel(checkpoint: summary.checkpoint)
/// ```
public struct Training {
  /// The progress of a run.
  public enum Event: Sendable {
    /// The first step comes after step `step`, of `steps`.
    case started(step: Int, steps: Int)
    /// A step was taken; the loss is the weighted mean over its label tokens, in nats.
    case step(Int, of: Int, loss: Double)
    /// The validation rows were evaluated; step 0 is the untrained context.
    case evaluated(step: Int, accuracy: Double, loss: Double, isBest: Bool)
    /// A checkpoint was written to this folder.
    case saved(checkpoint: String)
  }

  /// What to do with an earlier run in the folder.
  public enum EarlierRun: Sendable {
    /// Throw.
    case refuse
    /// Go on with it, from its newest checkpoint.
    case resume
    /// Remove it.
    case overwrite
  }

  /// How a run ended.
  public struct Summary: Sendable {
    /// The folder to open: the best checkpoint, or the last if nothing was validated.
    public let checkpoint: String
    /// Steps taken.
    public let steps: Int
    /// Whether it was stopped before its end, and can be resumed.
    public let wasInterrupted: Bool
    /// The best accuracy on validation rows; nil without any.
    public let bestAccuracy: Double?
  }

  private let configuration: Configuration
  private let folder: String
  private let team: ThreadTeam

  /// Reads a configuration.
  ///
  /// - Parameters:
  ///   - file: the configuration, a JSON file as for `cpt train --config`.
  ///   - output: the folder for results; nil: the configuration's.
  ///   - settings: keys with other values, such as `["training.seed": "3"]`; a value is JSON, or else a text.
  ///   - threads: threads to compute with; nil: as many as there are cores for this process.
  /// - Throws: ``ContextTuningError`` naming the key.
  public init(
    configuration file: String, output: String? = nil, settings: KeyValuePairs<String, String> = [:],
    threads: Int? = nil
  ) throws {
    (configuration, folder, team) = try ContextTuningError.wrapping {
      var configuration = try Configuration(
        file: file,
        overrides: settings.map { key, value in
          (key, (try? JSON(parsing: Array(value.utf8), file: key)) ?? .string(value))
        })
      if let output { configuration.outputDirectory = output }
      guard let folder = configuration.outputDirectory else {
        throw InputError.badData(file, "has no \"output_dir\"; expected a folder for the results")
      }
      return (configuration, folder, try ThreadTeam(forProcess: threads, askedBy: "threads"))
    }
  }

  /// Trains; blocks the calling thread.
  ///
  /// - Parameters:
  ///   - earlier: what to do with a run in the folder.
  ///   - report: called for every event.
  ///   - shouldStop: asked after every step; true ends the run with a checkpoint.
  /// - Returns: how the run ended.
  /// - Throws: ``ContextTuningError``, or what `report` throws; checkpoints are kept.
  public func run(
    earlier: EarlierRun = .refuse, report: (Event) throws -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws -> Summary {
    let run = RunDirectory(folder)
    var (trainer, steps) = try ContextTuningError.wrapping {
      var trainer = try Trainer(TrainingSetup(configuration, team: team), run: run)
      try trainer.begin(earlier == .resume ? .resume : earlier == .overwrite ? .overwrite : .refuse)
      return (trainer, trainer.plan.totalSteps)
    }
    do {
      let summary = try trainer.train(shouldStop: shouldStop) { event in
        switch event {
        case .started(let plan):
          steps = plan.totalSteps
          try report(.started(step: plan.firstStep, steps: steps))
        case .step(let metrics): try report(.step(metrics.step, of: steps, loss: metrics.loss))
        case .evaluated(let metrics, let isBest):
          try report(
            .evaluated(step: metrics.step, accuracy: metrics.accuracy, loss: metrics.loss, isBest: isBest))
        case .saved(let folder): try report(.saved(checkpoint: folder))
        case .read: break
        }
      }
      return Summary(
        checkpoint: summary.bestStep == nil ? run.path : run.best, steps: summary.step,
        wasInterrupted: summary.wasInterrupted, bestAccuracy: summary.bestMetric)
    } catch let error as InputError {
      throw ContextTuningError(error)
    }
  }
}
