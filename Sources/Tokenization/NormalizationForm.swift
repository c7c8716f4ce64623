import CUTF8Proc

/// A Unicode normalization form.
///
/// Only characters of Unicode 9 are normalized, as in Hugging Face tokenizers: later ones are unchanged.
///
/// Source: Unicode Standard Annex 15. utf8proc decomposes and composes; ordering and segmentation are done here.
enum NormalizationForm: String, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  /// Scalars below this are already normalized, and neither they nor the text before them affects what follows.
  private var firstThatMayChange: UInt32 {
    switch self {
    case .nfc: 0x300
    case .nfd: 0xC0
    case .nfkc, .nfkd: 0xA0
    }
  }

  private var composes: Bool { self == .nfc || self == .nfkc }

  /// Normalizes a range of a text segment by segment. A segment is a unit that changes together, such as a letter with
  /// its marks; one that changes is aligned as a whole.
  func append(_ range: Range<Int>, of text: Span<UInt8>, _ source: Alignment, to result: inout AlignedText) {
    var segment: [Int32] = []
    var segmentStart = range.lowerBound
    var mayChange = false
    var copied = range.lowerBound
    var position = range.lowerBound
    func endSegment() {
      if mayChange, let changed = normalized(segment, unlessIn: segmentStart..<position, of: text) {
        result.append(copied..<segmentStart, of: text, source)
        result.append(changed.span, upTo: source[position])
        copied = position
      }
      segment.removeAll(keepingCapacity: true)
      segmentStart = position
      mayChange = false
    }
    var decomposition: [Int32] = []
    while position < range.upperBound {
      let (value, length) = text.scalarValue(at: position)
      if value < firstThatMayChange {
        if !segment.isEmpty { endSegment() }
        segment.append(Int32(value))
      } else {
        decompose(value, into: &decomposition)
        if let first = decomposition.first, !segment.isEmpty, Self.beginsSegment(UInt32(first)) { endSegment() }
        if !mayChange, let letter = segment.first {
          // The letter is not decomposed yet, since it cannot change on its own.
          var letters: [Int32] = []
          decompose(UInt32(letter), into: &letters)
          segment = letters
        }
        segment += decomposition
        mayChange = true
      }
      position += length
    }
    endSegment()
    result.append(copied..<position, of: text, source)
  }

  /// Whether a scalar begins a segment: it is neither a mark nor a Hangul vowel or final consonant, the only scalars
  /// that compose with the text before them.
  private static func beginsSegment(_ value: UInt32) -> Bool {
    if value < 0x300 { return true }
    if (0x1160...0x11FF).contains(value) { return false }
    guard let scalar = Unicode.Scalar(value) else { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return !isKnown(scalar)
    default: return scalar.properties.canonicalCombiningClass == .notReordered || !isKnown(scalar)
    }
  }

  private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { $0.major <= 9 } ?? false
  }

  private static func combiningClass(_ value: Int32) -> UInt8 {
    guard let scalar = Unicode.Scalar(UInt32(bitPattern: value)) else { return 0 }
    let combiningClass = scalar.properties.canonicalCombiningClass.rawValue
    return combiningClass > 0 && isKnown(scalar) ? combiningClass : 0
  }

  /// The normalized text of a segment; nil if it equals the range of the text.
  private func normalized(_ segment: [Int32], unlessIn range: Range<Int>, of text: Span<UInt8>) -> [UInt8]? {
    var scalars = segment
    if scalars.count > 1 {
      Self.reorder(&scalars)
      if composes { Self.compose(&scalars) }
    }
    var encoded: [UInt8] = []
    for value in scalars {
      guard let scalar = Unicode.Scalar(UInt32(bitPattern: value)) else { continue }
      encoded += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
    }
    let isSame = encoded.count == range.count && zip(encoded, range).allSatisfy { $0 == text[$1] }
    return isSame ? nil : encoded
  }

  /// The full decomposition of a scalar.
  private func decompose(_ value: UInt32, into scalars: inout [Int32]) {
    let scalar = Int32(bitPattern: value)
    var options = UTF8PROC_DECOMPOSE.rawValue
    if self == .nfkc || self == .nfkd { options |= UTF8PROC_COMPAT.rawValue }
    // The longest decomposition, that of U+FDFA, has 18 scalars.
    while scalars.count < 32 { scalars.append(0) }
    var boundary: Int32 = 0
    let count = unsafe utf8proc_decompose_char(
      scalar, &scalars, scalars.count, utf8proc_option_t(rawValue: options), &boundary)
    if count > 0, count <= scalars.count {
      scalars.removeLast(scalars.count - count)
    } else {
      scalars = [scalar]
    }
    if scalars != [scalar], !(Unicode.Scalar(value).map(Self.isKnown) ?? false) { scalars = [scalar] }
  }

  /// The canonical order: marks by combining class, lowest first; equal classes keep their order.
  private static func reorder(_ scalars: inout [Int32]) {
    let classes = scalars.map(combiningClass)
    var order = Array(scalars.indices)
    var start = 0
    while start < order.count {
      var end = start + 1
      if classes[start] > 0 {
        while end < order.count, classes[end] > 0 { end += 1 }
        order[start..<end].sort { (classes[$0], $0) < (classes[$1], $1) }
      }
      start = end
    }
    scalars = order.map { scalars[$0] }
  }

  private static func compose(_ scalars: inout [Int32]) {
    let options = utf8proc_option_t(rawValue: UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)
    let count = unsafe utf8proc_normalize_utf32(&scalars, scalars.count, options)
    if count > 0, count < scalars.count { scalars.removeLast(scalars.count - count) }
  }
}
