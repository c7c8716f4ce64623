import System

/// What a run's files say of one of its adapters: the settings it was tuned with, on how many rows, and how good it is.
package struct AdapterRecord: Sendable {
  /// On the validation rows.
  package struct Evaluation {
    let loss: Double
    let accuracy: Double
    let macroF1: Double
  }

  package let configuration: Configuration
  package let step: Int?
  package let trainingRows: Int?
  package let validationRows: Int?
  /// After this step; nil where the run measured none then.
  package let evaluation: Evaluation?

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
    step = state["step"]?.integer
    trainingRows = state["training_rows"]?.integer
    validationRows = state["validation_rows"]?.integer
    let history = run.holdsRun ? try RunHistory(run) : nil
    let values = ["eval_loss", "eval_accuracy", "eval_macro_f1"].compactMap { [step] metric in
      history?[metric].last { $0.step == step }?.value
    }
    evaluation =
      values.count == 3 ? Evaluation(loss: values[0], accuracy: values[1], macroF1: values[2]) : nil
  }
}
