import Diagnostics
import FileFormats
import Method
import Runs

/// A row as typed tokens, once with each candidate label.
package struct CandidateRow: Sendable {
  /// "test.tsv:12".
  package let place: String
  /// The row's text; nil for a row of tokens.
  package let text: String?
  /// The row with each candidate label in turn, types 0 to 4.
  package let candidates: [TypedTokens]
  /// Whether the text was truncated to fit the model.
  package let isTruncated: Bool

  /// The tokens before the label to predict; of the candidate with the fewest, if they differ: a text is truncated more
  /// before a longer label.
  var tokensBeforeLabel: [Int] {
    let (candidate, start) = shortest
    return Array(candidate.ids[..<start])
  }

  /// The candidate with the fewest tokens before its label, and their number.
  private var shortest: (candidate: TypedTokens, labelStart: Int) {
    let all = candidates.map { candidate in
      let positions = candidate.labelPositions
      // Rows of tokens may have other labels before it.
      return (candidate, positions.first { candidate.types[$0] == positions.last.map { candidate.types[$0] } } ?? 0)
    }
    guard let shortest = all.min(by: { $0.1 < $1.1 }) else { preconditionFailure("a row has candidates") }
    return shortest
  }

  /// The same tokens before the label, and one candidate that ends with the first token of its label.
  fileprivate var untilLabel: CandidateRow {
    let (candidate, start) = shortest
    return CandidateRow(place: place, text: nil, candidates: [candidate[0..<(start + 1)]], isTruncated: isTruncated)
  }
}

/// A labelled row as typed tokens, with the other candidate labels.
package struct EncodedExample: Sendable {
  package let row: CandidateRow
  /// The index of its own label among the candidates.
  package let label: Int

  package var place: String { row.place }
  /// The row with its own label.
  package var tokens: TypedTokens { candidates[label] }
  /// The row with each candidate label in turn.
  package var candidates: [TypedTokens] { row.candidates }
}

