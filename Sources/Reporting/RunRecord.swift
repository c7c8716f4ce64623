import Diagnostics
import Kernels
import LanguageModel
import Runs
import System
import Tokenization
import Tuning

/// The contents of a run for a report: its files, and the results computed from them.
package struct RunRecord: Sendable {
  package let path: String
  let configuration: Configuration
  let history: RunHistory
  /// The time its metrics were last written.
  let date: String?
  let isFinished: Bool
  /// The number of evaluations without a better one at the run's end, if that let it end early.
  let stagnantEvaluations: Int?
  /// The folder of the adapter shown; nil if the run has none yet.
  let adapterFolder: String?
  /// The progress of the run when it wrote that adapter.
  private let state: TrainerState?
  /// The context before and after tuning; nil without an adapter.
  private(set) var context: ContextRecord?
  /// Its predictions; nil without an adapter or rows, or if none were requested.
  package private(set) var evaluation: EvaluationRecord?

  /// Reads the folder of a run.
  ///
  /// - Throws: `InputError` when it is not a run, or for a file in it.
  package init(folder: String) throws {
    guard fileExists(folder) else { throw InputError.missing(folder, "no such folder; expected the folder of a run") }
    let run = RunDirectory(folder)
    guard run.holdsRun else {
      throw InputError.missing(run.metricsFile, "not found; expected the folder of a run of cpt train")
    }
    path = folder
    configuration = try Configuration(file: run.configurationFile).found(from: run.path)
    history = try RunHistory(run)
    date = modificationTime(of: run.metricsFile)
    isFinished = run.isFinished
    let stopping = try run.newestState()?.earlyStopping
    stagnantEvaluations = configuration.training.earlyStoppingPatience.flatMap { patience in
      stopping.flatMap { $0.evaluationsWithoutBetter >= patience ? $0.evaluationsWithoutBetter : nil }
    }
    adapterFolder = run.adapterFolder
    state = try run.adapterFolder.flatMap { try run.state(of: $0) }
  }

  /// The run's name: the last component of its path.
  package var name: String { lastComponent(of: absolutePath(path)) }

  /// The step after which its adapter was written.
  var adapterStep: Int { state?.step ?? history.lastStep }

  /// The step of the best checkpoint on validation rows.
  var bestStep: Int? { state?.bestStep }

  /// A hash of the tokens the run depends on, if a checkpoint has it.
  var fingerprint: String? { state?.dataFingerprint }

  /// The evaluated split: test rows, else validation rows; nil if there are neither.
  var split: Split? { configuration.data.evaluationSplit }

  /// What `compute` does.
  package enum Activity {
    /// Finds out how far the context moved.
    case context
    /// Begins to predict rows, since the run keeps no evaluation of them.
    case predicts(rows: Int)
    /// Has predicted rows with a method.
    case rows(String, done: Int, of: Int)
    /// The predictions could not be kept in the run's folder.
    case notKept(InputError)
  }

  /// Opens model and adapter, and takes the evaluation that the run keeps, or evaluates the adapter and keeps that;
  /// does nothing without an adapter.
  ///
  /// - Parameters:
  ///   - model: the frozen model's folder, in place of the configuration's.
  ///   - evaluates: whether to predict rows.
  ///   - team: the threads to compute with.
  ///   - progress: is called with the current activity.
  /// - Throws: `InputError` for anything missing or wrong.
  package mutating func compute(
    model: String?, evaluates: Bool, team: ThreadTeam, progress: (Activity) -> Void
  ) throws {
    guard let adapterFolder else { return }
    let adapter = try Adapter(folder: adapterFolder)
    var configuration = configuration
    if let model { configuration = configuration.using(model: model) }
    progress(.context)
    guard evaluates, let split else {
      guard let folder = configuration.baseModel else {
        throw InputError.badData(path, "its configuration names no model; use --model")
      }
      let decoder = try FrozenModel(path: folder).decoder
      context = ContextRecord(
        try adapter.prompt(over: decoder), decoder: decoder,
        tokenizer: try? Tokenizer(path: configuration.tokenizer ?? folder), team: team)
      return
    }
    let setup = try EvaluationSetup(configuration, adapter: adapter, split: split, team: team)
    context = ContextRecord(setup.prompt, decoder: setup.model.decoder, tokenizer: setup.tokenizer, team: team)
    let kept = KeptEvaluations(of: adapter)
    let found = kept?.predictions(of: setup)
    let record = try EvaluationRecord(setup, split: split, kept: found, progress: progress)
    evaluation = record
    guard let kept, record.hasMore(than: found) else { return }
    do {
      try kept.keep(KeptEvaluation(of: setup, split: split), record.lines)
    } catch let error as InputError {
      progress(.notKept(error))
    }
  }
}
