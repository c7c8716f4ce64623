/// A text made from another, with the origin of each of its bytes.
///
/// The offsets only grow, so consecutive pieces of the text come from consecutive pieces of the original. Of the bytes
/// that replace a piece of the original, the last one represents the whole piece.
struct AlignedText: Sendable {
  private(set) var bytes: [UInt8] = []
  /// The offset in the original where each byte begins.
  private(set) var origins: [Int] = []
  /// The offset in the original where the text ends.
  private(set) var originEnd: Int

  /// An empty text whose source begins at an offset of the original.
  init(from origin: Int = 0) { originEnd = origin }

  /// Appends bytes that represent the original from the end of this text to `end`.
  mutating func append(_ new: Span<UInt8>, upTo end: Int) {
    for i in new.indices {
      bytes.append(new[i])
      origins.append(originEnd)
    }
    originEnd = end
  }

  /// Appends a piece of a text byte by byte; `source` gives its offsets in the original.
  mutating func append(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment) {
    // The bytes before represent what was left out since; at the beginning, this byte does.
    var origin = origins.isEmpty ? originEnd : source[range.lowerBound]
    for i in range {
      bytes.append(text[i])
      origins.append(origin)
      origin = source[i + 1]
    }
    if !range.isEmpty { originEnd = origin }
  }

  /// Marks the original as read up to an offset.
  mutating func end(at origin: Int) { originEnd = origin }

  /// The origin of its bytes.
  var alignment: Alignment { .aligned(origins, end: originEnd) }
}

/// The origin of the bytes of a text.
enum Alignment: Sendable {
  /// The text is the original.
  case identical
  /// Each byte begins at its own offset of the original; a last offset ends the text.
  case aligned([Int], end: Int)

  /// The offset in the original of an offset in the text.
  subscript(offset: Int) -> Int {
    switch self {
    case .identical: offset
    case .aligned(let origins, let end): offset < origins.count ? origins[offset] : end
    }
  }
}
