/// Where a word of a vocabulary that writes spaces as "▁" comes apart: before each "▁" that no token has right behind
/// the byte that precedes it.
///
/// No merge ever crosses such a place, so that the parts can be encoded, and remembered, one by one. It is what makes
/// texts quick that are one long word, as Llama 2's are.
struct Joints: Sendable {
  /// "▁", U+2581.
  private static let mark: [UInt8] = [0xE2, 0x96, 0x81]

  /// Whether a token has "▁" right behind this byte.
  private var isCrossed = [Bool](repeating: false, count: 256)

  /// Nil where merges may cross all the same: where letters vanish, or tokens merge that are not what they spell.
  init?(vocabulary: Vocabulary, merges: MergeTable, options: BytePairEncoding.Options) {
    guard vocabulary.id(of: Self.mark.span) != nil else { return nil }
    guard options.fallback != nil || options.unknownToken != nil else { return nil }
    var special = options.fallback?.all ?? []
    if let unknown = options.unknownToken { special.insert(Int32(unknown)) }
    if merges.contains(anyOf: special) { return nil }
    for id in 0..<vocabulary.count {
      guard let spelling = vocabulary.spelling(of: id), spelling.count > 3 else { continue }
      for i in spelling.indices.dropFirst().dropLast(2)
      where spelling[i] == Self.mark[0] && spelling[i...].starts(with: Self.mark) {
        isCrossed[Int(spelling[i - 1])] = true
      }
    }
  }

  /// The first place behind `start` where a text comes apart; nil where there is none before `end`.
  func next(after start: Int, to end: Int, in text: Span<UInt8>) -> Int? {
    var position = start + 1
    while position + 2 < end {
      if text[position] == Self.mark[0], text[position + 1] == Self.mark[1], text[position + 2] == Self.mark[2],
        !isCrossed[Int(text[position - 1])]
      {
        return position
      }
      position += 1
    }
    return nil
  }
}
