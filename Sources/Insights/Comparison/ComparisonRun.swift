import Diagnostics
import FileFormats
import Kernels
import Method
import Runs
import System
import Tuning

/// Trains and evaluates methods over seeds, cell by cell, and records every finished cell.
package struct ComparisonRun {
  /// The progress of a comparison.
  package enum Event {
    /// A cell begins.
    case began(TuningMethod, seed: Int)
    /// Nothing keeps other processes out of the folder.
    case folderWithoutLocks
    case training(TrainingEvent)
    /// Some of all rows have been scored.
    case scoring(rows: Int, of: Int)
    case finished(Comparison.Cell)
    /// A cell was finished by an earlier run.
    case skipped(Comparison.Cell)
  }

  /// How it ended.
  package struct Outcome: Sendable {
    package let comparison: Comparison
    /// Whether it was stopped before its last cell.
    package let wasInterrupted: Bool
  }

  private let file: String
  private let folder: String
  private let earlier: EarlierRun
  private let team: ThreadTeam
  /// The configuration of each cell, in the order of methods, then seeds.
  private let plan: [(method: TuningMethod, seed: Int, configuration: Configuration)]
  private var comparison: Comparison
  /// The sole use of the folder.
  private var lock: FolderLock?
  /// Whether a cell has been trained, or some of it.
  private var hasBegun = false

  /// Reads the configuration of every cell.
  ///
  /// - Parameters:
  ///   - file: the configuration to compare methods on.
  ///   - settings: the arguments of `--set`, to be recorded.
  ///   - overrides: the overrides of `--set`, for a method.
  ///   - methods: the methods to compare.
  ///   - seeds: the number of seeds, counted up from the configuration's own.
  ///   - folder: the folder of the comparison; nil: the configuration's output_dir with "-compare".
  ///   - earlier: what to do with a comparison in the folder.
  ///   - makeTeam: makes the threads to compute with, as many as an earlier part of the comparison used.
  /// - Throws: `InputError` for a mistake in the configuration.
  package init(
    file: String, settings: [String], overrides: (TuningMethod) -> [(path: String, value: JSON)],
    methods: [TuningMethod], seeds: Int, folder: String?, earlier: EarlierRun,
    team makeTeam: (_ earlier: Int?) throws -> ThreadTeam
  ) throws {
    let text = try Configuration.text(of: file)
    let configurations = try methods.map { method in
      try Configuration(
        text: text, file: file,
        overrides: overrides(method) + [(path: "training.method", value: .string(method.rawValue))])
    }
    guard let first = configurations.first else { preconditionFailure("there are methods to compare") }
    guard let folder = folder ?? first.outputDirectory.map({ $0 + "-compare" }) else {
      throw InputError.usage(
        "--output", "is missing, and \(file) has no \"output_dir\"; expected a folder for the results")
    }
    guard let split = first.data.evaluationSplit else {
      throw InputError.badData(file, "has no data.test to compare methods on; set it, or data.test_fraction")
    }
    self.file = file
    self.folder = folder
    self.earlier = earlier
    let goesOn = earlier == .resume && fileExists(folder + "/" + Comparison.file)
    team = try makeTeam(goesOn ? Comparison(folder: folder).threads : nil)
    let allSeeds = (0..<seeds).map { first.training.seed + $0 }
    plan = configurations.flatMap { configuration in
      allSeeds.map { seed in
        var cell = configuration
        let method = configuration.training.method
        cell.training.seed = seed
        cell.outputDirectory = folder + "/" + Comparison.Cell.folder(method, seed: seed)
        return (method, seed, cell)
      }
    }
    comparison = Comparison(
      configuration: file == Configuration.standardInput ? file : absolutePath(file), settings: settings, split: split,
      threads: team.threads, methods: methods, seeds: allSeeds, cells: [])
  }

  package var path: String { folder }

  /// Checks that the folder is empty, or that the comparison in it can continue.
  ///
  /// A folder is created and locked only when a first cell can be trained.
  ///
  /// - Throws: `InputError` when it is in use or holds other files, or cells with other settings.
  package mutating func prepare() throws {
    if earlier == .resume || results.hasLock { lock = try results.take(earlier) } else { try results.check(earlier) }
    if earlier == .resume, holdsComparison { try takeOver(Comparison(folder: folder)) }
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
    let cells = TuningMethod.allCases.map { $0.rawValue + "-seed-" }
    for name in names(inDirectory: folder) {
      guard let start = cells.first(where: name.hasPrefix), Int(name.dropFirst(start.count)) != nil else { continue }
      let cell = RunDirectory(folder + "/" + name)
      try cell.removeRun()
      try removeFiles([Comparison.predictionsFile, FolderLock.file], inDirectory: cell.path)
    }
    try removeRecursively(folder + "/" + Comparison.file)
  }

  /// Reuses finished cells, including those of other methods and seeds.
  private mutating func takeOver(_ earlier: Comparison) throws {
    for cell in earlier.cells {
      guard let planned = plan.first(where: { $0.method == cell.method && $0.seed == cell.seed }) else { continue }
      let file = RunDirectory(self.folder + "/" + cell.folder).configurationFile
      let found = try Configuration(file: file).found(from: System.folder(of: file))
      var asked = planned.configuration.applyingMethod()
      // If the configuration lists no labels, the run found them in the data.
      asked.data.labelWords = asked.data.labelWords ?? found.data.labelWords
      if let key = asked.firstDifference(thatMattersFrom: found, comparesPaths: true) {
        throw InputError.usage(
          "--resume",
          "\"\(key)\" differs from \(file); all cells of a comparison need the same settings "
            + "(start over with --overwrite or another --output)")
      }
    }
    guard earlier.split == comparison.split else {
      throw InputError.usage("--resume", "the comparison in \(folder) uses the \(earlier.split.rawValue) rows")
    }
    comparison.cells = earlier.cells
    comparison.methods = TuningMethod.allCases.filter { (earlier.methods + comparison.methods).contains($0) }
    comparison.seeds = Set(earlier.seeds + comparison.seeds).sorted()
  }

  /// Trains and evaluates every cell that is not finished.
  ///
  /// - Throws: `InputError` of a cell's run; cells finished before are kept.
  package mutating func run(shouldStop: () -> Bool, report: (Event) -> Void) throws -> Outcome {
    for (method, seed, configuration) in plan {
      if let cell = comparison.cell(method, seed: seed) {
        report(.skipped(cell))
        continue
      }
      report(.began(method, seed: seed))
      let setup = try TrainingSetup(configuration, team: team)
      guard let cell = try finish(method, seed, setup, shouldStop: shouldStop, report: report) else {
        return Outcome(comparison: comparison, wasInterrupted: true)
      }
      comparison.cells.append(cell)
      comparison.sortCells()
      try write()
      report(.finished(cell))
    }
    return Outcome(comparison: comparison, wasInterrupted: false)
  }

  /// Trains or continues a cell and evaluates its best checkpoint; nil when it was stopped.
  private mutating func finish(
    _ method: TuningMethod, _ seed: Int, _ setup: TrainingSetup, shouldStop: () -> Bool, report: (Event) -> Void
  ) throws -> Comparison.Cell? {
    let directory = RunDirectory(folder + "/" + Comparison.Cell.folder(method, seed: seed))
    var trainer = try Trainer(setup, run: directory)
    if lock == nil { lock = try results.take(earlier) }
    if lock?.isExclusive == false, !hasBegun { report(.folderWithoutLocks) }
    // An earlier comparison goes once a cell of this one can be trained.
    if earlier == .overwrite, !hasBegun { try removeComparison() }
    hasBegun = true
    try write()
    try trainer.begin(.resumeIfAny)
    let summary = try trainer.train(shouldStop: shouldStop) { report(.training($0)) }
    if summary.wasInterrupted { return nil }
    let decoder = setup.model.decoder
    let adapter = try Adapter(folder: summary.bestStep == nil ? directory.path : directory.best)
    let examples = try setup.examples(of: comparison.split)
    let head = try adapter.head(for: method, labels: setup.encoder.labelNames, decoder: decoder)
    let evaluator = Evaluator(decoder: decoder, workspace: Workspace(), team: team, head: head)
    let predictions = try evaluator.predict(examples, prompt: adapter.prompt(over: decoder)) {
      report(.scoring(rows: $0, of: examples.count))
    }
    let labels = setup.encoder.labelNames
    let records = predictions.map { PredictionRecord($0, baseline: nil, labels: labels).json.compact + "\n" }
    try writeAtomically(records.joined(), to: directory.path + "/" + Comparison.predictionsFile)
    let result = ClassificationReport(predictions, labels: labels)
    return Comparison.Cell(
      method: method, seed: seed, accuracy: result.accuracy, accuracyStandardError: result.accuracyStandardError,
      macroF1: result.macroF1, loss: result.loss, trainingSeconds: summary.elapsedSeconds)
  }

  private func write() throws {
    try writeAtomically(comparison.json.pretty + "\n", to: folder + "/" + Comparison.file)
  }
}

extension Comparison {
  /// Puts cells in the order of methods, then seeds.
  fileprivate mutating func sortCells() {
    cells = methods.flatMap { method in cells.filter { $0.method == method }.sorted { $0.seed < $1.seed } }
  }
}
