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
///     cpt.lock                    locked while a process trains here
package struct RunDirectory: Sendable {
  package let path: String

  package init(_ path: String) { self.path = path }

  package var configurationFile: String { path + "/" + Self.configurationName }
  package var metricsFile: String { path + "/" + Self.metricsName }
  package var best: String { path + "/" + Self.bestName }
  package var tensorBoard: String { path + "/" + Self.tensorBoardFolder }

  static let configurationName = "config.json"
  /// The name of the metrics file.
  package static let metricsName = "metrics.jsonl"
  private static let tensorBoardFolder = "tensorboard"
  private static let bestName = "best"
  private static let checkpointStart = "checkpoint-"

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

  private var lockFile: String { path + "/" + FolderLock.file }

  /// Whether a run could start here without meeting any file of a user.
  private var isFree: Bool { names(inDirectory: path).allSatisfy { $0 == FolderLock.file || Self.isUnfinished($0) } }

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

/// What a new process does with a run that a folder holds already.
package enum EarlierRun: Sendable {
  /// Nothing: the folder must be free.
  case refuse
  /// Go on with it.
  case resume
  /// Go on with it if there is one.
  case resumeIfAny
  /// Remove it.
  case overwrite
}

extension RunDirectory {
  /// Takes the folder for this process, and brings what a killed process left there into order.
  ///
  /// - Returns: the lock, to be kept as long as the run writes.
  /// - Throws: `InputError.usage` when another process uses the folder, or when it holds what must not be there.
  package func claim(_ earlier: EarlierRun) throws -> FolderLock {
    // Nothing is written into a folder of the user's, not even the lock.
    if !fileExists(lockFile) { try check(earlier) }
    guard let lock = try FolderLock(path) else {
      throw InputError.usage(path, "another cpt is training here; wait for it, or use another --output")
    }
    try check(earlier)
    try settle()
    if earlier == .overwrite { try removeRun() }
    return lock
  }

  private func check(_ earlier: EarlierRun) throws {
    if fileExists(path), !isDirectory(path) {
      throw InputError.usage(path, "is a file; expected a folder to write results into")
    }
    switch earlier {
    case .overwrite:
      guard isFree || holdsRun else {
        throw InputError.usage(
          path, "holds files but no run; --overwrite replaces only runs, use another --output")
      }
    case .resume:
      // A run that was killed before its first file left an empty folder.
      guard holdsRun || (isDirectory(path) && isFree) else {
        throw InputError.usage("--resume", "there is no run in \(path); start one without --resume")
      }
    case .resumeIfAny, .refuse:
      guard isFree || (earlier == .resumeIfAny && holdsRun) else {
        throw InputError.usage(
          path, "is not empty; use --resume to continue its run, --overwrite to start over, or another --output")
      }
    }
  }

  /// Finishes or removes what a killed process left half-written or half-removed.
  private func settle() throws {
    func isComplete(_ folder: String) -> Bool { fileExists(folder + "/" + TrainerState.file) }
    for name in names(inDirectory: path) where Self.isUnfinished(name) {
      let unfinished = path + "/" + name, target = path + "/" + Self.base(of: name)
      if !isComplete(target), isComplete(unfinished) {
        try replaceFiles(Checkpoint.files, inDirectory: target, from: unfinished)
      } else {
        try removeRecursively(unfinished)
      }
    }
    for name in names(inDirectory: path) where Self.isCheckpoint(name) && !isComplete(path + "/" + name) {
      try removeCheckpoint(path + "/" + name)
    }
  }

  /// Removes what a run wrote here, and nothing else; what shows that there is a run, last.
  private func removeRun() throws {
    let names = names(inDirectory: path).filter { Self.isRunFile(Self.base(of: $0)) }
    // A checkpoint needs the best one, both need the metrics, and all need the configuration.
    let last = [Self.bestName, Self.metricsName, Self.configurationName]
    let checkpoints = names.filter { Self.isCheckpoint($0) && $0 != Self.bestName }
    let events = System.names(inDirectory: tensorBoard).filter { $0.hasPrefix("events.out.tfevents.") }
    for name in checkpoints { try removeCheckpoint(path + "/" + name) }
    try removeFiles(events, inDirectory: tensorBoard)
    for name in names.filter({ !(last + checkpoints + [Self.tensorBoardFolder]).contains($0) }) {
      try removeRecursively(path + "/" + name)
    }
    try removeCheckpoint(best)
    for name in last.dropFirst() { try removeRecursively(path + "/" + name) }
  }

  /// Removes the files of a checkpoint; half-removed, it does not count as one.
  package func removeCheckpoint(_ folder: String) throws { try removeFiles(Checkpoint.files, inDirectory: folder) }

  /// The run's folder, if this is one of its checkpoints; else the folder itself.
  static func ofCheckpoint(_ path: String) -> String { isCheckpoint(lastComponent(of: path)) ? folder(of: path) : path }

  /// The name without what marks a file or folder that is being written.
  private static func base(of name: String) -> String {
    guard let mark = unfinishedMarks.compactMap({ name.firstRange(of: $0) }).first else { return name }
    return String(name[..<mark.lowerBound])
  }

  /// Whether a name is that of a file or folder of a run that is being written.
  private static func isUnfinished(_ name: String) -> Bool { base(of: name) != name && isRunFile(base(of: name)) }

  /// The last is of earlier versions.
  private static let unfinishedMarks = [".partial", ".old"]

  private static func isCheckpoint(_ name: String) -> Bool {
    name == bestName || (name.hasPrefix(checkpointStart) && Int(name.dropFirst(checkpointStart.count)) != nil)
  }

  private static func isRunFile(_ name: String) -> Bool {
    [configurationName, metricsName, tensorBoardFolder, Adapter.configurationFile, Adapter.weightsFile].contains(name)
      || isCheckpoint(name)
  }
}
