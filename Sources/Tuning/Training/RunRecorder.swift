import FileFormats
import LanguageModel
import Runs
import System

/// Writes the files of a run while it trains.
struct RunRecorder {
  private let run: RunDirectory
  private let configuration: Configuration
  private let model: AdapterModel
  /// Hashes of the tokens that the run depends on, and of the frozen model.
  private let fingerprints: (data: String, model: String)
  private let metrics: AppendingFile
  private let tensorBoard: TensorBoardLog?

  /// Writes the configuration, and keeps the metrics up to the step that a run resumed from.
  init(
    _ run: RunDirectory, _ configuration: Configuration, model: FrozenModel, data: String, resumedFrom step: Int?
  ) throws {
    self.run = run
    self.configuration = configuration
    self.model = AdapterModel(model)
    fingerprints = (data, model.fingerprint)
    try writeAtomically(configuration.resolvedJSON.pretty + "\n", to: run.configurationFile)
    try run.keepMetrics(upTo: step)
    metrics = try AppendingFile(path: run.metricsFile)
    tensorBoard =
      configuration.training.report == .tensorBoard
      ? try TensorBoardLog(folder: run.tensorBoard, firstStep: step.map { $0 + 1 } ?? 0) : nil
    // A process that was killed may not have come to it.
    try removeOldCheckpoints()
  }

  /// Adds the metrics of an event.
  func append(_ event: TrainingEvent) throws {
    switch event {
    case .step(let step): try metrics.append(line: step.json.compact)
    case .evaluated(let evaluation, _): try metrics.append(line: evaluation.json.compact)
    case .started, .read, .saved: break
    }
    try tensorBoard?.append(event)
  }

  /// Writes the state after a step.
  func writeCheckpoint(_ state: Checkpoint) throws {
    try write(state, to: run.checkpoint(state.step))
    try removeOldCheckpoints()
  }

  /// Writes the state of the best evaluation.
  func writeBest(_ state: Checkpoint) throws { try write(state, to: run.best) }

  /// Writes the adapter after the last step.
  func writeAdapter(_ state: Checkpoint) throws {
    try Adapter(prompt: state.prompt.projected, configuration: configuration, model: model, head: state.head)
      .write(to: run.path)
  }

  private func write(_ state: Checkpoint, to folder: String) throws {
    try state.write(
      to: folder, configuration: configuration, model: model, data: fingerprints.data,
      modelFingerprint: fingerprints.model)
  }

  private func removeOldCheckpoints() throws {
    guard let limit = configuration.training.saveTotalLimit else { return }
    for old in run.checkpointSteps.dropLast(limit) { try run.removeCheckpoint(run.checkpoint(old)) }
  }
}
