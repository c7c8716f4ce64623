import Diagnostics
import FileFormats
import Method
import Runs

/// The rows of the splits, read from their files or drawn from the training file by the seed.
struct SplitRows {
  let train: [DataRow]
  let validation: [DataRow]
  let test: [DataRow]

  /// Reads the splits that are needed; those drawn from the training file need it too.
  init(_ configuration: DataConfiguration, seed: Int, _ needed: Set<Split>) throws {
    func read(_ file: String?) throws -> [DataRow] {
      try file.map {
        try DataFile.rows(of: $0, textColumn: configuration.textColumn, labelColumn: configuration.labelColumn)
      } ?? []
    }
    func isDrawn(_ split: Split, _ fraction: Double?) -> Bool { needed.contains(split) && fraction != nil }
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
          key, "of \(fraction) draws \(count) of \(order.count) rows; at least one must be drawn and one must be left")
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

  /// The rows of a split.
  subscript(split: Split) -> [DataRow] {
    switch split {
    case .train: train
    case .validation: validation
    case .test: test
    }
  }
}

extension [DataRow] {
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
