import Diagnostics
import FileFormats
import System

/// The folder a run writes into.
///
///     config.json                 the resolved configuration
///     metrics.jsonl               one line per step and per evaluation
///     checkpoint-N/, best/        adapter and training state after step N, and after the best one
///     tensorboard/                event files, if training.report_to asks for them
///     adapter_config.json, adapter_model.safetensors    the last adapter
package struct RunDirectory: Sendable {
  package let path: String

  package init(_ path: String) { self.path = path }

  package var configurationFile: String { path + "/" + Self.configurationName }
  package var metricsFile: String { path + "/" + Self.metricsName }
  package var best: String { path + "/best" }
  package var tensorBoard: String { path + "/" + Self.tensorBoardFolder }

  static let configurationName = "config.json"
  /// The name of the metrics file.
  package static let metricsName = "metrics.jsonl"
  private static let tensorBoardFolder = "tensorboard"

  package func checkpoint(_ step: Int) -> String { "\(path)/checkpoint-\(step)" }

  /// Steps that have a complete checkpoint, ascending.
  package var checkpointSteps: [Int] {
    names(inDirectory: path).compactMap { name in
      name.hasPrefix("checkpoint-") ? Int(name.dropFirst("checkpoint-".count)) : nil
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

  /// Whether a run has written here.
  package var holdsRun: Bool { fileExists(metricsFile) }

  /// Removes what a run wrote here, and nothing else.
  private func removeRun() throws {
    for name in names(inDirectory: path) where Self.isRunFile(name) { try removeRecursively(path + "/" + name) }
  }

  private static func isRunFile(_ name: String) -> Bool {
    let first = name.split(separator: ".").first.map(String.init) ?? name
    return [
      configurationName, metricsName, tensorBoardFolder, Adapter.configurationFile, Adapter.weightsFile,
    ].contains(name)
      || first == "best" || (first.hasPrefix("checkpoint-") && Int(first.dropFirst("checkpoint-".count)) != nil)
  }

  /// Keeps the lines of metrics.jsonl up to the step a run resumes at; a crash may have left half a line.
  package func keepMetrics(upTo step: Int) throws {
    guard fileExists(metricsFile) else { return }
    let kept = try readBytes(of: metricsFile).split(separator: UInt8(ascii: "\n")).filter { line in
      let metrics = try? MetricsLine(parsing: line, file: metricsFile, line: 1)
      return metrics.map { $0.step <= step } ?? false
    }
    try writeAtomically(kept.flatMap { Array($0) + [UInt8(ascii: "\n")] }, to: metricsFile)
  }

  package var isInUse: InputError { .usage(path, "another cpt is training here; wait for it, or use another --output") }

  /// Checks that a run may write here.
  ///
  /// - Throws: `InputError.usage` when the folder is not empty and neither flag was given.
  package func claim(resuming: Bool, overwriting: Bool) throws {
    if fileExists(path), !isDirectory(path) {
      throw InputError.usage(path, "is a file; expected a folder to write results into")
    }
    if isLocked(metricsFile) { throw isInUse }
    let isEmpty = names(inDirectory: path).isEmpty
    if overwriting {
      guard isEmpty || holdsRun else {
        throw InputError.usage(
          path, "holds files but no run (no metrics.jsonl); --overwrite replaces only runs, use another --output")
      }
      try removeRun()
    } else if resuming {
      guard holdsRun else {
        throw InputError.usage("--resume", "there is no run in \(path); start one without --resume")
      }
    } else if !isEmpty {
      throw InputError.usage(
        path, "is not empty; use --resume to continue its run, --overwrite to start over, or another --output")
    }
  }
}
