import FileFormats
import TestSupport
import Testing
import Tokenization

/// What Hugging Face tokenizers makes of hard texts; scripts/make-tokenizer-goldens recorded it.
@Suite struct GoldenTests {
  private let goldens: JSON

  init() throws {
    goldens = try JSON.read(file: tokenizerFixture("goldens.json"))
  }

  private func list(_ value: JSON?) throws -> [JSON] {
    try #require(value?.array)
  }

  @Test func allTokenizersAreTested() throws {
    let members = try #require(goldens["tokenizers"]?.object)
    #expect(members.map(\.key).sorted() == tokenizerNames.sorted())
    #expect(try list(goldens["texts"]).count > 200)
  }

  @Test(arguments: tokenizerNames) func encodes(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    let texts = try list(goldens["texts"])
    let expected = try list(goldens["tokenizers"]?[name]?["encoded"])
    try #require(texts.count == expected.count)
    for (text, ids) in zip(texts, expected) {
      let text = try #require(text.string)
      #expect(tokenizer.encode(text).map(\.id) == ids.array?.compactMap(\.integer), "\(text.debugDescription)")
    }
  }

  @Test(arguments: tokenizerNames) func decodes(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    let decoded = try list(goldens["tokenizers"]?[name]?["decoded"])
    try #require(decoded.count == 30)
    for pair in decoded {
      let pair = try list(pair)
      let text = try #require(pair[0].string)
      let ids = try list(pair[1]).compactMap(\.integer)
      #expect(areSame(tokenizer.decode(ids), text), "\(ids)")
    }
  }

  @Test func splitsIntoWords() throws {
    let texts = try list(goldens["texts"])
    let expected = try list(goldens["wordEnds"])
    try #require(texts.count == expected.count)
    var scanner = WordScanner()
    for (text, expected) in zip(texts, expected) {
      let text = try #require(text.string)
      var ends: [Int] = []
      while (ends.last ?? 0) < text.utf8.count {
        ends.append(scanner.endOfWord(from: ends.last ?? 0, to: text.utf8.count, in: text.utf8.span))
      }
      #expect(ends == expected.array?.compactMap(\.integer), "\(text.debugDescription)")
    }
  }

  @Test(arguments: ["whitespace", "letter", "number", "word"]) func knowsTheCharacters(name: String) throws {
    let expected = try list(goldens["characters"]?[name]).compactMap { $0.integer.map(UInt32.init) }
    var found: [UInt32] = []
    for value in 0..<UInt32(0x110000) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isMember =
        switch name {
        case "whitespace": scalar.isWhitespace
        case "letter": scalar.isLetter
        case "number": scalar.isNumber
        default: scalar.isWordCharacter
        }
      guard isMember else { continue }
      if found.last.map({ $0 + 1 }) == value { found[found.count - 1] = value } else { found += [value, value] }
    }
    #expect(found == expected)
  }
}
