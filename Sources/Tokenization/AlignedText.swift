/// A text that was made from another, and where each of its bytes comes from.
///
/// The offsets only grow, so that pieces of the text that follow each other come from pieces of the original that do,
/// too. Of the bytes that replace a piece of the original, the last one stands for the whole piece.
struct AlignedText: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where in the original each byte begins.
  private(set) var origins: [Int] = []
  /// Where in the original the text ends.
  private(set) var originEnd: Int

  /// An empty text that was made from what begins at an offset of the original.
  init(from origin: Int = 0) { originEnd = origin }

  /// Appends bytes that stand for the original from where this text ends to `end`.
  mutating func append(_ new: Span<UInt8>, upTo end: Int) {
    for i in new.indices {
      bytes.append(new[i])
      origins.append(originEnd)
    }
    originEnd = end
  }

  /// Appends a piece of a text byte by byte; `source` says where in the original that text comes from.
  mutating func append(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment) {
    // What was left out since, the bytes before it stand for; at the beginning, this byte.
    var origin = origins.isEmpty ? originEnd : source[range.lowerBound]
    for i in range {
      bytes.append(text[i])
      origins.append(origin)
      origin = source[i + 1]
    }
    if !range.isEmpty { originEnd = origin }
  }

  /// Says that the original was read up to here.
  mutating func end(at origin: Int) { originEnd = origin }

  /// Where its bytes come from.
  var alignment: Alignment { .aligned(origins, end: originEnd) }
}

/// Where the bytes of a text come from.
enum Alignment: Sendable {
  /// The text is the original.
  case identical
  /// Each byte begins at its offset of the original; the text ends at another.
  case aligned([Int], end: Int)

  /// The offset in the original of an offset in the text.
  subscript(offset: Int) -> Int {
    switch self {
    case .identical: offset
    case .aligned(let origins, let end): offset < origins.count ? origins[offset] : end
    }
  }
}
