import FileFormats
import System
import Tuning

/// The validation and test files beside a training file, found by their names: `train.tsv`, `validation.tsv`, `test.tsv`.
package struct SplitSiblings: Sendable {
  package let validation: String?
  package let test: String?
  /// Files that were found but left out, and why.
  package let notes: [String]

  /// Looks beside a training file; a sibling counts if training can read it.
  package init(of data: DataSurvey) {
    let name = lastComponent(of: data.file), parent = folder(of: data.file)
    let labels = Set(data.labels.map { ExactText($0.label) })
    var notes: [String] = []
    func sibling(_ words: [String]) -> String? {
      guard name.contains("train") else { return nil }
      let files = words.map { parent + "/" + name.replacing("train", with: $0) }
      guard let file = files.first(where: fileExists) else { return nil }
      do {
        let rows = try DataFile(file, data.reading).rows
        let isKnown = rows.allSatisfy { row in
          if case .text(_, let label) = row.content { labels.contains(ExactText(label)) } else { false }
        }
        if isKnown { return parent == "." ? lastComponent(of: file) : file }
        notes.append("\(file) is left out: its labels differ from those of \(name)")
      } catch {
        notes.append("\(file) is left out: \(error)")
      }
      return nil
    }
    validation = sibling(["validation", "valid", "val", "dev"])
    test = sibling(["test"])
    let found = [validation, test].compactMap { $0 }
    if !found.isEmpty { notes.append("uses \(found.joined(separator: " and ")) beside \(name)") }
    self.notes = notes
  }
}
