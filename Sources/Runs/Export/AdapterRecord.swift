import System

/// What a run's files say of one of its adapters: the settings it was tuned with, on how many rows, and how good it is.
package struct AdapterRecord: Sendable {
  package let configuration: Configuration
  /// How far the run had come.
  package let state: TrainerState
  /// On the validation rows, after that step; nil where the run measured none then.
  package let evaluation: EvaluationMetrics?

  /// Looks beside the adapter of a run, its `best/` or one of its checkpoints; nil where no run left it.
  ///
  /// - Throws: `InputError.badData` for a file of the run that is not what the run wrote.
  package init?(adapterFolder: String) throws {
    let own = RunDirectory(absolutePath(adapterFolder))
    // The adapter of the run's own folder is the one of its last checkpoint.
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
