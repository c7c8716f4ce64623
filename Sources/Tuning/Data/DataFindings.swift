import Diagnostics
import FileFormats
import Method
import Runs
import System

/// What a user should know about the rows of a run before it trains: one sentence for each finding.
package struct DataFindings: Sendable {
  package private(set) var sentences: [String] = []

  /// Labels with fewer rows to learn from are named.
  private static let fewRows = 4
  /// How many times the rows of the rarest label the most frequent one may have.
  private static let unevenness = 10

  /// Surveys the rows that a configuration reads.
  package init(_ rows: TrainingRows, _ configuration: Configuration) {
    let known = rows.known, names = rows.labels.map(\.label)
    sentences = rows.skipped.sentences
    findSimilar(names)
    findQuotes(names)
    findCounts(names, known, configuration)
    findRepeats(rows)
    findLeaks(rows, known, configuration.data)
  }

  /// Labels that a reader takes for one.
  private mutating func findSimilar(_ labels: [String]) {
    var first: [String: String] = [:]
    var found: [(difference: String, pair: String)] = []
    for label in labels {
      let words = label.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      let visible = String(
        String.UnicodeScalarView(
          words.lowercased().unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }))
      guard let other = first[visible] else {
        first[visible] = label
        continue
      }
      let otherWords = other.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      let difference =
        other == label
        ? "Unicode normalization"
        : otherWords == words
          ? "white space"
          : words.lowercased() == otherWords.lowercased()
            ? "case" : "characters that are not visible"
      let names = quotedApart(other, label, lettersDiffer: difference == "case")
      found.append((difference, "\(names.0) and \(names.1)"))
    }
    for difference in found.map(\.difference)
    where !sentences.contains(where: { $0.contains(" only in \(difference):") }) {
      let pairs = found.filter { $0.difference == difference }.map(\.pair)
      sentences.append(
        "labels differ only in \(difference): " + pairs.prefix(3).joined(separator: ", ")
          + (pairs.count > 3 ? " and \(pairs.count - 3) more pairs" : "")
          + "; they count as different until you merge them in the data, or by giving them one word in data.label_words"
      )
    }
  }

  /// Labels that all have the quotes of a table with quotes, read as one where quotes are ordinary characters.
  private mutating func findQuotes(_ labels: [String]) {
    func isQuoted(_ label: String) -> Bool {
      let bytes = label.utf8
      return bytes.count > 1 && bytes.first == UInt8(ascii: "\"") && bytes.last == UInt8(ascii: "\"")
    }
    guard let first = labels.first, labels.allSatisfy(isQuoted) else { return }
    sentences.append(
      "every label is in quotes, such as \(quoted(first)): in a .tsv file quotes are ordinary characters; if they are "
        + "not meant, end the file's name in .csv, which may have tabs too")
  }

  private mutating func findCounts(_ labels: [String], _ rows: [DataRow], _ configuration: Configuration) {
    guard labels.count > 1 else { return }
    var counts = Dictionary(labels.map { (ExactText($0), 0) }, uniquingKeysWith: { first, _ in first })
    for case .text(_, let label) in rows.map(\.content) { counts[ExactText(label), default: 0] += 1 }
    let ordered = labels.map { (label: $0, rows: counts[ExactText($0)] ?? 0) }
    let few = ordered.filter { $0.rows < Self.fewRows }
    if !few.isEmpty {
      let shown = few.prefix(4).map { "\(quoted($0.label)) (\($0.rows))" }.joined(separator: ", ")
      sentences.append(
        "few rows to learn from, in the context and to train on, have the label \(shown)"
          + (few.count > 4 ? " and \(few.count - 4) more labels" : ""))
    }
    guard let most = ordered.max(by: { $0.rows < $1.rows }),
      let least = ordered.filter({ $0.rows > 0 }).min(by: { $0.rows < $1.rows }),
      most.rows >= Self.unevenness * least.rows
    else { return }
    sentences.append(
      "the rows to train on are uneven: \(most.rows) are labelled \(quoted(most.label)), \(least.rows) \(quoted(least.label))"
        + (configuration.training.bestMetric == .macroF1
          ? ""
          : "; training.metric_for_best_model \"macro_f1\" weights all labels equally"
            + (configuration.data.classWeights == nil ? ", and data.class_weights \"balanced\" in the loss" : "")))
  }

  /// Rows with equal texts.
  private mutating func findRepeats(_ rows: TrainingRows) {
    let (repeats, conflicts) = (rows.repeated.repeats, rows.repeated.conflicts)
    let whose = rows.areDrawn ? "of the training file" : "to learn from"
    if let (row, other) = repeats.first {
      sentences.append(
        "\(counted(repeats.count, "row")) \(whose) repeat\(repeats.count == 1 ? "s" : "") another one: "
          + Self.places(row, other) + (repeats.count > 1 ? ", for example" : ""))
    }
    if let (row, other) = conflicts.first {
      var labels = ""
      if case .text(_, let label) = row.content, case .text(_, let otherLabel) = other.content {
        labels = ", for \(quoted(label)) and \(quoted(otherLabel))"
      }
      sentences.append(
        "\(counted(conflicts.count, "row")) \(whose) \(conflicts.count == 1 ? "has" : "have") the same text as "
          + "another one and another label: \(Self.places(row, other))\(labels)"
          + (conflicts.count > 1 ? ", for example" : ""))
    }
    if rows.areDrawn, let last = sentences.indices.last, repeats.count + conflicts.count > 0 {
      sentences[last] += "; rows with equal texts are in the same split"
    }
  }

  /// Rows to measure on that are learnt from.
  private mutating func findLeaks(_ rows: TrainingRows, _ known: [DataRow], _ data: DataConfiguration) {
    let first = Dictionary(known.map { ($0.textKey, $0) }) { first, _ in first }
    func isSame(_ file: String?, _ other: String?) -> Bool {
      guard let file, let other else { return false }
      return absolutePath(file) == absolutePath(other)
    }
    for (split, file) in [(Split.validation, data.validation), (.test, data.test)] {
      if isSame(file, data.train) {
        sentences.append(
          "the same file is data.train and data.\(split.rawValue): its rows are in the context or trained on, so results "
            + "on them say nothing about new rows")
        continue
      }
      let found = rows[split].compactMap { row in first[row.textKey].map { (row, $0) } }
      guard let (row, other) = found.first else { continue }
      sentences.append(
        "\(found.count) of \(counted(rows[split].count, "\(split.rawValue) row")) \(found.count == 1 ? "is" : "are") also "
          + "in the context or trained on (the same text: \(Self.places(row, other))), so results on "
          + "\(found.count == 1 ? "it" : "them") say nothing about new rows")
    }
    if isSame(data.validation, data.test), !isSame(data.test, data.train) {
      sentences.append(
        "the same file is data.validation and data.test: best/ is chosen by the rows that it is tested on")
    }
  }

  /// "lines 3 and 12 of train.csv", or "test.csv:3 and train.csv:12".
  private static func places(_ row: DataRow, _ other: DataRow) -> String {
    let parts = [row, other].map { row in row.place.lastIndex(of: ":").map { row.place[..<$0] } ?? "" }
    let lines = [row, other].compactMap { row in Int(row.place.split(separator: ":").last ?? "") }.sorted()
    guard parts[0] == parts[1], lines.count == 2 else { return "\(row.place) and \(other.place)" }
    return "lines \(lines[0]) and \(lines[1]) of \(parts[0])"
  }
}

