import Diagnostics
import Method
import Runs

/// The labelled rows of one split, for an evaluation.
struct EvaluationRows {
  /// Labels and words, in the order of classes.
  let labels: [LabelWord]
  let split: [DataRow]
  /// The rows of the split, and the training rows if the labels come from them.
  let all: [DataRow]
  /// Rows that were left out.
  let skipped: SkippedRows

  /// Reads or draws the split.
  ///
  /// - Throws: `InputError` for files, rows and labels.
  init(_ configuration: DataConfiguration, seed: Int, split: Split) throws {
    let rows = try SplitRows(configuration, seed: seed, configuration.labelWords == nil ? [split, .train] : [split])
    labels = configuration.classes ?? rows.train.labels
    skipped = rows.skipped
    self.split = rows[split]
    all = split == .train ? rows.train : rows.train + rows[split]
    guard !self.split.isEmpty else {
      throw InputError.usage(
        "--split", "there are no \(split.rawValue) rows: the configuration has no data.\(split.rawValue); use --data")
    }
    try self.split.requireLabels(labels, of: configuration)
  }
}

extension DataConfiguration {
  /// The labels the configuration lists, or else those of its training rows.
  ///
  /// - Throws: `InputError` for the training file.
  func labels(seed: Int) throws -> [LabelWord] {
    try classes ?? SplitRows(self, seed: seed, [.train]).train.labels
  }
}
