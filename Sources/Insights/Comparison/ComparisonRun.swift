import Collectives
import Diagnostics
import FileFormats
import Glibc
import Kernels
import LanguageModel
import Method
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

  /// What selects the rows that a cell is measured on.
  private struct MeasuredRows: Hashable {
    let files: [String?]
    let fractions: [Double?]
    let limit: Int?
    let columns: [String]

    init(_ data: DataConfiguration) {
      let isTested = data.evaluationSplit == .test
      files = isTested ? [data.test, data.testFraction == nil ? nil : data.train] : [data.validation, data.train]
      fractions = [data.testFraction, isTested && data.testFraction == nil ? nil : data.validationFraction]
      limit = isTested ? data.maxTestExamples : nil
      columns = [data.labelColumn] + data.input.fields.map { $0.isEmpty ? data.textColumn : $0 }
    }
  }

  private let study: Study
  private let folder: String
  private let earlier: EarlierRun
  private let team: ThreadTeam
  private let ranks: any Communicator
  private let ranksOnMachine: Int
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
  /// The sole use of the folder.
  private var lock: FolderLock?
  /// Whether a cell has been trained, or some of it.
  private var hasBegun = false
  /// Hashes of data files, by path.
  private var fileHashes: [String: String] = [:]

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
    var splits: Set<Split> = [], hasOtherRows = false
    for condition in study.conditions {
      var rows: Set<MeasuredRows> = []
      defer { hasOtherRows = hasOtherRows || rows.count > 1 }
      for method in study.methods {
        for choice in study.choices(of: method) {
          let configuration = try study.configuration(condition, method, seed: nil, choice: choice)
          guard let split = configuration.data.evaluationSplit else {
            throw InputError.badData(
              study.file, "has no data.test to compare methods on; set it, or data.test_fraction")
          }
          splits.insert(split)
          rows.insert(MeasuredRows(configuration.data))
          if study.choices(of: method).count > 1, !configuration.data.hasValidation {
            throw InputError.badData(
              study.file,
              "\"methods.\(method.name)\" leaves \"\(choice[0].path)\" to validation rows, and there are none; set "
                + "data.validation, data.validation_fraction or data.validation_folds")
          }
        }
      }
    }
    if hasOtherRows {
      throw InputError.badData(
        study.file,
        "measures its methods on different rows; data.test and the keys that select its rows must be the same")
    }
    guard splits.count == 1, let split = splits.first else {
      throw InputError.badData(study.file, "compares some cells on test rows and others on validation rows")
    }
    guard let folder = folder ?? study.outputDirectory.map({ resolve($0, relativeTo: System.folder(of: study.file)) })
    else {
      throw InputError.usage(
        "--output", "is missing, and \(study.file) has no \"output_dir\"; expected a folder for the results")
    }
    self.study = study
    self.folder = folder
    self.earlier = earlier
    self.ranks = ranks
    ranksOnMachine = ranks.splitByMachine().size
    work = study.work
    let goesOn = earlier == .resume && fileExists(folder + "/" + Comparison.file)
    team = try makeTeam(goesOn ? Comparison(folder: folder).threads : nil)
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

  package var path: String { folder }

  /// The number of cells of the study.
  package var cellCount: Int { study.conditions.count * study.methods.count * study.seeds.count }

  /// Checks that the folder is empty, or that the comparison in it can continue.
  ///
  /// A folder is created and locked only when a first cell can be trained.
  ///
  /// - Throws: `InputError` when it is in use or holds other files, or cells with other settings.
  package func prepare() throws {
    guard ranks.rank == 0 else { return }
    if earlier == .resume || results.hasLock { lock = try results.take(earlier) } else { try results.check(earlier) }
    if earlier == .resume, holdsComparison {
      try takeOver(Comparison(folder: folder))
      let file = folder + "/" + ComparisonTimes.file
      // They are no results: a broken file is as good as none.
      times = (try? ComparisonTimes(file: file)) ?? times
    }
  }

  private var results: ResultFolder {
    ResultFolder(
      folder, kind: "comparison",
      isFree: { [folder] in
        names(inDirectory: folder).allSatisfy {
          $0 == FolderLock.file || $0.hasPrefix(Comparison.file + ".partial")
        }
      },
      holdsResults: { [holdsComparison] in holdsComparison })
  }

  /// Other programs may have a comparison.json, too.
  private var holdsComparison: Bool {
    let file = folder + "/" + Comparison.file
    return fileExists(file) && (try? JSON.read(file: file))?["cells"]?.array != nil
  }

  /// Removes what an earlier comparison wrote, and nothing else; what shows that there is one, last.
  private func removeComparison() throws {
    guard holdsComparison else { return }
    let earlier = try Comparison(folder: folder)
    let old = runFolders(earlier.conditions, earlier.methods)
    // Nothing is removed if a file of the user's is in the way.
    let planned = Set(runFolders(study.conditions, study.methods.map(\.name)))
    for name in Set(old).union(planned).sorted() {
      let path = folder + "/" + name
      if isLink(path) { throw InputError.usage("--overwrite", "\(path) is a link; remove it, or use another --output") }
      if planned.contains(name), let other = RunDirectory(path).otherFile(than: [Comparison.predictionsFile]) {
        throw InputError.usage(
          "--overwrite", "\(path)/\(other) is not of a comparison; move it, or use another --output")
      }
    }
    for name in old {
      let cell = RunDirectory(folder + "/" + name)
      try cell.removeRun()
      try removeFiles([Comparison.predictionsFile, FolderLock.file], inDirectory: cell.path)
    }
    try removeRecursively(folder + "/" + ComparisonTimes.file)
    try removeRecursively(folder + "/" + Comparison.file)
  }

  /// The folders of cells and candidates of these methods, whatever their seeds.
  private func runFolders(_ conditions: [Condition], _ methods: [String]) -> [String] {
    let starts = conditions.flatMap { condition in
      methods.flatMap { method in
        ["seed", "candidate"].map { (condition.names + [method, $0, ""]).joined(separator: "-") }
      }
    }
    return names(inDirectory: folder).filter { name in
      starts.contains { name.hasPrefix($0) && Self.isNumber(name.dropFirst($0.count)) }
    }
  }

  /// Whether a folder's name ends in the number of a seed or candidate, and perhaps of a fold.
  private static func isNumber(_ text: Substring) -> Bool {
    let parts = text.split(separator: "-fold-", omittingEmptySubsequences: false)
    return parts.count <= 2 && parts.allSatisfy { Int($0) != nil }
  }

  /// Reuses finished cells, including those of other methods and seeds.
  private func takeOver(_ earlier: Comparison) throws {
    guard earlier.split == comparison.split else {
      throw InputError.usage("--resume", "the comparison in \(folder) uses the \(earlier.split.rawValue) rows")
    }
    for condition in study.conditions {
      for method in study.methods {
        let choices = study.choices(of: method)
        for candidate in earlier.candidates(condition, method.name) {
          let asked = choices.indices.contains(candidate.number - 1) ? choices[candidate.number - 1] : nil
          guard choices.count > 1, let asked, Self.settings(asked) == candidate.settings else {
            throw InputError.usage(
              "--resume",
              "the values that \"methods.\(method.name)\" chooses among differ from those in "
                + "\(folder)/\(Comparison.file) (start over with --overwrite or another --output)")
          }
          var planned = try study.configuration(condition, method, seed: study.seeds[0], choice: asked)
          let hasFolds = planned.data.validationFolds != nil
          if hasFolds { planned.data.validationFold = 0 }
          try check(
            candidate.folder + (hasFolds ? "-fold-1" : ""), against: planned, data: candidate.dataFingerprint)
        }
        for seed in study.seeds {
          guard let cell = earlier.cell(condition, method.name, seed: seed) else { continue }
          let choice = earlier.chosen(condition, method.name).map { choices[$0.number - 1] } ?? []
          try check(
            cell.folder, against: configuration(condition, method, seed: seed, choice: choice),
            data: cell.dataFingerprint)
        }
      }
    }
    comparison.cells = earlier.cells
    comparison.candidates = earlier.candidates
    func united<Element: Equatable>(_ first: [Element], _ second: [Element]) -> [Element] {
      first + second.filter { !first.contains($0) }
    }
    comparison.conditions = united(comparison.conditions, earlier.conditions)
    comparison.methods = united(comparison.methods, earlier.methods)
    comparison.seeds = Set(earlier.seeds + comparison.seeds).sorted()
  }

  /// Checks that a finished run has the planned settings, and the rows that its files hold now.
  private func check(_ name: String, against planned: Configuration, data: String?) throws {
    let file = RunDirectory(folder + "/" + name).configurationFile
    guard fileExists(file) else {
      throw InputError.usage(
        "--resume",
        "\(file) is missing, and \(Comparison.file) has its results; restore the folder, or start over with --overwrite or another --output"
      )
    }
    let found = try Configuration(file: file).found(from: System.folder(of: file))
    var asked = planned.applyingMethod()
    // If the configuration lists no labels, the run found them in the data.
    asked.data.labelWords = asked.data.labelWords ?? found.data.labelWords
    if let key = asked.firstDifference(thatMattersFrom: found, comparesPaths: true) {
      throw InputError.usage(
        "--resume",
        "\"\(key)\" differs from \(file); all cells of a comparison need the same settings "
          + "(start over with --overwrite or another --output)")
    }
    if let data, try data != fingerprint(of: planned.data) {
      let files = Set([planned.data.train, planned.data.validation, planned.data.test].compactMap { $0 })
      throw InputError.usage(
        "--resume",
        "\(files.sorted().joined(separator: " or ")) changed since \(name) was finished; all cells of a comparison need the "
          + "same rows (start over with --overwrite or another --output)")
    }
  }

  /// A hash of all that the results depend on.
  private func signature() throws -> String {
    var signature = Fingerprint(), models: Set<String> = []
    for condition in study.conditions {
      for method in study.methods {
        for choice in study.choices(of: method) {
          let configuration = try study.configuration(condition, method, seed: nil, choice: choice)
          signature.add(configuration.resolvedJSON.compact)
          signature.add(try fingerprint(of: configuration.data))
          if let model = configuration.baseModel, models.insert(model).inserted {
            signature.add(try FrozenModel(path: model).fingerprint)
          }
        }
      }
    }
    for seed in study.seeds { signature.add(seed) }
    return signature.text
  }

  /// A hash of the files with a cell's rows.
  private func fingerprint(of data: DataConfiguration) throws -> String {
    var fingerprint = Fingerprint()
    for path in [data.train, data.validation, data.test] {
      if let path, fileHashes[path] == nil { fileHashes[path] = try Fingerprint(of: readBytes(of: path)).text }
      fingerprint.add(Array((path.flatMap { fileHashes[$0] } ?? "").utf8))
    }
    return fingerprint.text
  }

  private static func settings(_ choice: [(path: String, value: JSON)]) -> JSON {
    .object(choice.map { .init($0.path, $0.value) })
  }

  /// The configuration of a cell: it learns from all rows if folds only serve to choose settings.
  private func configuration(
    _ condition: Condition, _ method: Study.Variant, seed: Int, choice: [(path: String, value: JSON)]
  ) throws -> Configuration {
    var configuration = try study.configuration(condition, method, seed: seed, choice: choice)
    if study.hasChoices {
      configuration.data.validationFolds = nil
      configuration.data.validationFold = nil
    }
    return configuration
  }

  /// Trains and evaluates every cell that is not finished.
  ///
  /// - Throws: `InputError` of a cell's run; cells finished before are kept.
  package func run(shouldStop: () -> Bool, report: @escaping (Event) -> Void) throws -> Outcome {
    self.report = report
    defer { self.report = { _ in } }
    try ranks.requireSame(
      "the study, its models and its rows", signature(), remedy: "give every machine the same files")
    if ranks.rank > 0 {
      try runForFirstRank(shouldStop: shouldStop)
      return Outcome(comparison: comparison, times: times, wasInterrupted: false)
    }
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
    hasBegun = true
    ranks.send([], to: 0)
    while let assignment = StudyAssignment(ranks.nextMessage().bytes) {
      let result = try result(of: assignment, shouldStop: shouldStop)
      ranks.send(result.bytes, to: 0)
      if result == .stopped { return }
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
        if case .cell(let cell, _) = result, !fileExists(RunDirectory(folder + "/" + cell.folder).configurationFile) {
          throw InputError.failure(
            folder,
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
      return try validated(condition, method, index: index, shouldStop: shouldStop).map { .candidate($0) } ?? .stopped
    case .cell(let condition, let method, let seed):
      let choice = study.choices(of: method)[assignment.choice]
      return try finished(condition, method, seed, choice: choice, shouldStop: shouldStop)
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
      try writeAtomically(times.json.pretty + "\n", to: folder + "/" + ComparisonTimes.file)
      try write()
      try RunDirectory(folder + "/" + cell.folder).removeCheckpoints()
      report(.finished(cell, seconds: ofCell.trainingSeconds + ofCell.evaluationSeconds))
    case .candidate(let candidate):
      comparison.candidates.append(candidate)
      try write()
      report(.validated(candidate))
    case .stopped: isStopped = true
    }
  }

  /// Trains and evaluates a cell; nil when it was stopped.
  private func finished(
    _ condition: Condition, _ method: Study.Variant, _ seed: Int, choice: [(path: String, value: JSON)],
    shouldStop: () -> Bool
  ) throws -> (cell: Comparison.Cell, times: ComparisonTimes.Cell)? {
    var cell = Comparison.Cell(condition: condition, method: method.name, seed: seed)
    let configuration = try configuration(condition, method, seed: seed, choice: choice)
    guard let run = try train(configuration, in: cell.folder, shouldStop: shouldStop) else { return nil }
    let clock = ContinuousClock(), start = clock.now
    let examples = try run.setup.examples(of: comparison.split)
    let labels = run.setup.encoder.labelNames
    struct Stop: Error {}
    func goOn() throws { if shouldStop() { throw Stop() } }
    do {
      try run.evaluator.withContext(of: run.prompt) { scorer in
        let predictions = try scorer.predict(examples) {
          report(.scoring(rows: $0, of: examples.count))
          try goOn()
        }
        let priors = scorer.priors(of: run.setup.encoder)
        cell.scorings = Scoring.allCases.compactMap { scoring in
          priors.predictions(predictions, by: scoring).map {
            Comparison.ScoringAccuracy(
              scoring: scoring, accuracy: ClassificationReport($0, labels: labels).accuracy)
          }
        }
        let result = ClassificationReport(predictions, labels: labels)
        cell.accuracy = result.accuracy
        cell.accuracyStandardError = result.accuracyStandardError
        cell.macroF1 = result.macroF1
        cell.loss = result.loss
        cell.hits = predictions.map { $0.predicted == $0.label }
        let records = predictions.map { PredictionRecord($0, baseline: nil, labels: labels).json.compact + "\n" }
        try writeAtomically(
          records.joined(), to: folder + "/" + cell.folder + "/" + Comparison.predictionsFile)
        if run.steps > 0 || run.head != nil {
          let measured = run.setup.rows.training.spread(over: Self.trainingRowsMeasured)
          let training = try ClassificationReport(
            scorer.predict(run.setup.encoder.examples(of: measured)) { _ in try goOn() }, labels: labels)
          cell.trainingAccuracy = training.accuracy
          cell.trainingLoss = training.loss
        }
      }
    } catch is Stop { return nil }
    let rows = run.setup.rows
    cell.dataFingerprint = try fingerprint(of: configuration.data)
    cell.rowsLearntFrom = configuration.training.method == .icl ? rows.context.count : rows.learntFrom
    cell.steps = run.steps
    cell.parameters = run.head?.parameterCount ?? (run.steps == 0 ? 0 : run.prompt.trainedCount)
    let seconds = (clock.now - start) / .seconds(1)
    return (
      cell,
      ComparisonTimes.Cell(folder: cell.folder, trainingSeconds: run.seconds, evaluationSeconds: seconds)
    )
  }

  /// Most of the rows trained on that the loss on them is measured on.
  private static let trainingRowsMeasured = 100

  /// Trains a combination of values and measures it on validation rows; nil when it was stopped.
  private func validated(
    _ condition: Condition, _ method: Study.Variant, index: Int, shouldStop: () -> Bool
  ) throws -> Comparison.Candidate? {
    let choice = study.choices(of: method)[index]
    var candidate = Comparison.Candidate(
      condition: condition, method: method.name, number: index + 1, settings: Self.settings(choice))
    let configuration = try study.configuration(condition, method, seed: study.seeds[0], choice: choice)
    var results: [ClassificationReport] = []
    for fold in 0..<(configuration.data.validationFolds ?? 1) {
      var part = configuration, name = candidate.folder
      if configuration.data.validationFolds != nil {
        part.data.validationFold = fold
        name += "-fold-\(fold + 1)"
      }
      guard let run = try train(part, in: name, shouldStop: shouldStop) else { return nil }
      let examples = try run.setup.examples(of: .validation)
      results.append(
        ClassificationReport(
          try run.evaluator.predict(examples, prompt: run.prompt), labels: run.setup.encoder.labelNames))
      try RunDirectory(folder + "/" + name).removeCheckpoints()
    }
    candidate.accuracy = results.reduce(0) { $0 + $1.accuracy } / Double(results.count)
    candidate.loss = results.reduce(0) { $0 + $1.loss } / Double(results.count)
    candidate.dataFingerprint = try fingerprint(of: configuration.data)
    return candidate
  }

  /// A finished run: what it was made from, and its prompt, the best one if there are validation rows, or its head.
  private struct FinishedRun {
    let setup: TrainingSetup
    let prompt: TunedPrompt
    /// nil: the method trains a prompt, or nothing.
    let head: ClassifierHead?
    let evaluator: Evaluator
    let steps: Int
    let seconds: Double
  }

  /// Trains a run in a folder of the comparison, or goes on with it; nil when it was stopped.
  private func train(
    _ configuration: Configuration, in name: String, shouldStop: () -> Bool
  ) throws -> FinishedRun? {
    report(.began(name))
    var configuration = configuration
    let directory = RunDirectory(folder + "/" + name)
    configuration.outputDirectory = directory.path
    let setup = try TrainingSetup(configuration, team: team, ranks: .alone(onMachine: ranksOnMachine))
    var trainer = try Trainer(setup, run: directory)
    if ranks.rank == 0 { try takeFolder() }
    try trainer.begin(.resumeIfAny)
    let summary = try trainer.train(shouldStop: shouldStop) { report(.training($0)) }
    if summary.wasInterrupted { return nil }
    let decoder = setup.model.decoder
    let adapter = try Adapter(folder: summary.bestStep == nil ? directory.path : directory.best)
    let head = try adapter.head(
      for: configuration.training.method, labels: setup.encoder.labelNames, decoder: decoder)
    return FinishedRun(
      setup: setup, prompt: try adapter.prompt(over: decoder), head: head,
      evaluator: Evaluator(decoder: decoder, workspace: Workspace(), team: team, head: head),
      steps: summary.step, seconds: summary.elapsedSeconds)
  }

  /// Takes the folder, if it is not ours yet. An earlier comparison in it goes once a cell of this one can be trained.
  private func takeFolder() throws {
    if lock == nil { lock = try results.take(earlier) }
    if lock?.isExclusive == false, !hasBegun { report(.folderWithoutLocks) }
    if earlier == .overwrite, !hasBegun { try removeComparison() }
    hasBegun = true
    try write()
  }

  private func write() throws {
    comparison.sort()
    try writeAtomically(comparison.json.pretty + "\n", to: folder + "/" + Comparison.file)
  }
}
