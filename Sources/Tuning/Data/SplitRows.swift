import Diagnostics
import FileFormats
import Method
import Runs

/// The rows of the splits, read from their files or drawn from the training file by the seed.
///
/// Validation and test rows are drawn first, then the rows of each label to learn from, then the fold to validate on.
struct SplitRows {
  let train: [DataRow]
  let validation: [DataRow]
  let test: [DataRow]
  /// All rows of the training file, if other splits are drawn from it.
  let drawnFrom: [DataRow]?
  /// Rows of all files that were left out.
  let skipped: SkippedRows

  /// Reads the splits that are needed; those drawn from the training file need it too.
  init(_ configuration: DataConfiguration, seed: Int, _ needed: Set<Split>) throws {
    var skipped = SkippedRows()
    var files: Set<String> = []
    func read(_ file: String?) throws -> [DataRow] {
      guard let file else { return [] }
      let found = try DataFile(file, configuration)
      // The same file may be several splits.
      if files.insert(file).inserted { skipped.add(found.skipped) }
      return found.rows
    }
    func isDrawn(_ split: Split, _ fraction: Double?) -> Bool { needed.contains(split) && fraction != nil }
    let readsTrain =
      needed.contains(.train) || isDrawn(.validation, configuration.validationFraction)
      || (needed.contains(.validation) && configuration.validationFolds != nil)
      || isDrawn(.test, configuration.testFraction)
    let all = readsTrain ? try read(configuration.train) : []
    var draw = SplitDraw(all, seed: seed)
    func take(_ fraction: Double?, _ key: String, others: Int) throws -> [DataRow] {
      guard let fraction, readsTrain else { return [] }
      return try draw.take(fraction, key, others: others).map { all[$0] }
    }
    let testFraction = configuration.testFraction
    let drawnValidation = try take(
      configuration.validationFraction, "data.validation_fraction", others: testFraction == nil ? 0 : 1)
    let drawnTest = try take(testFraction, "data.test_fraction", others: 0)
    let known = draw.rest.map { all[$0] }.shots(configuration.trainExamplesPerLabel, seed: seed)
    if let folds = configuration.validationFolds {
      let parts = known.parted(by: folds, without: configuration.validationFold ?? 0, seed: seed)
      train = parts.rest
      validation = parts.fold.spread(over: configuration.maxValidationExamples)
      if readsTrain, validation.isEmpty || train.isEmpty {
        throw InputError.badData(
          "data.validation_folds", "of \(folds) leave a part of \(counted(known.count, "row")) empty; use fewer folds")
      }
    } else {
      train = known
      let all =
        try needed.contains(.validation) && configuration.validation != nil
        ? read(configuration.validation) : drawnValidation
      validation = all.spread(over: configuration.maxValidationExamples)
    }
    let allTest = try needed.contains(.test) && configuration.test != nil ? read(configuration.test) : drawnTest
    test = allTest.spread(over: configuration.maxTestExamples)
    let isSplit = configuration.validationFraction ?? testFraction != nil || configuration.validationFolds != nil
    drawnFrom = readsTrain && isSplit ? all : nil
    self.skipped = skipped
  }

  /// The rows of a split.
  subscript(split: Split) -> [DataRow] {
    switch split {
    case .train: train
    case .validation: validation
    case .test: test
    }
  }
}

/// Draws splits from the rows of a file.
///
/// Rows with equal texts fall into one split. Each label gives each split its share of rows, rounded; the labels with the
/// largest remainders are rounded up. At least one text of a label is left, and a label with three texts gives each split
/// one, even if its share is smaller.
private struct SplitDraw {
  /// By label: the texts that are left, each with the indices of its rows, in the order of the draw.
  private var texts: [[[Int]]]
  /// Rows of each label, and whether it has at least three texts, before the first draw.
  private let labels: [(rows: Int, hasThree: Bool)]
  private let count: Int

  init(_ rows: [DataRow], seed: Int) {
    var generator = SeededGenerator(seed: seed, .split)
    // The labels come in random order, too, which decides between equal remainders.
    texts = rows.textsByLabel(rows.indices.shuffled(using: &generator))
    labels = texts.map { texts in (texts.reduce(0) { $0 + $1.count }, texts.count >= 3) }
    count = rows.count
  }

