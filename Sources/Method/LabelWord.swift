/// A label of the data and the word the model predicts for it.
package struct LabelWord: Sendable, Equatable {
  package let label: String
  package let word: String

  package init(label: String, word: String) {
    self.label = label
    self.word = word
  }
}

/// The sequences that are a prefix of others, by index, each with those others: as labels, these could never win.
package func sequencesThatBeginOthers<Element: Equatable>(_ labels: [[Element]]) -> [(index: Int, longer: [Int])] {
  labels.indices.compactMap { index in
    let longer = labels.indices.filter { $0 != index && labels[$0].starts(with: labels[index]) }
    return longer.isEmpty ? nil : (index, longer)
  }
}
