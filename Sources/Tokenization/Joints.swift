/// The places where a word of a vocabulary that writes spaces as "▁" can be split: before each "▁" that no token has
/// directly after the preceding byte.
///
/// No merge ever crosses such a place, so the parts can be encoded and cached one by one. This makes texts fast that
/// are one long word, as with Llama 2.
struct Joints: Sendable {
  /// "▁", U+2581.
  private static let mark: [UInt8] = [0xE2, 0x96, 0x81]

  /// Whether a token has "▁" directly after this byte.
  private var isCrossed = [Bool](repeating: false, count: 256)

  /// Nil if merges may still cross: if letters vanish, or tokens merge into one with another spelling.
  init?(vocabulary: Vocabulary, merges: MergeTable, options: BytePairEncoding.Options) {
    guard vocabulary.id(of: Self.mark.span) != nil else { return nil }
    guard options.fallback != nil || options.unknownToken != nil else { return nil }
    var special = options.fallback?.all ?? []
    if let unknown = options.unknownToken { special.insert(Int32(unknown)) }
    if merges.contains(anyOf: special) { return nil }
    for (spelling, _) in vocabulary.tokens where spelling.count > 3 {
      for i in spelling.indices.dropFirst().dropLast(2)
      where spelling[i] == Self.mark[0] && spelling[i...].starts(with: Self.mark) {
        isCrossed[Int(spelling[i - 1])] = true
      }
    }
  }

  /// The first place after `start` where a text can be split; nil if there is none before `end`.
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
