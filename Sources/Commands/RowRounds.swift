import Collectives
import Diagnostics
import FileFormats
import Tuning

/// Rows that the ranks label together, a pack for each: the first rank reads them, and the others get their texts from it.
struct RowRounds {
  private let classifier: Classifier
  private let ranks: Ranks
  private let emptyPack: CandidatePack
  private var packs: [CandidatePack] = []
  /// The rows of each pack, as messages have them.
  private var rows: [[JSON]] = []

  init(_ classifier: Classifier, _ ranks: Ranks, from emptyPack: CandidatePack) {
    self.classifier = classifier
    self.ranks = ranks
    self.emptyPack = emptyPack
  }

  /// Whether each rank has a full pack.
  var isFull: Bool { packs.count == ranks.data.size && packs[packs.count - 1].isFull }

  /// Adds a row.
  ///
  /// - Returns: whether its text was truncated.
  /// - Throws: `InputError.badData` naming its place, when it cannot be labelled.
  mutating func append(_ texts: (text: String, columns: [String]), at place: String) throws -> Bool {
    let row = try classifier.candidates(of: texts, at: place)
    var pack = emptyPack
    let continues = packs.last.map { !$0.isFull } ?? false
    if continues, let last = packs.last { pack = last }
    try pack.append(row)
    let message = JSON.array(([place, texts.text] + texts.columns).map(JSON.string))
    if continues {
      packs[packs.count - 1] = pack
      rows[rows.count - 1].append(message)
    } else {
      packs.append(pack)
      rows.append([message])
    }
    return row.isTruncated
  }

  /// The scores of the rows so far, which are then gone.
  mutating func finish(
    _ scores: ([CandidatePack]) throws -> [CandidateScores]
  ) throws -> [CandidateScores] {
    defer {
      packs = []
      rows = []
    }
    tell(.array(rows.map(JSON.array)))
    return try scores(packs)
  }

  /// Tells the other ranks that there are no more rows.
  func end() { tell(.array([])) }

  private func tell(_ message: JSON) {
    if ranks.all.size == 1 { return }
    let bytes = Array(message.compact.utf8)
    for rank in 1..<ranks.all.size { ranks.all.send(bytes, to: rank) }
  }

  /// Labels rows with the first rank until it has no more.
  ///
  /// - Throws: `InputError` for a row whose probabilities are not finite.
  func follow(_ scores: ([CandidatePack]) throws -> [CandidateScores]) throws {
    while true {
      let message = try JSON(parsing: ranks.all.nextMessage().bytes, file: "rank 0")
      guard let rows = message.array, !rows.isEmpty else { return }
      _ = try scores(
        rows.map { rows in
          try (rows.array ?? []).reduce(into: emptyPack) { pack, row in
            let words = (row.array ?? []).compactMap(\.string)
            guard words.count >= 2 else { return }
            try pack.append(classifier.candidates(of: (words[1], Array(words[2...])), at: words[0]))
          }
        })
    }
  }
}
