import Diagnostics
import FileFormats
import Insights
import Method
import Runs
import System
import Tuning

/// The contents of a comparison for a report: its cells, their predictions, and their training metrics.
package struct ComparisonRecord: Sendable {
  package let path: String
  let comparison: Comparison
  let summaries: [Comparison.Summary]
  let differences: [Comparison.Difference]
  let overall: [Comparison.Overall]
  /// The configuration of the first cell; nil if its folder is not there.
  let configuration: Configuration?
  let times: ComparisonTimes
  /// The confusion matrix of each method, summed over its cells with predictions; only if there is one condition.
  let confusions: [(method: String, cells: Int, labels: [String], counts: [[Int]])]
  /// The metrics of the cells; only if there is one condition.
  let histories: [(cell: Comparison.Cell, history: RunHistory)]

  /// Reads the folder of a comparison.
  ///
  /// - Throws: `InputError` for a file in it.
  package init(folder: String) throws {
    path = folder
    let comparison = try Comparison(folder: folder)
    self.comparison = comparison
    summaries = comparison.summaries
    differences = comparison.differences
    overall = comparison.overall
    configuration = try comparison.cells.first.flatMap { cell in
      let file = RunDirectory(folder + "/" + cell.folder).configurationFile
      return fileExists(file) ? try Configuration(file: file) : nil
    }
    let timesFile = folder + "/" + ComparisonTimes.file
    times = (try? ComparisonTimes(file: timesFile)) ?? ComparisonTimes()
    guard comparison.conditions.count == 1 else {
      confusions = []
      histories = []
      return
    }
    histories = try comparison.cells.compactMap { cell in
      let run = RunDirectory(folder + "/" + cell.folder)
      return run.holdsRun ? (cell, try RunHistory(run)) : nil
    }
    confusions = try comparison.methods.compactMap { method in
      let files = comparison.cells.filter { $0.method == method }
        .map { "\(folder)/\($0.folder)/\(Comparison.predictionsFile)" }.filter(fileExists)
      if files.isEmpty { return nil }
      let lines = try files.flatMap(PredictionRecord.read)
      let labels = lines.first?.tuned.logProbabilities.labels ?? []
      var counts = labels.map { _ in labels.map { _ in 0 } }
      for line in lines {
        guard let row = labels.firstIndex(of: line.label),
          let column = line.tuned.prediction.flatMap(labels.firstIndex)
        else {
          throw InputError.badData(
            folder, "its cells were evaluated with different labels; run cpt compare again with --overwrite")
        }
        counts[row][column] += 1
      }
      return (method, files.count, labels, counts)
    }
  }

  /// Whether it compares methods under several conditions.
  var hasConditions: Bool { comparison.conditions.count != 1 }

  /// Whether it compares them with several models.
  var hasModels: Bool { comparison.conditions.contains { $0.model != comparison.conditions.first?.model } }

  /// A condition in words, without the model if there is only one.
  func name(of condition: Condition) -> String { (hasModels ? condition : condition.withoutModel).description }

  /// Its methods over seeds, as in comparison.json.
  package var summary: JSON { .array(summaries.map(\.json)) }

  /// Whether a folder holds a comparison.
  package static func exists(in folder: String) -> Bool { fileExists(folder + "/" + Comparison.file) }

  /// The comparison's name: the last component of its path.
  package var name: String { lastComponent(of: absolutePath(path)) }
}