extension Trainer {
  /// The most frequent label of the validation rows, the first in a tie, and its share of them; nil if they have fewer
  /// than two labels.
  package func mostFrequentValidationLabel(of setup: TrainingSetup) -> (label: String, share: Double)? {
    var counts = setup.encoder.labelNames.map { _ in 0 }
    for example in validation { counts[example.label] += 1 }
    guard counts.count(where: { $0 > 0 }) > 1 else { return nil }
    let most = counts.indices.reduce(0) { counts[$1] > counts[$0] ? $1 : $0 }
    return (setup.encoder.labelNames[most], Double(counts[most]) / Double(validation.count))
  }

  /// What a user should know about the rows before this run trains.
  package func findings(of setup: TrainingSetup) -> [String] {
    var findings = DataFindings(setup.rows, setup.configuration).sentences
    for (places, all, rows) in [
      (setup.truncatedContext, setup.rows.context.count, "examples of the context"),
      (truncatedRows, examples.count, "train rows"),
      (validation.filter(\.row.isTruncated).map(\.place), validation.count, "validation rows"),
    ] {
      guard let first = places.first, let truncation = setup.configuration.data.truncation else { continue }
      let part = truncation == .middle ? "in the middle" : "at the \(truncation.rawValue)"
      findings.append(
        "\(places.count) of \(all) \(rows) are truncated \(part) to fit the model's window: \(first)"
          + (places.count > 1 ? ", for example" : ""))
    }
    if let (label, longer) = setup.encoder.tokenLabelThatBeginsAnother, setup.rows.labels.isEmpty {
      findings.append(
        "the label tokens \(label) begin the label tokens \(longer), which could never win: an evaluation refuses them")
    }
    return findings
  }
}
