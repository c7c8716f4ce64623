import FileFormats
import Testing
import TestSupport
import Tokenization

/// What Hugging Face tokenizers makes of hard texts; scripts/make-tokenizer-goldens recorded it.
@Suite struct GoldenTests {
  private let goldens: JSON
  private let families: JSON

  init() throws {
    goldens = try JSON.read(file: tokenizerFixture("goldens.json"))
    families = try JSON.read(file: tokenizerFixture("families.json"))
  }

  private func list(_ value: JSON?) throws -> [JSON] {
    try #require(value?.array)
  }

  private func integers(_ value: JSON) throws -> [Int] {
    try list(value).map { try #require($0.integer) }
  }

  /// The file that has a tokenizer's goldens.
  private func file(of name: String) -> JSON { tokenizerNames.contains(name) ? goldens : families }

  @Test func allTokenizersAreTested() throws {
    let members = try #require(goldens["tokenizers"]?.object)
    #expect(members.map(\.key).sorted() == tokenizerNames.sorted())
    #expect(try list(goldens["texts"]).count > 200)
    let others = try #require(families["tokenizers"]?.object)
    #expect(others.map(\.key).sorted() == familyNames.sorted())
    #expect(try list(families["texts"]).count > 240)
  }

  @Test(arguments: tokenizerNames + familyNames) func encodes(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    let texts = try list(file(of: name)["texts"])
    let expected = try list(file(of: name)["tokenizers"]?[name]?["encoded"])
    try #require(texts.count == expected.count)
    for (text, ids) in zip(texts, expected) {
      let text = try #require(text.string)
      #expect(try tokenizer.encode(text).map(\.id) == integers(ids), "\(text.debugDescription)")
    }
  }

  /// Hugging Face tokenizers counts in characters; a token that holds part of one is said to hold all of it.
  @Test(arguments: familyNames) func saysWhereTokensStand(name: String) throws {
    let expected = try list(families["tokenizers"]?[name]?["offsets"])
    if expected.isEmpty { return }
    let tokenizer = try fixtureTokenizer(name)
    for (text, offsets) in zip(try list(families["texts"]), expected) {
      let text = try #require(text.string)
      let bytes = Array(text.utf8)
      func isInside(_ offset: Int) -> Bool { offset < bytes.count && bytes[offset] & 0xC0 == 0x80 }
      let found = try tokenizer.encode(text).flatMap { token in
        var (start, end) = (token.bytes.lowerBound, token.bytes.upperBound)
        while isInside(start) { start -= 1 }
        while isInside(end) { end += 1 }
        return [start, end]
      }
      #expect(try found == integers(offsets), "\(text.debugDescription)")
    }
  }

  @Test(arguments: tokenizerNames + familyNames) func decodes(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    let decoded = try list(file(of: name)["tokenizers"]?[name]?["decoded"])
    try #require(decoded.count >= 20)
    for pair in decoded {
      let pair = try list(pair)
      let text = try #require(pair[0].string)
      let ids = try integers(pair[1])
      #expect(areSame(tokenizer.decode(ids), text), "\(ids)")
    }
  }

  @Test func splitsIntoWords() throws {
    let texts = try list(goldens["texts"])
    let expected = try list(goldens["wordEnds"])
    try #require(texts.count == expected.count)
    var matcher = PatternMatcher(try Pattern(RegularExpression(RegularExpression.wordsOfGPT2)))
    for (text, expected) in zip(texts, expected) {
      let text = try #require(text.string)
      var ends: [Int] = []
      while (ends.last ?? 0) < text.utf8.count {
        let end = matcher.endOfMatch(from: ends.last ?? 0, to: text.utf8.count, in: text.utf8.span)
        ends.append(try #require(end))
      }
      #expect(ends == expected.array?.compactMap(\.integer), "\(text.debugDescription)")
    }
  }

  @Test(arguments: ["whitespace", "letter", "number", "word", "punctuation"]) func knowsTheCharacters(name: String)
    throws
  {
    let expected = try list(goldens["characters"]?[name]).compactMap { $0.integer.map(UInt32.init) }
    let set = CharacterSet.categories(named: name.prefix(1).uppercased() + name.dropFirst())
    var found: [UInt32] = []
    for value in 0..<UInt32(0x110000) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isMember =
        switch name {
        case "whitespace": scalar.isWhitespace
        case "word": scalar.isWordCharacter
        case "punctuation": scalar.isPunctuation
        default: set?.contains(scalar) ?? false
        }
      guard isMember else { continue }
      if found.last.map({ $0 + 1 }) == value { found[found.count - 1] = value } else { found += [value, value] }
    }
    #expect(found == expected)
  }
}
