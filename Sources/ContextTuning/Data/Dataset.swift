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

  /// Reads the files and draws splits, context and training rows by the seed.
  ///
  /// - Parameter drawsContext: false when the context's tokens are given; then no row is taken for it.
  /// - Throws: `InputError` for files, rows and labels, or when there are too few rows.
  init(_ configuration: DataConfiguration, seed: Int, drawsContext: Bool) throws {
    func read(_ file: String?) throws -> [DataRow] {
      try file.map {
        try DataFile.rows(of: $0, textColumn: configuration.textColumn, labelColumn: configuration.labelColumn)
      } ?? []
    }
    guard let trainFile = configuration.train else {
      throw InputError.badData("data.train", "is missing: expected a file with training rows (.jsonl, .csv or .tsv)")
    }
    let all = try read(trainFile)
    var validation = try read(configuration.validation)
    var test = try read(configuration.test)

    var generator = SeededGenerator(seed: seed, .split)
    var order = all.indices.shuffled(using: &generator)
    func take(_ fraction: Double?) -> [DataRow] {
      guard let fraction else { return [] }
      let count = Int((Double(all.count) * fraction).rounded())
      defer { order.removeFirst(count) }
      return order.prefix(count).sorted().map { all[$0] }
    }
    if configuration.validation == nil { validation = take(configuration.validationFraction) }
    if configuration.test == nil { test = take(configuration.testFraction) }
    let train = order.sorted().map { all[$0] }

    labels = configuration.labelWords ?? Self.labels(of: train)
    let known = Set(labels.map(\.label))
    for row in train + validation + test {
      guard case .text(_, let label) = row.content, !known.contains(label) else { continue }
      throw InputError.badData(
        row.place, "label \"\(label)\" is none of \(labels.map { "\"\($0.label)\"" }.joined(separator: ", ")); "
          + (configuration.labelWords == nil ? "it does not occur in the training rows" : "add it to data.label_words"))
    }

    let drawn = drawsContext ? try Self.drawContext(configuration, train, labels: labels, seed: seed, file: trainFile) : []
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
        trainFile, "has \(train.count) training rows and all are in the context; add rows, or set data.train_on to \"context\"")
    }
    if let limit = configuration.maxTrainExamples, limit < candidates.count {
      var generator = SeededGenerator(seed: seed, .trainingRows)
      candidates = Array(candidates.shuffled(using: &generator).prefix(limit)).sorted()
    }
    training = candidates.map { train[$0] }
    self.validation = Array(validation.prefix(configuration.maxValidationExamples ?? .max))
    self.test = test
  }

  /// The rows of a split.
  public subscript(split: Split) -> [DataRow] {
    switch split {
    case .train: training
    case .validation: validation
    case .test: test
    }
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
      throw InputError.badData(file, "has \(rows.count) training rows, the context asks for \(total); add rows or ask for fewer")
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
        file, "has too few training rows labelled \"\(lacking)\" for a context of \(total) examples; add rows, ask for fewer, "
          + "or set data.balanced_context to false")
    }
    return drawn
  }
}
