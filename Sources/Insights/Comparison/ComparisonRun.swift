import Collectives
import Diagnostics
import FileFormats
import Glibc
import Kernels
import Runs
import System
import Tuning

/// Trains and evaluates the methods of a study over its seeds and conditions, cell by cell, and records every finished
/// cell.
///
/// Seeds are the outermost loop: the first seed of all conditions and methods is finished before the second begins, so that a
/// comparison that was stopped early compares as much as it can.
///
/// With several ranks, the first hands cells and candidates out, one at a time to whoever has nothing to do, computes some
/// itself, and writes what comes of all of them.
package final class ComparisonRun {
  /// The progress of a comparison.
  package enum Event {
    /// A cell or a candidate begins: its folder's name.
    case began(String)
    /// Nothing keeps other processes out of the folder.
    case folderWithoutLocks
    case training(TrainingEvent)
    /// Some of all rows have been scored.
    case scoring(rows: Int, of: Int)
    case validated(Comparison.Candidate)
    /// Its cell was trained and evaluated, in so many seconds.
    case finished(Comparison.Cell, seconds: Double)
    /// A cell was finished by an earlier run.
    case skipped(Comparison.Cell)
  }

  /// How it ended.
  package struct Outcome: Sendable {
    package let comparison: Comparison
    package let times: ComparisonTimes
    /// Whether it was stopped before its last cell.
    package let wasInterrupted: Bool
  }

  private let study: Study
  private let folder: ComparisonFolder
  private let runner: CellRunner
  private let hashes: DataHashes
  private let ranks: any Communicator
  /// The parts of the study, and those that are done or that a rank has begun.
  private let work: [StudyWork]
  private var begun: Set<Int> = []
  /// What `run` tells its caller.
  private var report: (Event) -> Void = { _ in }
  /// Ranks that wait for something to do, and those that have left.
  private var waiting: [Int] = []
  private var left: Set<Int> = []
  /// Whether a rank was stopped.
  private var isStopped = false
  /// The error of a message from another rank.
  private var messageError: (any Error)?
  private var comparison: Comparison
  private var times = ComparisonTimes()

  /// Reads the configuration of every cell.
  ///
  /// - Parameters:
  ///   - study: what to compare.
  ///   - isStudy: whether it is from a study file, for the record.
  ///   - settings: the arguments of `--set`, to be recorded.
  ///   - folder: the folder of the comparison; nil: the study's.
  ///   - earlier: what to do with a comparison in the folder.
  ///   - ranks: the processes that share the cells; the folder is one that all of them see.
  ///   - makeTeam: makes the threads to compute with, as many as an earlier part of the comparison used.
  /// - Throws: `InputError` for a mistake in a configuration.
  package init(
    _ study: Study, isStudy: Bool, settings: [String], folder: String?, earlier: EarlierRun,
    ranks: any Communicator = SoleRank.only, team makeTeam: (_ earlier: Int?) throws -> ThreadTeam
  ) throws {
    let split = try study.measuredSplit
    guard let folder = folder ?? study.outputDirectory.map({ resolve($0, relativeTo: System.folder(of: study.file)) })
    else {
      throw InputError.usage(
        "--output", "is missing, and \(study.file) has no \"output_dir\"; expected a folder for the results")
    }
    let goesOn = earlier == .resume && fileExists(folder + "/" + Comparison.file)
    let team = try makeTeam(goesOn ? Comparison(folder: folder).threads : nil)
    self.study = study
    self.ranks = ranks
    hashes = DataHashes()
    self.folder = ComparisonFolder(folder, for: study, earlier, hashes: hashes)
    runner = CellRunner(
      study, in: folder, measuring: split, team: team, ranksOnMachine: ranks.splitByMachine().size, hashes: hashes)
    work = study.work
    comparison = Comparison()
    comparison.configuration = study.file == Configuration.standardInput ? study.file : absolutePath(study.file)
    comparison.isStudy = isStudy
    comparison.settings = settings
    comparison.split = split
    comparison.threads = team.threads
    comparison.conditions = study.conditions
    comparison.methods = study.methods.map(\.name)
    comparison.seeds = study.seeds
  }

  package var path: String { folder.path }

  /// The number of cells of the study.
  package var cellCount: Int { study.conditions.count * study.methods.count * study.seeds.count }

  /// Checks that the folder is empty, or that the comparison in it can continue.
  ///
  /// A folder is created and locked only when a first cell can be trained.
  ///
  /// - Throws: `InputError` when it is in use or holds other files, or cells with other settings.
  package func prepare() throws {
    if ranks.rank == 0 { (comparison, times) = try folder.prepare(comparison) }
  }

  /// Trains and evaluates every cell that is not finished.
  ///
  /// - Throws: `InputError` of a cell's run; cells finished before are kept.
  package func run(shouldStop: () -> Bool, report: @escaping (Event) -> Void) throws -> Outcome {
    self.report = report
    runner.report = report
    try ranks.requireSame(
      "the study, its models and its rows", hashes.fingerprint(of: study), remedy: "give every machine the same files")
    if ranks.rank > 0 {
      try runForFirstRank(shouldStop: shouldStop)
      return Outcome(comparison: comparison, times: times, wasInterrupted: isStopped)
    }
    runner.willTrain = { [unowned self] in try takeFolder() }
    // Other ranks begin once the folder is ours.
    if ranks.size > 1 { try takeFolder() }
    for (index, part) in work.enumerated() {
      guard case .cell(let condition, let method, let seed) = part,
        let cell = comparison.cell(condition, method.name, seed: seed)
      else { continue }
      begun.insert(index)
      report(.skipped(cell))
    }
    while !isStopped, let own = try nextAssignment(shouldStop: shouldStop) {
      let result = try result(
        of: own,
        shouldStop: {
          // Between two steps there is time for the others.
          self.answer()
          return shouldStop() || self.isStopped || self.messageError != nil
        })
      if let messageError { throw messageError }
      try record(result)
    }
    while left.count < ranks.size - 1 {
      answer()
      if let messageError { throw messageError }
      usleep(500)
    }
    // Its summaries may be those of another version.
    if !isStopped { try write() }
    return Outcome(comparison: comparison, times: times, wasInterrupted: isStopped)
  }

  /// Does what the first rank hands out, until nothing is left.
  private func runForFirstRank(shouldStop: () -> Bool) throws {
    ranks.send([], to: 0)
    while let assignment = StudyAssignment(ranks.nextMessage().bytes) {
      let result = try result(of: assignment, shouldStop: shouldStop)
      ranks.send(result.bytes, to: 0)
      if result == .stopped {
        isStopped = true
        return
      }
    }
  }

  /// What this rank does next; nil when all is done or in others' hands, or the command was stopped.
  private func nextAssignment(shouldStop: () -> Bool) throws -> StudyAssignment? {
    while true {
      answer()
      if let messageError { throw messageError }
      if isStopped || shouldStop() {
        isStopped = true
        return nil
      }
      if let assignment = firstReady() { return assignment }
      if begun.count == work.count { return nil }
      // A method's cells wait for its candidates, which other ranks have.
      usleep(500)
    }
  }

  /// The first part that nobody has begun and that waits for no other; it counts as begun.
  private func firstReady() -> StudyAssignment? {
    for (index, part) in work.enumerated() where !begun.contains(index) {
      var choice = 0
      switch part {
      case .candidate(let condition, let method, let number):
        if comparison.candidates(condition, method.name).contains(where: { $0.number == number + 1 }) {
          begun.insert(index)
          continue
        }
        choice = number
      case .cell(let condition, let method, _):
        let choices = study.choices(of: method).count, known = comparison.candidates(condition, method.name).count
        if choices > 1 {
          guard known == choices, let chosen = comparison.chosen(condition, method.name) else { continue }
          choice = chosen.number - 1
        }
      }
      begun.insert(index)
      return StudyAssignment(work: index, choice: choice)
    }
    return nil
  }

  /// Takes the messages that have arrived, and gives ranks that wait something to do.
  ///
  /// An error goes into `messageError`: the caller may be in the middle of a step.
  private func answer() {
    do {
      while let message = ranks.receive() {
        guard !message.bytes.isEmpty else {
          waiting.append(message.sender)
          continue
        }
        let result = try StudyResult(message.bytes, from: message.sender)
        if case .cell(let cell, _) = result, !fileExists(RunDirectory(path + "/" + cell.folder).configurationFile) {
          throw InputError.failure(
            path,
            "does not show the cell that rank \(message.sender) has trained; use an --output that every machine sees")
        }
        try record(result)
        if result == .stopped { left.insert(message.sender) } else { waiting.append(message.sender) }
      }
      while let rank = waiting.first {
        if !isStopped, let assignment = firstReady() {
          ranks.send(assignment.bytes, to: rank)
        } else if isStopped || begun.count == work.count {
          ranks.send([], to: rank)
          left.insert(rank)
        } else {
          return
        }
        waiting.removeFirst()
      }
    } catch { messageError = error }
  }

  /// Computes a part of the study.
  private func result(of assignment: StudyAssignment, shouldStop: () -> Bool) throws -> StudyResult {
    switch work[assignment.work] {
    case .candidate(let condition, let method, let index):
      return try runner.candidate(condition, method, index: index, shouldStop: shouldStop).map { .candidate($0) }
        ?? .stopped
    case .cell(let condition, let method, let seed):
      let choice = study.choices(of: method)[assignment.choice]
      return try runner.cell(condition, method, seed, choice: choice, shouldStop: shouldStop)
        .map { .cell($0.cell, $0.times) } ?? .stopped
    }
  }

  /// Writes a result, this rank's or another's.
  private func record(_ result: StudyResult) throws {
    switch result {
    case .cell(let cell, let ofCell):
      comparison.cells.append(cell)
      times.cells.removeAll { $0.folder == cell.folder }
      times.cells.append(ofCell)
      try writeAtomically(times.json.pretty + "\n", to: path + "/" + ComparisonTimes.file)
      try write()
      try RunDirectory(path + "/" + cell.folder).removeCheckpoints()
      report(.finished(cell, seconds: ofCell.trainingSeconds + ofCell.evaluationSeconds))
    case .candidate(let candidate):
      comparison.candidates.append(candidate)
      try write()
      report(.validated(candidate))
    case .stopped: isStopped = true
    }
  }

  /// Takes the folder, if it is not ours yet. An earlier comparison in it goes once a cell of this one can be trained.
  private func takeFolder() throws {
    if try !folder.take() { report(.folderWithoutLocks) }
    try write()
  }

  private func write() throws {
    comparison.sort()
    try writeAtomically(comparison.json.pretty + "\n", to: path + "/" + Comparison.file)
  }
}