  /// Indices of the rows that are left, ascending.
  var rest: [Int] { texts.joined().joined().sorted() }

  /// Takes a share of all rows.
  ///
  /// - Parameters:
  ///   - fraction: the share.
  ///   - key: its key, for messages.
  ///   - others: splits that are drawn later.
  /// - Returns: their indices, ascending.
  /// - Throws: `InputError.badData` when no row can be drawn, or none would be left.
  mutating func take(_ fraction: Double, _ key: String, others: Int) throws -> [Int] {
    let left = texts.joined().reduce(0) { $0 + $1.count }
    let wanted = Int((Double(count) * fraction).rounded())
    guard wanted > 0, wanted < left else {
      throw InputError.badData(
        key, "of \(fraction) draws \(wanted) of \(left) rows; at least one must be drawn and one must be left")
    }
    var taken: [Int] = []
    for (label, rows) in shares(of: wanted, fraction, others: others).enumerated() {
      taken += take(rows, ofLabel: label, leaving: kept(ofLabel: label, others: others))
    }
    guard !taken.isEmpty else {
      throw InputError.badData(
        key,
        "of \(fraction) draws no row: rows with equal texts stay together, and no label has a second text (of "
          + "\(left) rows)")
    }
    return taken.sorted()
  }

  /// Texts of a label that a draw leaves.
  private func kept(ofLabel label: Int, others: Int) -> Int { labels[label].hasThree ? 1 + others : 1 }

  /// The rows to take of each label.
  private func shares(of wanted: Int, _ fraction: Double, others: Int) -> [Int] {
    let ideals = labels.map { Double($0.rows) * fraction }
    let limits = texts.indices.map { label in
      let sizes = texts[label].map(\.count).sorted()
      return sizes.dropFirst(kept(ofLabel: label, others: others)).reduce(0, +)
    }
    var shares = texts.indices.map { label in
      min(limits[label], max(labels[label].hasThree ? 1 : 0, Int(ideals[label])))
    }
    var missing = wanted - shares.reduce(0, +)
    while missing > 0 {
      let open = shares.indices.filter { shares[$0] < limits[$0] }.sorted {
        (Double(shares[$0]) - ideals[$0], $0) < (Double(shares[$1]) - ideals[$1], $1)
      }
      if open.isEmpty { break }
      for label in open.prefix(missing) { shares[label] += 1 }
      missing -= min(missing, open.count)
    }
    return shares
  }

  /// Takes about so many rows of a label: at least one if it is asked for one.
  private mutating func take(_ rows: Int, ofLabel label: Int, leaving kept: Int) -> [Int] {
    var taken: [Int] = [], others: [[Int]] = []
    var available = texts[label].count - kept
    for text in texts[label] {
      if available > 0, taken.count + text.count <= rows {
        taken += text
        available -= 1
      } else {
        others.append(text)
      }
    }
    // A text with more rows than are missing comes nearer the share than none.
    let missing = rows - taken.count
    if missing > 0, available > 0, let next = others.indices.min(by: { others[$0].count < others[$1].count }),
      taken.isEmpty || others[next].count < 2 * missing
    {
      taken += others.remove(at: next)
    }
    texts[label] = others
    return taken
  }
}

extension [DataRow] {
  /// At most `limit` of the rows, evenly spaced, so that a file sorted by label gives all labels.
  package func spread(over limit: Int?) -> [DataRow] {
    guard let limit, limit < count else { return self }
    return (0..<limit).map { self[$0 * count / limit] }
  }

  /// At most `limit` rows of each label, drawn by the seed, in the order of the file.
  fileprivate func shots(_ limit: Int?, seed: Int) -> [DataRow] {
    guard let limit else { return self }
    var generator = SeededGenerator(seed: seed, .shots)
    return byLabel(indices.shuffled(using: &generator)).flatMap { $0.prefix(limit) }.sorted().map { self[$0] }
  }

