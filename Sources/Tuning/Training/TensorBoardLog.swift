import FileFormats

/// A run's metrics for TensorBoard.
struct TensorBoardLog {
  private let file: TensorBoardEventFile

  /// Starts a new file in a folder, for the steps from this one on.
  init(folder: String, firstStep: Int) throws {
    file = try TensorBoardEventFile(folder: folder, firstStep: firstStep)
  }

  /// Writes the metrics of an event.
  func append(_ event: TrainingEvent) throws {
    switch event {
    case .step(let metrics):
      try file.append(
        step: metrics.step,
        [
          ("train/loss", metrics.loss), ("train/label_accuracy", metrics.labelAccuracy),
          ("train/learning_rate", metrics.learningRate), ("train/grad_norm", metrics.gradientNorm),
          ("train/examples_per_second", metrics.examplesPerSecond),
        ])
    case .evaluated(let metrics, _):
      try file.append(
        step: metrics.step,
        [("eval/loss", metrics.loss), ("eval/accuracy", metrics.accuracy), ("eval/macro_f1", metrics.macroF1)])
    case .started, .read, .saved: break
    }
  }
}
