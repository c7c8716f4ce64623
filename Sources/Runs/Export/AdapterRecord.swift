import System

/// A run's record of one of its adapters: the settings it was tuned with, the number of rows, and its metrics.
package struct AdapterRecord: Sendable {
  package let configuration: Configuration
  /// The progress of the run at that point.
  package let state: TrainerState
  /// The metrics on the validation rows after that step; nil if the run measured none then.
  package let evaluation: EvaluationMetrics?

  /// Reads the files beside a run's last adapter, its `best/` or a checkpoint; nil if no run wrote the adapter.
  ///
  /// - Throws: `InputError.badData` for a malformed file of the run.
  package init?(adapterFolder: String) throws {
    let own = RunDirectory(absolutePath(adapterFolder))
    // The adapter in the run's own folder is that of its last checkpoint.
    let isLast = fileExists(own.metricsFile)
    let run = isLast ? own : RunDirectory(folder(of: own.path))
    let checkpoint = isLast ? own.checkpointSteps.last.map(own.checkpoint) : own.path
    guard let checkpoint, let state = try run.state(of: checkpoint) else { return nil }
    configuration = try Configuration(file: own.configurationFile)
    self.state = state
    let history = run.holdsRun ? try RunHistory(run) : nil
    evaluation = history?.evaluations.last { $0.step == state.step && $0.loss.isFinite }
  }
}
