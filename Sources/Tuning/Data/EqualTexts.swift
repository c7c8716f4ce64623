import FileFormats

/// What rows have in common that are equal in some way.
enum RowKey: Hashable {
  case text(ExactText)
  case tokens([Int])
}

extension DataRow {
  /// What rows with equal texts have in common: the text without the white space around it, or the tokens without those
  /// of the label to predict.
  var textKey: RowKey {
    switch content {
    case .text(let text, _): return .text(ExactText(text.trimmed))
    case .tokens(let tokens):
      let last = tokens.labelPositions.last.map { tokens.types[$0] }
      return .tokens(tokens.types.indices.filter { tokens.types[$0] != last }.map { tokens.ids[$0] })
    }
  }

  /// What rows of one label have in common.
  var labelKey: RowKey {
    switch content {
    case .text(_, let label): .text(ExactText(label))
    case .tokens(let tokens): .tokens(RowEncoder.labelTokens(of: tokens))
    }
  }
}

extension [DataRow] {
  /// Indices of rows, those with equal texts together, grouped by label; all in the order given.
  ///
  /// Rows with one text and several labels count for the label with the fewest rows.
  func textsByLabel(_ order: [Int]) -> [[[Int]]] {
    var counts: [RowKey: Int] = [:]
    for index in order { counts[self[index].labelKey, default: 0] += 1 }
    var texts: [[Int]] = []
    var places: [RowKey: Int] = [:]
    for index in order {
      let key = self[index].textKey, place = places[key, default: texts.count]
      if place == texts.count {
        texts.append([])
        places[key] = place
      }
      texts[place].append(index)
    }
    var labels: [[[Int]]] = []
    var labelPlaces: [RowKey: Int] = [:]
    for text in texts {
      let keys = text.map { self[$0].labelKey }
      guard let label = keys.min(by: { counts[$0] ?? 0 < counts[$1] ?? 0 }) else { continue }
      let place = labelPlaces[label, default: labels.count]
      if place == labels.count {
        labels.append([])
        labelPlaces[label] = place
      }
      labels[place].append(text)
    }
    return labels
  }
}

/// Rows whose text stands in a row before them.
package struct RepeatedTexts: Sendable {
  /// Two rows with one text.
  package typealias Pair = (row: DataRow, other: DataRow)

  /// Rows that repeat a text with its label, and the first of them.
  package private(set) var repeats: (count: Int, first: Pair?) = (0, nil)
  /// Rows that repeat a text with another label, and the first of them.
  package private(set) var conflicts: (count: Int, first: Pair?) = (0, nil)

  init(in rows: [DataRow]) {
    var first: [RowKey: DataRow] = [:]
    for row in rows {
      let key = row.textKey
      guard let other = first[key] else {
        first[key] = row
        continue
      }
      if row.labelKey == other.labelKey {
        repeats = (repeats.count + 1, repeats.first ?? (row, other))
      } else {
        conflicts = (conflicts.count + 1, conflicts.first ?? (row, other))
      }
    }
  }
}
