import Diagnostics
import FileFormats
import Runs
import System
import Tuning

/// The folder of a comparison: who may write there, and what an earlier comparison has left.
final class ComparisonFolder {
  let path: String
  private let study: Study
  private let earlier: EarlierRun
  private let hashes: DataHashes
  /// The sole use of the folder.
  private var lock: FolderLock?
  /// Whether this comparison has begun to write.
  private var isTaken = false

  init(_ path: String, for study: Study, _ earlier: EarlierRun, hashes: DataHashes) {
    self.path = path
    self.study = study
    self.earlier = earlier
    self.hashes = hashes
  }

  /// Checks that the folder is empty, or that the comparison in it can continue.
  ///
  /// - Parameter planned: the comparison without cells.
  /// - Returns: the planned comparison, with the finished cells if it goes on, and their times.
  /// - Throws: `InputError` when the folder is in use or holds other files, or cells with other settings.
  func prepare(_ planned: Comparison) throws -> (comparison: Comparison, times: ComparisonTimes) {
    if earlier == .resume || results.hasLock { lock = try results.take(earlier) } else { try results.check(earlier) }
    guard earlier == .resume, holdsComparison else { return (planned, ComparisonTimes()) }
    let comparison = try united(planned, with: Comparison(folder: path))
    // They are no results: a broken file is as good as none.
    return (comparison, (try? ComparisonTimes(file: path + "/" + ComparisonTimes.file)) ?? ComparisonTimes())
  }

  /// Takes the folder, if it is not taken yet; an earlier comparison that is to be replaced goes.
  ///
  /// - Returns: false the first time if nothing keeps other processes out.
  func take() throws -> Bool {
    if isTaken { return true }
    if lock == nil { lock = try results.take(earlier) }
    if earlier == .overwrite { try removeComparison() }
    isTaken = true
    return lock?.isExclusive ?? true
  }

  private var results: ResultFolder {
    ResultFolder(
      path, kind: "comparison",
      isFree: { [path] in
        names(inDirectory: path).allSatisfy {
          $0 == FolderLock.file || $0.hasPrefix(Comparison.file + ".partial")
        }
      },
      holdsResults: { [holdsComparison] in holdsComparison })
  }

  /// Other programs may have a comparison.json, too.
  private var holdsComparison: Bool {
    let file = path + "/" + Comparison.file
    return fileExists(file) && (try? JSON.read(file: file))?["cells"]?.array != nil
  }

  /// Removes what an earlier comparison wrote, and nothing else; what shows that there is one, last.
  private func removeComparison() throws {
    guard holdsComparison else { return }
    let earlier = try Comparison(folder: path)
    let old = runFolders(earlier.conditions, earlier.methods)
    // Nothing is removed if a file of the user's is in the way.
    let planned = Set(runFolders(study.conditions, study.methods.map(\.name)))
    for name in Set(old).union(planned).sorted() {
      let run = path + "/" + name
      if isLink(run) { throw InputError.usage("--overwrite", "\(run) is a link; remove it, or use another --output") }
      if planned.contains(name), let other = RunDirectory(run).otherFile(than: [Comparison.predictionsFile]) {
        throw InputError.usage(
          "--overwrite", "\(run)/\(other) is not of a comparison; move it, or use another --output")
      }
    }
    for name in old {
      let cell = RunDirectory(path + "/" + name)
      try cell.removeRun()
      try removeFiles([Comparison.predictionsFile, FolderLock.file], inDirectory: cell.path)
    }
    try removeRecursively(path + "/" + ComparisonTimes.file)
    try removeRecursively(path + "/" + Comparison.file)
  }

  /// The folders of cells and candidates of these methods, whatever their seeds.
  private func runFolders(_ conditions: [Condition], _ methods: [String]) -> [String] {
    let starts = conditions.flatMap { condition in
      methods.flatMap { method in
        ["seed", "candidate"].map { (condition.names + [method, $0, ""]).joined(separator: "-") }
      }
    }
    return names(inDirectory: path).filter { name in
      starts.contains { name.hasPrefix($0) && Self.isNumber(name.dropFirst($0.count)) }
    }
  }

  /// Whether a folder's name ends in the number of a seed or candidate, and perhaps of a fold.
  private static func isNumber(_ text: Substring) -> Bool {
    let parts = text.split(separator: "-fold-", omittingEmptySubsequences: false)
    return parts.count <= 2 && parts.allSatisfy { Int($0) != nil }
  }

  /// A comparison with the finished cells of an earlier one, including those of other methods and seeds.
  private func united(_ planned: Comparison, with earlier: Comparison) throws -> Comparison {
    var comparison = planned
    guard earlier.split == comparison.split else {
      throw InputError.usage("--resume", "the comparison in \(path) uses the \(earlier.split.rawValue) rows")
    }
    for condition in study.conditions {
      for method in study.methods {
        let choices = study.choices(of: method)
        for candidate in earlier.candidates(condition, method.name) {
          let asked = choices.indices.contains(candidate.number - 1) ? choices[candidate.number - 1] : nil
          guard choices.count > 1, let asked, Study.settings(asked) == candidate.settings else {
            throw InputError.usage(
              "--resume",
              "the values that \"methods.\(method.name)\" chooses among differ from those in "
                + "\(path)/\(Comparison.file) (start over with --overwrite or another --output)")
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
            cell.folder, against: study.cellConfiguration(condition, method, seed: seed, choice: choice),
            data: cell.dataFingerprint)
        }
      }
    }
    comparison.cells = earlier.cells
    comparison.candidates = earlier.candidates
    func joined<Element: Equatable>(_ first: [Element], _ second: [Element]) -> [Element] {
      first + second.filter { !first.contains($0) }
    }
    comparison.conditions = joined(comparison.conditions, earlier.conditions)
    comparison.methods = joined(comparison.methods, earlier.methods)
    comparison.seeds = Set(earlier.seeds + comparison.seeds).sorted()
    return comparison
  }

  /// Checks that a finished run has the planned settings, and the rows that its files hold now.
  private func check(_ name: String, against planned: Configuration, data: String?) throws {
    let file = RunDirectory(path + "/" + name).configurationFile
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
    if let data, try data != hashes.fingerprint(of: planned.data) {
      let files = Set([planned.data.train, planned.data.validation, planned.data.test].compactMap { $0 })
      throw InputError.usage(
        "--resume",
        "\(files.sorted().joined(separator: " or ")) changed since \(name) was finished; all cells of a comparison need the "
          + "same rows (start over with --overwrite or another --output)")
    }
  }
}
