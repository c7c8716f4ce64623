import FileFormats
import Method
import Tokenization
import Tuning

/// The labels of a run as the tokens to predict, with findings about them.
package struct LabelListing: Sendable {
  package struct Entry: Sendable {
    /// The label as in the data.
    package let label: String
    /// The word the model predicts for it; nil if rows come as tokens.
    package let word: String?
    /// The word's tokens after the template.
    package let ids: [Int]
    package let tokens: [String]
    /// Rows of this label: in the context, trained on, validated on, tested on.
    package let context: Int
    package let training: Int
    package let validation: Int
    package let test: Int
  }

  package let entries: [Entry]
  package let findings: [LabelFinding]

  /// Lists the labels of a run, in the order of classes, encoded after one of its rows.
  init(_ setup: TrainingSetup, following example: EncodedExample) {
    let rowsOfRun = setup.rows, tokenizer = setup.tokenizer
    let ids = example.candidates.map(RowEncoder.labelTokens(of:))
    func key(_ row: DataRow) -> LabelKey {
      switch row.content {
      case .text(_, let label): .text(ExactText(label))
      case .tokens(let tokens): .tokens(RowEncoder.labelTokens(of: tokens))
      }
    }
    let counts = [rowsOfRun.context, rowsOfRun.training, rowsOfRun.validation, rowsOfRun.test].map { rows in
      Dictionary(rows.map { (key($0), 1) }, uniquingKeysWith: +)
    }
    let words = rowsOfRun.labels.map(Optional.some) + ids.dropFirst(rowsOfRun.labels.count).map { _ in nil }
    entries = zip(zip(setup.encoder.labelNames, words), ids).map { label, ids in
      let (name, word) = label
      let key = word.map { LabelKey.text(ExactText($0.label)) } ?? .tokens(ids)
      let rows = counts.map { $0[key] ?? 0 }
      return Entry(
        label: name, word: word?.word, ids: ids, tokens: ids.map(tokenizer.text(of:)),
        context: rows[0], training: rows[1], validation: rows[2], test: rows[3])
    }
    findings = LabelFinding.all(of: entries, tokenizer: tokenizer)
  }

  /// The value that all rows of a label share.
  private enum LabelKey: Hashable {
    case text(ExactText)
    case tokens([Int])
  }
}

/// A fact about label words that a user should know before training.
package enum LabelFinding: Sendable, Equatable {
  /// A label whose tokens are a prefix of others', which can then never win.
  case beginsOthers(String, longer: [String])
  /// Labels that share their first token and differ only after it.
  case sharedFirstToken([String], token: String)
  /// Labels of several tokens.
  case severalTokens([String])
  /// Labels without the space that running text has before words; the first label's tokens, and those after a space.
  case missingSpace([String], tokens: [String], behindSpace: [String])

  /// All findings, the most serious first.
  static func all(of entries: [LabelListing.Entry], tokenizer: Tokenizer?) -> [LabelFinding] {
    var findings: [LabelFinding] = []
    for (index, longer) in sequencesThatBeginOthers(entries.map(\.ids)) {
      findings.append(.beginsOthers(entries[index].label, longer: longer.map { entries[$0].label }))
    }
    var firstTokens: [Int] = []
    for entry in entries { if let first = entry.ids.first, !firstTokens.contains(first) { firstTokens.append(first) } }
    for token in firstTokens {
      let members = entries.filter { $0.ids.first == token }
      if members.count > 1 {
        findings.append(.sharedFirstToken(members.map(\.label), token: tokenizer.text(of: token)))
      }
    }
    let long = entries.filter { $0.ids.count > 1 }
    if !long.isEmpty { findings.append(.severalTokens(long.map(\.label))) }
    guard let tokenizer else { return findings }
    let lacking = entries.compactMap { entry in
      entry.word.flatMap { tokensBehindSpace(of: $0, written: entry.ids, tokenizer) }.map { (entry, $0) }
    }
    if let (entry, behindSpace) = lacking.first {
      findings.append(
        .missingSpace(
          lacking.map(\.0.label), tokens: entry.tokens, behindSpace: behindSpace.map(tokenizer.text(of:))))
    }
    return findings
  }

  /// The tokens of a word after a space, if the space joins the first token and the word is written without it.
  private static func tokensBehindSpace(of word: String, written ids: [Int], _ tokenizer: Tokenizer) -> [Int]? {
    func bytes(_ ids: [Int]) -> [UInt8] { ids.first.flatMap(tokenizer.bytes(of:)) ?? [] }
    let space = UInt8(ascii: " ")
    guard let behindSpace = (try? tokenizer.encode(" " + word))?.map(\.id), bytes(ids).first != space,
      bytes(behindSpace).first == space, bytes(behindSpace).count > 1
    else { return nil }
    return behindSpace
  }
}
