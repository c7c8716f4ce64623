import FileFormats

/// The rows of a run, sorted by what they are for.
public struct Dataset: Sendable {
  public enum Split: String, CaseIterable, Sendable {
    case train
    case validation
    case test
  }

  /// Labels and words, in the order of classes.
  public let labels: [LabelWord]
  /// Rows whose texts make the context, in its order.
  public let context: [DataRow]
  /// Rows trained on.
  public let training: [DataRow]
  public let validation: [DataRow]
  public let test: [DataRow]

  /// The rows for a training run: splits, context and training rows are drawn by the seed.
  ///
  /// No row is taken for the context when its tokens are given and `drawsContext` is false. Where the context's rows are
  /// not shown, they are trained on before the others, so that every method learns from the same rows.
  ///
  /// - Throws: `InputError` for files, rows and labels, or when there are too few rows.
  init(forTraining configuration: DataConfiguration, seed: Int, drawsContext: Bool, showsContext: Bool) throws {
    guard let trainFile = configuration.train else {
      throw InputError.badData("data.train", "is missing: expected a file with training rows (.jsonl, .csv or .tsv)")
    }
    let rows = try SplitRows(configuration, seed: seed, Set(Split.allCases))
    labels = configuration.labelWords ?? Self.labels(of: rows.train)
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
        "has \(train.count) training rows and none is left to train on; add rows, or set data.train_on to "
          + "\"\(drawsContext ? "context" : "all")\"")
    }
    if let limit = configuration.maxTrainExamples, limit < candidates.count {
      var generator = SeededGenerator(seed: seed, .trainingRows)
      candidates = Array(candidates.shuffled(using: &generator).prefix(limit)).sorted()
    }
    if !showsContext, configuration.trainOn == .rest { candidates = drawn + candidates }
    training = candidates.map { train[$0] }
    validation = Array(rows.validation.prefix(configuration.maxValidationExamples ?? .max))
    test = rows.test
    try checkLabels(of: train + validation + test, configuration)
  }

  /// The rows of one split, for an evaluation.
  ///
  /// - Throws: `InputError` for files, rows and labels.
  init(forEvaluation configuration: DataConfiguration, seed: Int, split: Split) throws {
    let rows = try SplitRows(configuration, seed: seed, configuration.labelWords == nil ? [split, .train] : [split])
    labels = configuration.labelWords ?? Self.labels(of: rows.train)
    context = []
    training = rows.train
    validation = rows.validation
    test = rows.test
    guard !self[split].isEmpty else {
      throw InputError.usage(
        "--split", "there are no \(split.rawValue) rows: the configuration has no data.\(split.rawValue); use --data")
    }
    try checkLabels(of: self[split], configuration)
  }

  private func checkLabels(of rows: [DataRow], _ configuration: DataConfiguration) throws {
    let known = Set(labels.map(\.label))
    for row in rows {
      guard case .text(_, let label) = row.content, !known.contains(label) else { continue }
      throw InputError.badData(
        row.place,
        "label \"\(label)\" is none of \(labels.map { "\"\($0.label)\"" }.joined(separator: ", ")); "
          + (configuration.labelWords == nil ? "it does not occur in the training rows" : "add it to data.label_words"))
    }
  }

  /// The rows of a split.
  public subscript(split: Split) -> [DataRow] {
    switch split {
    case .train: training
    case .validation: validation
    case .test: test
    }
  }

  /// The labels a configuration lists, or else those of its training rows.
  ///
  /// - Throws: `InputError` for the training file.
  static func labels(of configuration: DataConfiguration, seed: Int) throws -> [LabelWord] {
    try configuration.labelWords ?? labels(of: SplitRows(configuration, seed: seed, [.train]).train)
  }

  /// The distinct labels of rows, sorted, each its own word.
  private static func labels(of rows: [DataRow]) -> [LabelWord] {
    let names = Set(rows.compactMap { row in if case .text(_, let label) = row.content { label } else { nil } })
    return names.sorted().map { LabelWord(label: $0, word: $0) }
  }

  /// Indices of the rows that make the context, in its order.
  private static func drawContext(
    _ configuration: DataConfiguration, _ rows: [DataRow], labels: [LabelWord], seed: Int, file: String
  ) throws -> [Int] {
    var generator = SeededGenerator(seed: seed, .context)
    let shuffled = rows.indices.shuffled(using: &generator)
    func label(_ index: Int) -> String? {
      if case .text(_, let label) = rows[index].content { label } else { nil }
    }
    let total = configuration.contextExamplesPerLabel.map { $0 * max(1, labels.count) } ?? configuration.contextExamples
    guard total > 0 else {
      throw InputError.badData(
        "data.context_examples", "is 0 and there are no \"cpt_token_ids\"; the context needs at least one example")
    }
    guard total <= rows.count else {
      throw InputError.badData(
        file, "has \(rows.count) training rows, the context asks for \(total); add rows or ask for fewer")
    }
    guard configuration.isContextBalanced || configuration.contextExamplesPerLabel != nil, !labels.isEmpty else {
      return Array(shuffled.prefix(total))
    }
    // As even as possible; which labels get one more is drawn too.
    let order = labels.map(\.label).shuffled(using: &generator)
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
        "has too few training rows labelled \"\(lacking)\" for a context of \(total) examples; add rows, ask for fewer, "
          + "or set data.balanced_context to false")
    }
    return drawn
  }
}

/// The rows of the splits, read from their files or drawn from the training file by the seed.
private struct SplitRows {
  let train: [DataRow]
  let validation: [DataRow]
  let test: [DataRow]

  /// Reads the splits that are needed; those drawn from the training file need it too.
  init(_ configuration: DataConfiguration, seed: Int, _ needed: Set<Dataset.Split>) throws {
    func read(_ file: String?) throws -> [DataRow] {
      try file.map {
        try DataFile.rows(of: $0, textColumn: configuration.textColumn, labelColumn: configuration.labelColumn)
      } ?? []
    }
    func isDrawn(_ split: Dataset.Split, _ fraction: Double?) -> Bool { needed.contains(split) && fraction != nil }
    let readsTrain =
      needed.contains(.train) || isDrawn(.validation, configuration.validationFraction)
      || isDrawn(.test, configuration.testFraction)
    let all = readsTrain ? try read(configuration.train) : []
    var generator = SeededGenerator(seed: seed, .split)
    var order = all.indices.shuffled(using: &generator)
    func take(_ fraction: Double?, _ key: String) throws -> [DataRow] {
      guard let fraction, readsTrain else { return [] }
      let count = Int((Double(all.count) * fraction).rounded())
      guard count > 0, count < order.count else {
        throw InputError.badData(
          key, "of \(fraction) draws \(count) of \(order.count) rows; some must be drawn and some be left")
      }
      defer { order.removeFirst(count) }
      return order.prefix(count).sorted().map { all[$0] }
    }
    let drawnValidation = try take(configuration.validationFraction, "data.validation_fraction")
    let drawnTest = try take(configuration.testFraction, "data.test_fraction")
    train = order.sorted().map { all[$0] }
    validation =
      try needed.contains(.validation) && configuration.validation != nil
      ? read(configuration.validation) : drawnValidation
    test = try needed.contains(.test) && configuration.test != nil ? read(configuration.test) : drawnTest
  }
}
