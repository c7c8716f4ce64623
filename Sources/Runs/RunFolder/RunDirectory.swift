import Diagnostics
import FileFormats
import System

/// The folder a run writes into.
///
///     config.json                 the resolved configuration
///     metrics.jsonl               one line per step and per evaluation
///     checkpoint-N/, best/        adapter and training state after step N, and after the best one
///     evaluations/                what `cpt eval` found, a pair of files per checkpoint, rows and scoring
///     tensorboard/                event files, if training.report_to asks for them
///     adapter_config.json, adapter_model.safetensors    the last adapter
///     head.safetensors            its classifier, with training.method "head"
///     cpt.lock                    locked while a process trains here
package struct RunDirectory: Sendable {
  package let path: String

  package init(_ path: String) { self.path = path }

  package var configurationFile: String { path + "/" + Self.configurationName }
  package var metricsFile: String { path + "/" + Self.metricsName }
  package var best: String { path + "/" + Self.bestName }
  package var evaluations: String { path + "/" + Self.evaluationsFolder }
  package var tensorBoard: String { path + "/" + Self.tensorBoardFolder }

  static let configurationName = "config.json"
  /// The name of the metrics file.
  package static let metricsName = "metrics.jsonl"
  static let tensorBoardFolder = "tensorboard"
  static let evaluationsFolder = "evaluations"
  static let bestName = "best"
  static let checkpointStart = "checkpoint-"

  package func checkpoint(_ step: Int) -> String { path + "/" + Self.checkpointStart + String(step) }

  /// Steps that have a complete checkpoint, ascending.
  package var checkpointSteps: [Int] {
    names(inDirectory: path).compactMap { name in
      name.hasPrefix(Self.checkpointStart) ? Int(name.dropFirst(Self.checkpointStart.count)) : nil
    }.filter { fileExists(checkpoint($0) + "/" + TrainerState.file) }.sorted()
  }

  /// Whether the run reached its last step: only then is there an adapter beside the checkpoints.
  package var isFinished: Bool { fileExists(path + "/" + Adapter.configurationFile) }

  /// The folder of the run's adapter: the best one, else the last one, else the newest checkpoint; nil before the first.
  package var adapterFolder: String? {
    if fileExists(best + "/" + Adapter.configurationFile) { return best }
    return isFinished ? path : checkpointSteps.last.map(checkpoint)
  }

  /// The state of the run beside an adapter; nil if there is none.
  ///
  /// - Throws: `InputError.badData` when it is malformed.
  package func state(of adapterFolder: String) throws -> TrainerState? {
    let file = adapterFolder + "/" + TrainerState.file
    return fileExists(file) ? try TrainerState(file: file) : nil
  }

  /// The state of the newest checkpoint; nil before the first.
  ///
  /// - Throws: `InputError.badData` when it is malformed.
  package func newestState() throws -> TrainerState? {
    try checkpointSteps.last.flatMap { try state(of: checkpoint($0)) }
  }

  /// Whether a run has written here, if only its configuration.
  ///
  /// Other programs have a metrics.jsonl, too; a run also has its configuration.
  package var holdsRun: Bool {
    guard fileExists(metricsFile) || fileExists(lockFile), fileExists(configurationFile) else { return false }
    return (try? JSON.read(file: configurationFile))?["peft_type"]?.string == Configuration().peftType
  }

  var lockFile: String { path + "/" + FolderLock.file }

  /// Whether a run could start here without meeting any file of a user.
  var isFree: Bool { names(inDirectory: path).allSatisfy { $0 == FolderLock.file || Self.isUnfinished($0) } }

  /// Keeps the lines of metrics.jsonl up to the step a run resumes at, none without one; a crash may have left half a
  /// line.
  package func keepMetrics(upTo step: Int?) throws {
    guard fileExists(metricsFile) else { return }
    let kept = try readBytes(of: metricsFile).split(separator: UInt8(ascii: "\n")).filter { line in
      let metrics = try? MetricsLine(parsing: line, file: metricsFile, line: 1)
      return metrics.flatMap { line in step.map { line.step <= $0 } } ?? false
    }
    try writeAtomically(kept.flatMap { Array($0) + [UInt8(ascii: "\n")] }, to: metricsFile)
  }
}
