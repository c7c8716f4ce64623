import FileFormats

/// How long the cells of a comparison took: `times.json`, beside the results, which do not depend on it.
package struct ComparisonTimes: Sendable, Equatable {
  /// The times of one cell.
  package struct Cell: Sendable, Equatable {
    package var folder: String
    package var trainingSeconds = 0.0
    /// Seconds of scoring the rows that methods are compared on.
    package var evaluationSeconds = 0.0
  }

  package static let file = "times.json"

  package var cells: [Cell]

  /// The times of a cell; nil if they are unknown.
  package subscript(folder: String) -> Cell? { cells.first { $0.folder == folder } }

  /// The mean time of cells, in seconds; nil if none is known.
  package func mean(_ time: KeyPath<Cell, Double>, of cells: [Comparison.Cell]) -> Double? {
    let seconds = cells.compactMap { self[$0.folder]?[keyPath: time] }
    return seconds.isEmpty ? nil : seconds.reduce(0, +) / Double(seconds.count)
  }
}

extension ComparisonTimes: Record {
  package init() { self.init(cells: []) }

  package static let fields: [Field<ComparisonTimes>] = [
    Field("cells", \.cells, .list("a list of objects", of: .record), "each finished cell, in the order they were run")
  ]
}

extension ComparisonTimes.Cell: Record {
  package init() { self.init(folder: "") }

  package static let fields: [Field<ComparisonTimes.Cell>] = [
    Field("folder", \.folder, .text, "the run folder of the cell"),
    Field("train_seconds", \.trainingSeconds, .number, "seconds of training"),
    Field("eval_seconds", \.evaluationSeconds, .number, "seconds of scoring the compared rows"),
  ]
}