/// Encodes rows as typed tokens that fit the model.
package struct RowEncoder: Sendable {
  /// The candidate labels, in the order of classes.
  package let labelNames: [String]
  private let labels: [LabelWord]
  /// The index of each label.
  private let indices: [ExactText: Int]
  /// Label tokens of each class, for rows that come as tokens.
  private let tokenLabels: [[Int]]
  private let encoder: ExampleEncoder?
  private let vocabularySize: Int
  /// Tokens an example may have after the context.
  private let room: Int
  private let contextCount: Int
  private let truncation: DataConfiguration.Truncation?

  /// An encoder for rows; token rows among `rows` determine the candidate labels.
  init(
    labels: [LabelWord], rows: [DataRow], encoder: ExampleEncoder?, vocabularySize: Int, maximumPositions: Int,
    contextCount: Int, truncation: DataConfiguration.Truncation?
  ) {
    self.labels = labels
    indices = Dictionary(
      labels.enumerated().map { (ExactText($1.label), $0) }, uniquingKeysWith: { first, _ in first })
    self.encoder = encoder
    self.vocabularySize = vocabularySize
    self.contextCount = contextCount
    self.truncation = truncation
    room = maximumPositions - contextCount
    var distinct: Set<[Int]> = []
    for case .tokens(let tokens) in rows.map(\.content) {
      let label = Self.labelTokens(of: tokens)
      // A row without a label is an error of that row, when it is encoded.
      if !label.isEmpty { distinct.insert(label) }
    }
    tokenLabels = distinct.sorted { $0.lexicographicallyPrecedes($1) }
    labelNames =
      labels.isEmpty
      ? tokenLabels.map { ids in encoder.map { $0.tokenizer.decode(ids) } ?? ids.map(String.init).joined(separator: " ")
      }
      : labels.map(\.label)
  }

  /// The tokens of the last label group.
  package static func labelTokens(of tokens: TypedTokens) -> [Int] {
    let positions = tokens.labelPositions
    guard let last = positions.last else { return [] }
    return positions.filter { tokens.types[$0] == tokens.types[last] }.map { tokens.ids[$0] }
  }

  /// A row as training uses it: with its own label only.
  ///
  /// - Throws: `InputError.badData` naming the row.
  func tokens(of row: DataRow) throws -> TypedTokens { try fittedTokens(of: row).tokens }

  /// Rows as training uses them, and the places of those that were truncated.
  ///
  /// - Throws: `InputError.badData` naming the row.
  func tokens(of rows: [DataRow]) throws -> (tokens: [TypedTokens], truncated: [String]) {
    let fitted = try rows.map(fittedTokens)
    return (fitted.map(\.tokens), zip(rows, fitted).filter { $1.isTruncated }.map { $0.0.place })
  }

  private func fittedTokens(of row: DataRow) throws -> (tokens: TypedTokens, isTruncated: Bool) {
    switch row.content {
    case .tokens(let tokens):
      try refuseTokensAmongWords(row)
      return try fitted(tokens, at: row.place)
    case .text(let text, let label):
      return try fitted(
        encode(text, row.columns, labels[index(of: label, row.place)].word, at: row.place), at: row.place)
    }
  }

  /// The weight of each row's loss in training, by its label; nil: all weigh the same.
  ///
  /// - Throws: `InputError.badData` naming a row, or a label that has a weight and is unknown.
  func weights(of rows: [DataRow], _ configuration: DataConfiguration) throws -> [Double]? {
    guard let classWeights = configuration.classWeights else { return nil }
    let classes = try rows.map { row in
      switch row.content {
      case .text(_, let label): return try index(of: label, row.place)
      case .tokens(let tokens):
        guard let index = tokenLabels.firstIndex(of: Self.labelTokens(of: tokens)) else { throw lacksLabel(row.place) }
        return index
      }
    }
    var weights = [Double](repeating: 1, count: labelNames.count)
    switch classWeights {
    case .balanced:
      // As scikit-learn: of the classes that occur.
      let counts = Dictionary(classes.map { ($0, 1) }, uniquingKeysWith: +)
      for (index, count) in counts { weights[index] = Double(rows.count) / Double(counts.count * count) }
    case .each(let all):
      let names = configuration.classNames
      var labelOfClass: [Int: String] = [:]
      for item in all {
        let name = names[ExactText(item.label)] ?? item.label
        guard let index = labelNames.firstIndex(where: { ExactText($0) == ExactText(name) }) else {
          throw InputError.unknownLabel(item.label, at: "data.class_weights", among: labelNames, "correct it")
        }
        if let other = labelOfClass[index] {
          throw InputError.badData(
            "data.class_weights",
            "gives weights to \"\(other)\" and \"\(item.label)\", which are one class; remove one of them")
        }
        labelOfClass[index] = item.label
        weights[index] = item.weight
      }
    }
    return classes.map { weights[$0] }
  }

  private func index(of label: String, _ place: String) throws -> Int {
    if labels.isEmpty, !tokenLabels.isEmpty {
      throw InputError.badData(place, "holds text, and the labels of the other rows are tokens; expected \"input_ids\"")
    }
    guard let index = indices[ExactText(label)] else { throw unknownLabel(label, place) }
    return index
  }

  private func refuseTokensAmongWords(_ row: DataRow) throws {
    if labels.isEmpty { return }
    throw InputError.badData(
      row.place,
      "holds tokens (\"input_ids\"), and the labels are words (\(labels.prefix(3).map { "\"\($0.word)\"" }.joined(separator: ", "))"
        + "\(labels.count > 3 ? ", …" : "")); expected a text and its label")
  }

  /// Labelled rows as evaluation uses them.
  ///
  /// - Throws: `InputError.badData` naming the row.
  package func examples(of rows: [DataRow]) throws -> [EncodedExample] {
    let examples = try rows.map(example)
    if let first = examples.first { try refuseLabelsThatBeginOthers(in: first.row.candidates) }
    return examples
  }

  /// Rows as a classifier head is fitted to them, with their tokens before the label only, and the index of each one's
  /// label.
  ///
  /// - Throws: `InputError.badData` naming the row.
  func untilLabels(of rows: [DataRow]) throws -> (rows: [EncodedExample], labels: [Int]) {
    var found: (rows: [EncodedExample], labels: [Int]) = ([], [])
    for row in rows {
      let example = try example(of: row)
      found.rows.append(EncodedExample(row: example.row.untilLabel, label: 0))
      found.labels.append(example.label)
    }
    return found
  }

  /// A row as evaluation uses it: once with each candidate label.
  ///
  /// - Throws: `InputError.badData` naming the row.
  package func example(of row: DataRow) throws -> EncodedExample {
    let candidates: CandidateRow
    let label: Int?
    switch row.content {
    case .text(let text, let name):
      label = try index(of: name, row.place)
      candidates = try self.candidates(of: text, columns: row.columns, at: row.place)
    case .tokens(let tokens):
      try refuseTokensAmongWords(row)
      let own = Self.labelTokens(of: tokens)
      label = tokenLabels.firstIndex(of: own)
      candidates = try candidateRow(
        row.place, text: nil, tokenLabels.map { try replacingLabel(of: tokens, by: $0, at: row.place) })
    }
    guard let label, candidates.candidates.indices.contains(label) else { throw unknownLabel("", row.place) }
    return EncodedExample(row: candidates, label: label)
  }

  /// An unlabelled text with each candidate label.
  ///
  /// - Parameters:
  ///   - text: the text, or the texts of several columns as one.
  ///   - columns: the text of each column that the input takes; empty: the text in each.
  ///   - place: the row, for messages.
  /// - Returns: the row.
  /// - Throws: `InputError.badData` naming its place.
  package func candidates(of text: String, columns: [String] = [], at place: String) throws -> CandidateRow {
    try candidateRow(place, text: text, labels.map { try encode(text, columns, $0.word, at: place) })
  }

  private func candidateRow(_ place: String, text: String?, _ candidates: [TypedTokens]) throws -> CandidateRow {
    let fitted = try candidates.map { try self.fitted($0, at: place) }
    return CandidateRow(
      place: place, text: text, candidates: fitted.map(\.tokens), isTruncated: fitted.contains(where: \.isTruncated))
  }

  /// The first of the labels that come as tokens whose tokens begin another's, and that other; nil if there is none.
  var tokenLabelThatBeginsAnother: (label: [Int], longer: [Int])? {
    // They are sorted, so the longer one follows.
    zip(tokenLabels, tokenLabels.dropFirst()).first { $1.starts(with: $0) }.map { (label: $0, longer: $1) }
  }

  /// Rejects texts to train on that leave nothing to tell apart: labels that begin others, or a single label.
  ///
  /// - Throws: `InputError.badData` naming the labels.
  func requireLabelsToTellApart(in rows: [DataRow], labelColumn: String) throws {
    // Labels that come as tokens are PEFT's own; only an evaluation compares them.
    guard let first = rows.first, case .text(let text, let label) = first.content else { return }
    try refuseLabelsThatBeginOthers(in: candidates(of: text, columns: first.columns, at: first.place).candidates)
    let found = Set(
      rows.compactMap { row in if case .text(_, let label) = row.content { ExactText(label) } else { nil } })
    if found.count == 1 {
      throw InputError.badData(
        first.place,
        "has the label \"\(label)\" like every row to train on, so there is nothing to tell apart; is data.label_column "
          + "(\"\(labelColumn)\") the column of the labels?")
    }
  }

  /// Characters of each label's word, as lm-evaluation-harness counts them; nil if labels come as tokens.
  var characterCounts: [Int]? {
    labels.isEmpty ? nil : labels.map(\.word.unicodeScalars.count)
  }

  /// Rejects a label whose tokens are a prefix of another's: it is never less probable, so the longer one cannot win.
  ///
  /// - Throws: `InputError.badData` naming both.
  func refuseLabelsThatBeginOthers(in candidates: [TypedTokens]) throws {
    let labels = candidates.map { candidate in candidate.labelPositions.map { candidate.ids[$0] } }
    guard let (label, longer) = sequencesThatBeginOthers(labels).first, let other = longer.first else { return }
    throw InputError.badData(
      "data.label_words",
      "the tokens of label \"\(labelNames[label])\" are a prefix of those of \"\(labelNames[other])\", which could "
        + "never win; choose words that do not begin each other")
  }

  private func encode(_ text: String, _ columns: [String], _ word: String, at place: String) throws -> TypedTokens {
    guard let encoder else {
      throw InputError.missing(place, "holds text and there is no tokenizer; set tokenizer_name_or_path")
    }
    // A text that cannot fit is refused before its tokens take a hundred times its memory.
    if truncation == nil, text.utf8.count / 64 > max(room, 64), let largest = encoder.tokenizer.largestToken {
      let visible = text.unicodeScalars.reduce(0) { $0 + ($1.properties.isWhitespace ? 0 : UTF8.width($1)) }
      if visible / largest - 1 > room {
        throw InputError.badData(
          place,
          "a text of \(text.utf8.count) bytes, at least \(visible / largest) tokens, does not fit behind a context of "
            + "\(contextCount): the model has \(contextCount + room) positions; shorten it, or set data.truncate_text"
        )
      }
    }
    return try encoder.encode(columns.isEmpty ? [text] : columns, label: word)
  }

  private func unknownLabel(_ label: String, _ place: String) -> InputError {
    .unknownLabel(label, at: place, among: labelNames, "correct it, or add it to data.label_words")
  }

  private func replacingLabel(of tokens: TypedTokens, by label: [Int], at place: String) throws -> TypedTokens {
    guard let last = tokens.labelPositions.last else { throw lacksLabel(place) }
    let positions = tokens.labelPositions.filter { tokens.types[$0] == tokens.types[last] }
    guard let first = positions.first, last - first + 1 == positions.count else {
      throw InputError.badData(place, "the tokens of its label are not consecutive")
    }
    var result = tokens[0..<first]
    result.append(TypedTokens(ids: label, types: label.map { _ in tokens.types[last] }))
    result.append(tokens[(last + 1)..<tokens.count])
    return result
  }

  private func lacksLabel(_ place: String) -> InputError {
    .badData(place, "has no label token (type 4), so there is nothing to predict")
  }

  /// Checks that tokens are in the vocabulary, hold a label, and fit after the context; truncates the text if allowed.
  private func fitted(_ tokens: TypedTokens, at place: String) throws -> (tokens: TypedTokens, isTruncated: Bool) {
    if let id = tokens.ids.first(where: { $0 >= vocabularySize }) {
      throw InputError.badData(place, "token id \(id) is outside the model's vocabulary of \(vocabularySize)")
    }
    guard let lastLabel = tokens.labelPositions.last else { throw lacksLabel(place) }
    // Nothing after the last label is computed, and the last label is only predicted.
    let excess = lastLabel - room
    if excess <= 0 { return (tokens, false) }
    guard let truncation else {
      throw InputError.badData(
        place,
        "context (\(contextCount) tokens) and example (\(lastLabel)) need \(contextCount + lastLabel) positions, the "
          + "model has \(contextCount + room); use a smaller context, or set data.truncate_text")
    }
    let inputs = tokens.types.indices.filter { TokenRole(type: tokens.types[$0]) == .input }
    guard inputs.count > excess else {
      throw InputError.badData(
        place,
        "does not fit the model's \(contextCount + room) positions after a context of \(contextCount) tokens, even "
          + "without its text; use a smaller context")
    }
    let cut: Set<Int>
    switch truncation {
    case .end: cut = Set(inputs.suffix(excess))
    case .start: cut = Set(inputs.prefix(excess))
    case .middle:
      let start = (inputs.count - excess + 1) / 2
      cut = Set(inputs[start..<start + excess])
    }
    let kept = tokens.ids.indices.filter { !cut.contains($0) }
    return (TypedTokens(ids: kept.map { tokens.ids[$0] }, types: kept.map { tokens.types[$0] }), true)
  }
}