  /// At most `limit` of the rows at some places, drawn by the seed: of each label its share, and at least one row if there
  /// are no more labels than that.
  func drawn(_ limit: Int, of places: [Int], seed: Int) -> [Int] {
    var generator = SeededGenerator(seed: seed, .trainingRows)
    let labels = byLabel(places.shuffled(using: &generator))
    let ideals = labels.map { Double(limit) * Double($0.count) / Double(places.count) }
    var shares = ideals.map { Swift.max(labels.count <= limit ? 1 : 0, Int($0)) }
    var missing = limit - shares.reduce(0, +)
    while missing != 0 {
      // The labels that are furthest from their share get or give one each.
      let sign = missing > 0 ? 1 : -1
      let open = labels.indices.filter { sign > 0 ? shares[$0] < labels[$0].count : shares[$0] > 1 }
        .sorted { Double(sign) * (ideals[$0] - Double(shares[$0])) > Double(sign) * (ideals[$1] - Double(shares[$1])) }
      for label in open.prefix(abs(missing)) {
        shares[label] += sign
        missing -= sign
      }
    }
    return zip(labels, shares).flatMap { $0.prefix($1) }.sorted()
  }

  /// The rows in `folds` parts with as even a share of each label as possible, drawn by the seed: all but one part, and
  /// that part.
  ///
  /// Rows with equal texts are in one part. A label with a single text is in none, and always learnt from.
  fileprivate func parted(by folds: Int, without fold: Int, seed: Int) -> (rest: [DataRow], fold: [DataRow]) {
    var generator = SeededGenerator(seed: seed, .folds)
    var taken: Set<Int> = []
    var sizes = [Int](repeating: 0, count: folds)
    for texts in textsByLabel(indices.shuffled(using: &generator)) where texts.count > 1 {
      var ofLabel = [Int](repeating: 0, count: folds)
      for text in texts {
        // Labels follow each other, so a label with fewer rows than folds does not always go to the first.
        let part = sizes.indices.reduce(0) { (ofLabel[$1], sizes[$1]) < (ofLabel[$0], sizes[$0]) ? $1 : $0 }
        ofLabel[part] += text.count
        sizes[part] += text.count
        if part == fold { taken.formUnion(text) }
      }
    }
    return (indices.filter { !taken.contains($0) }.map { self[$0] }, taken.sorted().map { self[$0] })
  }

  /// Indices of rows, grouped by label; the labels come in the order of their first row.
  private func byLabel(_ order: [Int]) -> [[Int]] {
    var groups: [[Int]] = []
    var places: [RowKey: Int] = [:]
    for index in order {
      let place = places[self[index].labelKey, default: groups.count]
      if place == groups.count {
        groups.append([])
        places[self[index].labelKey] = place
      }
      groups[place].append(index)
    }
    return groups
  }

  /// Whether any of them holds text.
  var holdText: Bool { contains { if case .text = $0.content { true } else { false } } }

  /// The distinct labels, sorted; each label is its own word.
  var labels: [LabelWord] {
    let names = Set(compactMap { row in if case .text(_, let label) = row.content { ExactText(label) } else { nil } })
    return names.sorted().map { LabelWord(label: $0.text, word: $0.text) }
  }

  /// - Throws: `InputError.badData` naming a row with an unknown label.
  func requireLabels(_ labels: [LabelWord], of configuration: DataConfiguration) throws {
    let known = Set(labels.map { ExactText($0.label) })
    for row in self {
      if labels.isEmpty, row.isText {
        throw InputError.badData(row.place, "holds text, and the training rows hold tokens; expected \"input_ids\"")
      }
      guard case .text(_, let label) = row.content, !known.contains(ExactText(label)) else { continue }
      throw InputError.unknownLabel(
        label, at: row.place, among: labels.map(\.label),
        configuration.labelWords == nil ? "it does not occur in the training rows" : "add it to data.label_words")
    }
  }
}

extension InputError {
  /// A label that is none of those known; `remedy` ends the message unless the label is another spelling of one.
  static func unknownLabel(_ label: String, at place: String, among known: [String], _ remedy: String) -> InputError {
    func folded(_ label: String) -> String { label.lowercased().filter { !$0.isWhitespace } }
    let shown = known.prefix(20).map { "\"\($0)\"" }.joined(separator: ", ")
    let others = known.count > 20 ? " and \(known.count - 20) more" : ""
    let similar = known.first { folded($0) == folded(label) }
    return .badData(
      place,
      "label \"\(label)\" is not one of \(shown)\(others); "
        + (similar.map {
          "it differs from \"\($0)\" only in case or white space: correct it, or give both the same word in "
            + "data.label_words"
        } ?? remedy))
  }
}
