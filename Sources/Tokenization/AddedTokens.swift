/// A token that is matched in the text before any other step, such as `<|endoftext|>`.
struct AddedToken: Equatable, Sendable {
  var content: String
  /// Does not belong to ordinary text.
  var isSpecial = false
  /// Matches only without a word character directly before or after it.
  var isSingleWord = false
  /// Includes the whitespace before it.
  var takesWhitespaceBefore = false
  /// Includes the whitespace after it.
  var takesWhitespaceAfter = false
  /// Is matched in the normalized text, after the tokens that are matched in the original text.
  var isNormalized = true

  static func == (a: AddedToken, b: AddedToken) -> Bool {
    a.content.utf8.elementsEqual(b.content.utf8) && a.isSpecial == b.isSpecial && a.isSingleWord == b.isSingleWord
      && a.takesWhitespaceBefore == b.takesWhitespaceBefore && a.takesWhitespaceAfter == b.takesWhitespaceAfter
      && a.isNormalized == b.isNormalized
  }
}

/// Numbers the added tokens of a tokenizer.
///
/// Source: Hugging Face tokenizers' `added_vocabulary.rs`.
struct AddedTokenNumbering: Sendable {
  private let vocabulary: Vocabulary
  /// The id of each token ever added, by its UTF-8.
  private(set) var ids: [[UInt8]: Int] = [:]
  /// The token of each id.
  private(set) var tokens: [Int: AddedToken] = [:]
  /// The ids in the order in which they got a token.
  private(set) var order: [Int] = []
  /// The UTF-8 of each token that was ever added as special.
  private var special: Set<[UInt8]> = []

  init(_ vocabulary: Vocabulary) { self.vocabulary = vocabulary }

  /// Whether a token was ever added as special: flags that it gets later do not take this back.
  func isSpecial(_ token: AddedToken) -> Bool { special.contains(Array(token.content.utf8)) }

  /// The id of a token, added or of the vocabulary.
  func id(of content: String) -> Int? { ids[Array(content.utf8)] ?? vocabulary.id(of: content.utf8.span) }

  /// Adds tokens; one that has an id already keeps it and takes the new flags.
  ///
  /// The others are numbered on: from the number of tokens of the vocabulary, even if it has larger ids, or, if tokens
  /// have been added before, from the largest of their ids if this is larger.
  mutating func add(_ new: [AddedToken]) {
    for token in new where token.isSpecial { special.insert(Array(token.content.utf8)) }
    var next = vocabulary.count
    if let largest = ids.values.max(), largest >= next { next = largest + 1 }
    for token in new where !token.content.isEmpty {
      let known = id(of: token.content), id = known ?? next
      if known == nil { next += 1 }
      ids[Array(token.content.utf8)] = id
      if tokens.updateValue(token, forKey: id) == nil { order.append(id) }
    }
  }
}

/// The added tokens of a tokenizer.
///
/// Source: Hugging Face tokenizers' `added_vocabulary.rs`.
struct AddedTokens: Sendable {
  private let numbering: AddedTokenNumbering
  /// The search texts of the normalized tokens.
  private let normalizedContents: [Int: [UInt8]]
  private let inText: Matcher?
  private let inNormalizedText: Matcher?

  /// Tokens of which the normalizer leaves nothing never match, nor do special ones if they are to be ignored.
  ///
  /// - Throws: `InputError.badData` when a pattern of the normalizer fails.
  init(_ numbering: AddedTokenNumbering, normalizer: Normalizer?, ignoresSpecial: Bool) throws {
    self.numbering = numbering
    var members: [MatcherMember] = [], normalizedMembers: [MatcherMember] = []
    var normalizedContents: [Int: [UInt8]] = [:]
    for id in numbering.order {
      guard let token = numbering.tokens[id] else { continue }
      var member = MatcherMember(id: id, token: token, content: Array(token.content.utf8))
      member.token.isSpecial = numbering.isSpecial(token)
      if token.isNormalized {
        if let normalizer { member.content = try normalizer.normalize(token.content) }
        normalizedContents[id] = member.content
        if !member.content.isEmpty { normalizedMembers.append(member) }
      } else {
        members.append(member)
      }
    }
    self.normalizedContents = normalizedContents
    inText = members.isEmpty ? nil : Matcher(members, ignoresSpecial: ignoresSpecial)
    inNormalizedText = normalizedMembers.isEmpty ? nil : Matcher(normalizedMembers, ignoresSpecial: ignoresSpecial)
  }

  /// The ids, in the order in which the tokens were added.
  var ids: [Int] { numbering.order }

  /// The largest id; nil if there are no tokens.
  var largestID: Int? { ids.max() }

  /// The search text of a token.
  func content(of id: Int) -> String? { numbering.tokens[id]?.content }

  /// The spelling of a token for the decoder: its content, normalized if the token is.
  func spelling(of id: Int) -> [UInt8]? { normalizedContents[id] ?? content(of: id).map { Array($0.utf8) } }

  /// The id of the token with this content.
  func id(of content: String) -> Int? { numbering.ids[Array(content.utf8)] }

  /// A section of the text: an added token, or text between added tokens.
  struct Segment {
    var bytes: Range<Int>
    var id: Int?
  }

  /// Splits a text into its added tokens and the text between them; no section is empty.
  func segments(of text: Span<UInt8>) -> [Segment] { Self.split(text, by: inText) }

