import Diagnostics
import Method
import System

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

/// A folder for results of one kind, as a new process finds it.
package struct ResultFolder {
  private let path: String
  private let kind: String
  private let isFree: () -> Bool
  private let holdsResults: () -> Bool

  /// - Parameters:
  ///   - path: the folder, which need not exist.
  ///   - kind: what the results are, in messages: "run".
  ///   - isFree: whether results could start here without meeting any file of a user.
  ///   - holdsResults: whether results of this kind are here.
  package init(_ path: String, kind: String, isFree: @escaping () -> Bool, holdsResults: @escaping () -> Bool) {
    self.path = path
    self.kind = kind
    self.isFree = isFree
    self.holdsResults = holdsResults
  }

  /// Whether a process has ever locked the folder.
  package var hasLock: Bool { fileExists(path + "/" + FolderLock.file) }

  /// Checks that what the folder holds is what was asked for; writes nothing, not even the lock.
  ///
  /// - Throws: `InputError.usage` otherwise.
  package func check(_ earlier: EarlierRun) throws {
    if fileExists(path), !isDirectory(path) {
      throw InputError.usage(path, "is a file; expected a folder to write results into")
    }
    switch earlier {
    case .overwrite:
      guard isFree() || holdsResults() else {
        throw InputError.usage(
          path, "holds files but no \(kind); --overwrite replaces only \(kind)s, use another --output")
      }
    case .resume:
      // A process that was killed before its first file left an empty folder.
      guard holdsResults() || (isDirectory(path) && isFree()) else {
        throw InputError.usage("--resume", "there is no \(kind) in \(path); start one without --resume")
      }
    case .resumeIfAny, .refuse:
      guard isFree() || (earlier == .resumeIfAny && holdsResults()) else {
        throw InputError.usage(
          path, "is not empty; use --resume to continue its \(kind), --overwrite to start over, or another --output")
      }
    }
  }

  /// Takes the folder for this process, and checks it once no other one can change it.
  ///
  /// - Returns: the lock, to be kept as long as the process writes.
  /// - Throws: `InputError.usage` when another process uses the folder, or as `check` does.
  package func take(_ earlier: EarlierRun) throws -> FolderLock {
    if !hasLock { try check(earlier) }
    guard let lock = try FolderLock(path) else {
      throw InputError.usage(path, "another cpt is training here; wait for it, or use another --output")
    }
    try check(earlier)
    return lock
  }
}

extension RunDirectory {
  /// Takes the folder for this process, and brings what a killed process left there into order.
  ///
  /// - Returns: the lock, to be kept as long as the run writes.
  /// - Throws: `InputError.usage` when another process uses the folder, or when it holds what must not be there.
  package func claim(_ earlier: EarlierRun) throws -> FolderLock {
    let results = ResultFolder(path, kind: "run", isFree: { isFree }, holdsResults: { holdsRun })
    let lock = try results.take(earlier)
    try settle()
    if earlier == .overwrite { try removeRun() }
    return lock
  }

  /// Finishes or removes what a killed process left half-written or half-removed.
  private func settle() throws {
    func isComplete(_ folder: String) -> Bool { fileExists(folder + "/" + TrainerState.file) }
    for name in names(inDirectory: path) where Self.isUnfinished(name) {
      let unfinished = path + "/" + name, target = path + "/" + Self.base(of: name)
      if !isComplete(target), isComplete(unfinished) {
        try replaceFiles(Checkpoint.files, inDirectory: target, from: unfinished)
      } else if isDirectory(unfinished) {
        try removeCheckpoint(unfinished)
      } else {
        try removeRecursively(unfinished)
      }
    }
    for name in names(inDirectory: path) where Self.isCheckpoint(name) && !isComplete(path + "/" + name) {
      try removeCheckpoint(path + "/" + name)
    }
  }

  /// Removes what a run wrote here, and nothing else; what shows that there is a run, last.
  package func removeRun() throws {
    let names = names(inDirectory: path).filter { Self.isRunFile(Self.base(of: $0)) }
    // A checkpoint needs the best one, both need the metrics, and all need the configuration.
    let last = [Self.bestName, Self.metricsName, Self.configurationName]
    let checkpoints = names.filter { Self.isCheckpoint($0) && $0 != Self.bestName }
    let events = System.names(inDirectory: tensorBoard).filter { $0.hasPrefix("events.out.tfevents.") }
    for name in checkpoints { try removeCheckpoint(path + "/" + name) }
    try removeFiles(events, inDirectory: tensorBoard)
    let kept = System.names(inDirectory: evaluations).filter { name in
      [".json", ".jsonl"].contains { Self.base(of: name).hasSuffix($0) }
    }
    try removeFiles(kept, inDirectory: evaluations)
    for name in names.filter({
      !(last + checkpoints + [Self.tensorBoardFolder, Self.evaluationsFolder]).contains($0)
    }) {
      try removeRecursively(path + "/" + name)
    }
    try removeCheckpoint(best)
    for name in last.dropFirst() { try removeRecursively(path + "/" + name) }
  }

  /// A file in the folder that no run writes, and that is none of these; nil if there is none.
  package func otherFile(than known: [String]) -> String? {
    names(inDirectory: path).first {
      !Self.isRunFile(Self.base(of: $0)) && $0 != FolderLock.file && !known.contains($0)
    }
  }

  /// Removes the checkpoints of a finished run, but for the best one and the adapter.
  package func removeCheckpoints() throws {
    for step in checkpointSteps { try removeCheckpoint(checkpoint(step)) }
  }

  /// Removes the files of a checkpoint; half-removed, it does not count as one.
  package func removeCheckpoint(_ folder: String) throws { try removeFiles(Checkpoint.files, inDirectory: folder) }

  /// The run's folder, if this is one of its checkpoints; else the folder itself.
  package static func ofCheckpoint(_ path: String) -> String {
    isCheckpoint(lastComponent(of: path)) ? folder(of: path) : path
  }

  /// The name without what marks a file or folder that is being written.
  private static func base(of name: String) -> String {
    guard let mark = unfinishedMarks.compactMap({ name.firstRange(of: $0) }).first else { return name }
    return String(name[..<mark.lowerBound])
  }

  /// Whether a name is that of a file or folder of a run that is being written.
  static func isUnfinished(_ name: String) -> Bool { base(of: name) != name && isRunFile(base(of: name)) }

  /// The last is of earlier versions.
  private static let unfinishedMarks = [".partial", ".old"]

  private static func isCheckpoint(_ name: String) -> Bool {
    name == bestName || (name.hasPrefix(checkpointStart) && Int(name.dropFirst(checkpointStart.count)) != nil)
  }

  private static func isRunFile(_ name: String) -> Bool {
    [
      configurationName, metricsName, tensorBoardFolder, evaluationsFolder, Adapter.configurationFile,
      Adapter.weightsFile,
      ClassifierHead.file,
    ].contains(name) || isCheckpoint(name)
  }
}
