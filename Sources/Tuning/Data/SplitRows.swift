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

  /// Reads the splits that are needed; those drawn from the training file need it too.
  init(_ configuration: DataConfiguration, seed: Int, _ needed: Set<Split>) throws {
    func read(_ file: String?) throws -> [DataRow] {
      try file.map {
        try DataFile.rows(
          of: $0, input: configuration.input, textColumn: configuration.textColumn,
          labelColumn: configuration.labelColumn)
      } ?? []
    }
    func isDrawn(_ split: Split, _ fraction: Double?) -> Bool { needed.contains(split) && fraction != nil }
    let readsTrain =
      needed.contains(.train) || isDrawn(.validation, configuration.validationFraction)
      || (needed.contains(.validation) && configuration.validationFolds != nil)
      || isDrawn(.test, configuration.testFraction)
    let all = readsTrain ? try read(configuration.train) : []
    var generator = SeededGenerator(seed: seed, .split)
    var order = all.indices.shuffled(using: &generator)
    func take(_ fraction: Double?, _ key: String) throws -> [DataRow] {
      guard let fraction, readsTrain else { return [] }
      let count = Int((Double(all.count) * fraction).rounded())
      guard count > 0, count < order.count else {
        throw InputError.badData(
          key, "of \(fraction) draws \(count) of \(order.count) rows; at least one must be drawn and one must be left")
      }
      defer { order.removeFirst(count) }
      return order.prefix(count).sorted().map { all[$0] }
    }
    let drawnValidation = try take(configuration.validationFraction, "data.validation_fraction")
    let drawnTest = try take(configuration.testFraction, "data.test_fraction")
    let known = order.sorted().map { all[$0] }.shots(configuration.trainExamplesPerLabel, seed: seed)
    if let folds = configuration.validationFolds {
      (train, validation) = known.parted(by: folds, without: configuration.validationFold ?? 0, seed: seed)
      if readsTrain, validation.isEmpty || train.isEmpty {
        throw InputError.badData(
          "data.validation_folds", "of \(folds) leave a part of \(counted(known.count, "row")) empty; use fewer folds")
      }
    } else {
      train = known
      validation =
        try needed.contains(.validation) && configuration.validation != nil
        ? read(configuration.validation) : drawnValidation
    }
    let allTest = try needed.contains(.test) && configuration.test != nil ? read(configuration.test) : drawnTest
    test = allTest.spread(over: configuration.maxTestExamples)
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

/// What rows of one label have in common.
private enum LabelKey: Hashable {
  case text(ExactText)
  case tokens([Int])
}

extension DataRow {
  fileprivate var labelKey: LabelKey {
    switch content {
    case .text(_, let label): .text(ExactText(label))
    case .tokens(let tokens): .tokens(RowEncoder.labelTokens(of: tokens))
    }
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

  /// The rows in `folds` parts with as even a share of each label as possible, drawn by the seed: all but one part, and
  /// that part.
  fileprivate func parted(by folds: Int, without fold: Int, seed: Int) -> (rest: [DataRow], fold: [DataRow]) {
    var generator = SeededGenerator(seed: seed, .folds)
    // Labels follow each other, so a label with fewer rows than folds does not always go to the first.
    let ordered = byLabel(indices.shuffled(using: &generator)).flatMap { $0 }
    let taken = Set(stride(from: fold, to: ordered.count, by: folds).map { ordered[$0] })
    return (indices.filter { !taken.contains($0) }.map { self[$0] }, taken.sorted().map { self[$0] })
  }

  /// Indices of rows, grouped by label; the labels come in the order of their first row.
  private func byLabel(_ order: [Int]) -> [[Int]] {
    var groups: [[Int]] = []
    var places: [LabelKey: Int] = [:]
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
      throw InputError.badData(
        row.place,
        "label \"\(label)\" is not one of \(labels.map { "\"\($0.label)\"" }.joined(separator: ", ")); "
          + (configuration.labelWords == nil ? "it does not occur in the training rows" : "add it to data.label_words"))
    }
  }
}