  /// The same for a normalized text whose other added tokens have already been split off.
  func segments(ofNormalized text: Span<UInt8>, _ range: Range<Int>) -> [Segment] {
    Self.split(text, range, by: inNormalizedText)
  }

  private static func split(_ text: Span<UInt8>, _ range: Range<Int>? = nil, by matcher: Matcher?) -> [Segment] {
    let range = range ?? 0..<text.count
    guard let matcher else { return range.isEmpty ? [] : [Segment(bytes: range)] }
    var segments: [Segment] = []
    matcher.split(text, range, into: &segments)
    return segments
  }
}

/// A token to be found in a text.
private struct MatcherMember {
  var id: Int
  var token: AddedToken
  /// The text to look for.
  var content: [UInt8]
}

/// Finds the leftmost, then longest, of a set of tokens.
private struct Matcher {
  /// Sorted by content, so that tokens with a common prefix are neighbours, the shortest first.
  private let tokens: [(id: Int, token: AddedToken)]
  private let contents: [[UInt8]]
  /// Whether any token begins with this byte.
  private let begins: [Bool]

  private let ignoresSpecial: Bool

  init(_ members: [MatcherMember], ignoresSpecial: Bool) {
    self.ignoresSpecial = ignoresSpecial
    // Of two tokens that are equal after normalization, the later one counts.
    var lastByContent: [[UInt8]: (id: Int, token: AddedToken)] = [:]
    for member in members { lastByContent[member.content] = (member.id, member.token) }
    let sorted = lastByContent.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    tokens = sorted.map(\.value)
    contents = sorted.map(\.key)
    var begins = Array(repeating: false, count: 256)
    for content in contents { begins[Int(content[0])] = true }
    self.begins = begins
  }

  /// Splits a range of the text.
  ///
  /// A match that is rejected because it is not a single word still hides the matches that overlap it. Whitespace that
  /// a token includes can itself match another token, which then shortens the first one. If the other token includes the
  /// whitespace before it as well, it gets only what the first one left.
  func split(_ text: Span<UInt8>, _ range: Range<Int>, into segments: inout [AddedTokens.Segment]) {
    let first = segments.count
    var segmentStart = range.lowerBound
    var position = range.lowerBound
    while position < range.upperBound {
      guard begins[Int(text[position])],
        let index = longestMatch(in: text, from: position, to: range.upperBound)
      else {
        position += 1
        continue
      }
      let (id, token) = tokens[index]
      var start = position
      var end = position + contents[index].count
      position = end
      if token.isSpecial, ignoresSpecial { continue }
      if token.isSingleWord,
        text.scalar(endingAt: start, from: range.lowerBound).map(\.isWordCharacter) ?? false
          || text.scalar(startingAt: end, to: range.upperBound).map(\.isWordCharacter) ?? false
      {
        continue
      }
      if token.takesWhitespaceBefore {
        while start > segmentStart, let scalar = text.scalar(endingAt: start, from: segmentStart),
          scalar.isWhitespace
        {
          start -= UTF8.width(scalar)
        }
        start = max(start, segmentStart)
      }
      if token.takesWhitespaceAfter {
        while let scalar = text.scalar(startingAt: end, to: range.upperBound), scalar.isWhitespace {
          end += UTF8.width(scalar)
        }
      }
      guard start < end else { continue }
      if segmentStart < start { segments.append(AddedTokens.Segment(bytes: segmentStart..<start)) }
      if segments.count > first, segments[segments.count - 1].bytes.upperBound > start {
        segments[segments.count - 1].bytes = segments[segments.count - 1].bytes.lowerBound..<start
      }
      segments.append(AddedTokens.Segment(bytes: start..<end, id: id))
      segmentStart = end
    }
    if segmentStart < range.upperBound {
      segments.append(AddedTokens.Segment(bytes: segmentStart..<range.upperBound))
    }
  }

  private func longestMatch(in text: Span<UInt8>, from start: Int, to end: Int) -> Int? {
    var candidates = contents[...]
    var best: Int?
    var depth = 0
    while true {
      if let first = candidates.first, first.count == depth {
        best = candidates.startIndex
        candidates = candidates.dropFirst()
      }
      guard !candidates.isEmpty, start + depth < end else { return best }
      let byte = text[start + depth]
      let lower = candidates.partitioningIndex { $0[depth] >= byte }
      candidates = candidates[lower..<candidates.endIndex]
      candidates = candidates[..<candidates.partitioningIndex { $0[depth] > byte }]
      depth += 1
    }
  }
}

extension Span<UInt8> {
  /// The scalar that ends before an offset of UTF-8 text; nil if the offset is `start` or before.
  func scalar(endingAt end: Int, from start: Int) -> Unicode.Scalar? {
    var first = end - 1
    while first > start, self[first] & 0xC0 == 0x80 { first -= 1 }
    return first < start ? nil : scalar(startingAt: first, to: end)
  }

  /// The scalar at an offset of UTF-8 text; nil at `end` and beyond, and inside a scalar.
  func scalar(startingAt start: Int, to end: Int) -> Unicode.Scalar? {
    guard start < end else { return nil }
    let lead = self[start]
    let count = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    guard count > 0, start + count <= end else { return nil }
    var encoding: [UInt8] = []
    for i in start..<(start + count) { encoding.append(self[i]) }
    return String(decoding: encoding, as: UTF8.self).unicodeScalars.first
  }
}

extension RandomAccessCollection {
  /// The first index from which all elements satisfy a condition.
  fileprivate func partitioningIndex(where isInSecondPart: (Element) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if isInSecondPart(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
