import Diagnostics
import FileFormats
import Method
import Runs

/// The labelled rows of a training run, grouped by use.
package struct TrainingRows: Sendable {
  /// Labels and words, in the order of classes.
  package let labels: [LabelWord]
  /// Rows whose texts form the context, in its order.
  package let context: [DataRow]
  /// Rows trained on.
  package let training: [DataRow]
  package let validation: [DataRow]
  package let test: [DataRow]
  /// Equal texts in the file that splits are drawn from, or else among the rows to learn from.
  package let repeated: RepeatedTexts
  /// Whether splits are drawn from the training file, rows with equal texts together.
  package let areDrawn: Bool
  /// Rows of all files that were left out.
  package let skipped: SkippedRows

  /// Draws splits, context and training rows by the seed.
  ///
  /// Without `drawsContext`, as the context's tokens are given, no row is taken for it. Without `showsContext`, the rows
  /// drawn for the context are trained on before the others, so that every method learns from the same rows.
  ///
  /// - Throws: `InputError` for files, rows and labels, or when there are too few rows.
  package init(_ configuration: DataConfiguration, seed: Int, drawsContext: Bool, showsContext: Bool) throws {
    guard let trainFile = configuration.train else {
      throw InputError.badData("data.train", "is missing: expected a file with training rows (.jsonl, .csv or .tsv)")
    }
    let rows = try SplitRows(configuration, seed: seed, Set(Split.allCases))
    labels = configuration.classes ?? rows.train.labels
    let train = rows.train
    let drawn =
      drawsContext ? try Self.drawContext(configuration, train, labels: labels, seed: seed, file: trainFile) : []
    context = drawn.map { train[$0] }
    let inContext = Set(drawn)
    var candidates: [Int]
    switch configuration.trainOn {
    case .rest: candidates = train.indices.filter { !inContext.contains($0) }
    case .context: candidates = drawn
    case .all: candidates = Array(train.indices)
    }
    guard !candidates.isEmpty else {
      throw InputError.badData(
        trainFile,
        "has \(train.count) training rows, with none left to train on; add rows, or set data.train_on to "
          + "\"\(drawsContext ? "context" : "all")\"")
    }
    if let limit = configuration.maxTrainExamples, limit < candidates.count {
      candidates = train.drawn(limit, of: candidates, seed: seed)
    }
    if !showsContext, configuration.trainOn == .rest { candidates = drawn + candidates }
    training = candidates.map { train[$0] }
    validation = rows.validation
    test = rows.test
    skipped = rows.skipped
    areDrawn = rows.drawnFrom != nil
    repeated = RepeatedTexts(in: rows.drawnFrom ?? Self.distinct(context + training))
    try (train + validation + test).requireLabels(labels, of: configuration)
  }

  /// The rows of a split.
  package subscript(split: Split) -> [DataRow] {
    switch split {
    case .train: training
    case .validation: validation
    case .test: test
    }
  }

  /// The number of labelled rows that a run learns from, in the context or trained on.
  package var learntFrom: Int { known.count }

  /// The rows that a run learns from: those to train on may be the context's own.
  var known: [DataRow] { Self.distinct(context + training) }

  private static func distinct(_ rows: [DataRow]) -> [DataRow] {
    var places: Set<String> = []
    return rows.filter { places.insert($0.place).inserted }
  }

  /// Every row that a run uses.
  var all: [DataRow] { context + training + validation + test }

  /// Indices of the rows that form the context, in its order.
  private static func drawContext(
    _ configuration: DataConfiguration, _ rows: [DataRow], labels: [LabelWord], seed: Int, file: String
  ) throws -> [Int] {
    var generator = SeededGenerator(seed: seed, .context)
    let shuffled = rows.indices.shuffled(using: &generator)
    func label(_ index: Int) -> ExactText? {
      if case .text(_, let label) = rows[index].content { ExactText(label) } else { nil }
    }
    let total = configuration.contextExamplesPerLabel.map { $0 * max(1, labels.count) } ?? configuration.contextExamples
    guard total > 0 else {
      throw InputError.badData(
        "data.context_examples", "is 0 and there are no \"cpt_token_ids\"; the context needs at least one example")
    }
    guard total <= rows.count else {
      throw InputError.badData(
        file, "has \(rows.count) training rows, the context needs \(total); add rows or use fewer context examples")
    }
    guard configuration.isContextBalanced || configuration.contextExamplesPerLabel != nil, !labels.isEmpty else {
      return Array(shuffled.prefix(total))
    }
    // As even as possible; the labels that get one more are drawn too.
    let order = labels.map { ExactText($0.label) }.shuffled(using: &generator)
    var room = Dictionary(
      uniqueKeysWithValues: order.enumerated().map { ($1, total / order.count + ($0 < total % order.count ? 1 : 0)) })
    var drawn: [Int] = []
    for index in shuffled {
      guard let name = label(index), let left = room[name], left > 0 else { continue }
      room[name] = left - 1
      drawn.append(index)
    }
    if let lacking = order.first(where: { (room[$0] ?? 0) > 0 }) {
      throw InputError.badData(
        file,
        "has too few training rows labelled \"\(lacking.text)\" for a context of \(total) examples; add rows, use fewer "
          + "context examples, or set data.balanced_context to false")
    }
    return drawn
  }
}
