import FileFormats
import Glibc
import System
import Testing
import TestSupport
import Tokenization

@Suite struct TokenizerTests {
  private func randomTexts() -> [String] {
    var generator = TestGenerator(seed: 7)
    return [""] + (0..<300).map { generator.text(count: $0 % 60) }
  }

  /// Whether the tokens' ranges follow each other from the first byte to the last.
  private func areTiling(_ tokens: [Token], _ text: String) -> Bool {
    let starts = tokens.map(\.bytes.lowerBound), ends = tokens.map(\.bytes.upperBound)
    return starts + [text.utf8.count] == [0] + ends
  }

  @Test(
    arguments: (tokenizerNames + familyNames).filter {
      ![
        "unknown-dropped", "dropped-characters", "removed", "removed-inverted", "whitespace", "whitespace-split",
        "wordpiece", "wordpiece-cased", "wordlevel", "affixes", "strip", "strip-right", "nmt", "strip-accents",
        "character-map", "pattern-3",
      ].contains($0)
    }) func offsetsTileTheText(name: String) throws
  {
    let tokenizer = try fixtureTokenizer(name)
    for text in randomTexts() { #expect(areTiling(try tokenizer.encode(text), text), "\(text.debugDescription)") }
  }

  @Test(arguments: [
    "pairs", "strings", "files", "whole-text", "ignore-merges", "llama3", "phi4", "o200k", "bloom", "falcon",
    "starcoder2",
  ])
  func tokensCoverTheBytesTheyStandFor(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    for text in randomTexts() {
      let bytes = Array(text.utf8)
      for token in try tokenizer.encode(text) { #expect(tokenizer.bytes(of: token.id) == Array(bytes[token.bytes])) }
    }
  }

  @Test(arguments: [
    "pairs", "strings", "files", "whole-text", "ignore-merges", "llama3", "phi4", "o200k", "bloom", "falcon",
    "starcoder2", "gemma",
  ])
  func decodingUndoesEncoding(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    for text in randomTexts() {
      let ids = try tokenizer.encode(text).map(\.id)
      #expect(areSame(tokenizer.decode(ids), text), "\(text.debugDescription)")
    }
  }

  @Test func streamsWholeCharactersAsTheyCome() throws {
    let tokenizer = try fixtureTokenizer("llama2")
    func ids(_ tokens: [String]) throws -> [Int] { try tokens.map { try #require(tokenizer.id(of: $0)) } }
    var stream = TextStream(tokenizer)
    // The space before the first word was put there; a byte waits for those after it.
    #expect(
      try ids(["▁the", "▁the", "<0xC3>", "<0xA9>", "▁the", "<0xC3>", "a", "<0xE2>", "<0x82>"]).map { stream.append($0) }
        == ["the", " the", "", "", "é the", "", "\u{FFFD}a", "", ""])
    #expect(stream.finish() == "\u{FFFD}\u{FFFD}")
    let byteLevel = try fixtureTokenizer("llama3")
    var other = TextStream(byteLevel)
    // The letters of E2 82 AC, "€", and of E2 61.
    let letters = try ["â", "Ĥ", "¬", "â", "a"].map { try #require(byteLevel.id(of: $0)) }
    #expect(letters.map { other.append($0) } == ["", "", "€", "", "\u{FFFD}a"])
    #expect(other.finish().isEmpty)
  }

  @Test func rewrittenTextIsCoveredAsItStood() throws {
    let llama = try fixtureTokenizer("llama2")
    let the = try #require(llama.id(of: "▁the"))
    #expect(try llama.encode("the the") == [Token(id: the, bytes: 0..<3), Token(id: the, bytes: 3..<7)])
    #expect(llama.bytes(of: the) == Array(" the".utf8))
    #expect(llama.bytes(of: try #require(llama.id(of: "<0x0A>"))) == [0x0A])
    #expect(llama.text(of: try #require(llama.id(of: "<0xC3>"))) == "<0xC3>")
    // A letter and its mark, composed, are two bytes; both tokens of it end where the mark does.
    let qwen = try fixtureTokenizer("qwen2")
    #expect(try qwen.encode("xe\u{300}").map(\.bytes) == [0..<1, 1..<1, 1..<4])
    // What composes stays apart from what does not.
    #expect(try qwen.encode("e\u{300}x e\u{300}").map(\.bytes) == [0..<0, 0..<3, 3..<4, 4..<5, 5..<5, 5..<8])
  }

  @Test func addedTokensThatTakeWhitespaceCoverIt() throws {
    let tokenizer = try fixtureTokenizer("added-tokens")
    func ranges(_ text: String) throws -> [Range<Int>] { try tokenizer.encode(text).map(\.bytes) }
    #expect(try ranges("a \n<l> b") == [0..<1, 1..<6, 6..<8])
    #expect(try ranges("a <r>\u{3000}b") == [0..<1, 1..<2, 2..<8, 8..<9])
    #expect(try ranges("<l> <r>\n") == [0..<3, 3..<4, 4..<8])
    // `<l>` is looked for before `<r>`, which is a normalized one.
    #expect(try ranges("<r> <l>") == [0..<3, 3..<7])
    #expect(try ranges("<w>") == [0..<3])
  }

  /// With "\n" an added token as well, the whitespace after `<lr>` is claimed twice: the later token gets it.
  @Test func addedTokensThatClaimTheSameWhitespaceDoNotOverlap() throws {
    var text = String(decoding: try readBytes(of: tokenizerFixture("added-tokens/tokenizer.json")), as: UTF8.self)
    let anchor = try #require(text.firstRange(of: #""content":"<w>","single_word":true"#))
    text.replaceSubrange(anchor, with: #""content":"\n","single_word":false"#)
    try withFolder(["tokenizer.json": Array(text.utf8)]) { folder in
      let tokenizer = try Tokenizer(path: folder)
      let newline = try #require(tokenizer.id(of: "\n"))
      let lr = try #require(tokenizer.id(of: "<lr>"))
      let r = try #require(tokenizer.id(of: "<r>"))
      #expect(
        try tokenizer.encode("<r> \n\n<lr> \n") == [
          Token(id: r, bytes: 0..<4), Token(id: newline, bytes: 4..<5), Token(id: newline, bytes: 5..<6),
          Token(id: lr, bytes: 6..<11), Token(id: newline, bytes: 11..<12),
        ])
      // The first `<lr>` has taken the space, so that the second cannot.
      #expect(try tokenizer.encode("<lr> <lr>") == [Token(id: lr, bytes: 0..<5), Token(id: lr, bytes: 5..<9)])
    }
  }

  @Test func inventedSpaceIsEmpty() throws {
    let tokenizer = try fixtureTokenizer("prefix-space")
    let space = try #require(tokenizer.id(of: "Ġ"))
    #expect(try tokenizer.encode("\u{1}").first == Token(id: space, bytes: 0..<0))
    let token = try #require(tokenizer.id(of: "Ġthe"))
    #expect(try tokenizer.encode("the") == [Token(id: token, bytes: 0..<3)])
    #expect(try tokenizer.encode(" the") == [Token(id: token, bytes: 0..<4)])
    let n = try #require(tokenizer.id(of: "<n>"))
    #expect(
      try tokenizer.encode("the<n>the") == [
        Token(id: token, bytes: 0..<3), Token(id: n, bytes: 3..<6), Token(id: token, bytes: 6..<9),
      ])
  }

  @Test func tokensMaySplitACharacter() throws {
    let tokenizer = try fixtureTokenizer("unknown-dropped")
    // The corpus has "日" (E6 97 A5) but no "旦" (E6 97 A6): a byte vanishes, the others stay where they are.
    let tokens = try tokenizer.encode("a旦a")
    let a = try #require(tokenizer.id(of: "a"))
    #expect(tokens.first == Token(id: a, bytes: 0..<1))
    #expect(tokens.last == Token(id: a, bytes: 4..<5))
    #expect(tokenizer.decode(tokens.map(\.id)) == "a\u{FFFD}a")
  }

  @Test func spellingsAndBytes() throws {
    let tokenizer = try fixtureTokenizer("added-tokens")
    let the = try #require(tokenizer.id(of: "Ġthe"))
    #expect(tokenizer.bytes(of: the) == Array(" the".utf8))
    #expect(tokenizer.text(of: the) == " the")
    let added = try #require(tokenizer.id(of: "été"))
    #expect(tokenizer.bytes(of: added) == Array("été".utf8))
    // Hugging Face tokenizers takes the characters of an added token for letters of bytes where they all are some.
    #expect(areSame(tokenizer.decode([added]), "\u{FFFD}t\u{FFFD}"))
    #expect(tokenizer.id(of: "e\u{301}te\u{301}") == nil)
    #expect(tokenizer.id(of: " the") == nil)
    // The letter of byte 0xE6, which begins a character that its token does not end.
    let byte = try #require(tokenizer.id(of: "æ"))
    #expect(tokenizer.bytes(of: byte) == [0xE6])
    #expect(tokenizer.text(of: byte) == "<0xE6>")
    #expect(tokenizer.decode([byte]) == "\u{FFFD}")
    #expect(tokenizer.text(of: try #require(tokenizer.id(of: "Ċ"))) == "\n")
  }

  @Test func textShowsEachByteThatIsNoUTF8() throws {
    // Byte letters: F0 9F 99 begins a character; 0A is whole; C3 A9 is "é".
    let vocabulary = #"{"ðŁĻ":0,"aðŁĻÃ©Ċ":1}"#
    try withFolder(["vocab.json": Array(vocabulary.utf8), "merges.txt": []]) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(tokenizer.text(of: 0) == "<0xF0><0x9F><0x99>")
      #expect(tokenizer.text(of: 1) == "a<0xF0><0x9F><0x99>é\n")
      #expect(tokenizer.decode([1]) == "a\u{FFFD}é\n")
    }
  }

  @Test func idsBeyondTheVocabulary() throws {
    let tokenizer = try fixtureTokenizer("added-tokens")
    let last = try #require(tokenizer.id(of: "été"))
    #expect(tokenizer.vocabularySize == last + 1)
    #expect(try fixtureTokenizer("pairs").vocabularySize == last + 1 - 10)
    for id in [-1, tokenizer.vocabularySize, .max, .min] {
      #expect(tokenizer.bytes(of: id) == nil)
      #expect(tokenizer.text(of: id) == "<id \(id)>")
      #expect(tokenizer.decode([id]).isEmpty)
    }
  }

  @Test func endOfTextOfTheTwoFilesIsAnAddedToken() throws {
    let tokenizer = try fixtureTokenizer("files")
    let endOfText = try #require(tokenizer.id(of: "<|endoftext|>"))
    #expect(try tokenizer.encode("<|endoftext|>") == [Token(id: endOfText, bytes: 0..<13)])
  }

  @Test(arguments: ["whole-text", "llama2", "unigram"]) func wordsLongerThanTheCacheAreNotSlow(name: String) throws {
    let tokenizer = try fixtureTokenizer(name)
    var generator = TestGenerator(seed: 3)
    let letters = (0..<500_000).map { _ in UInt8.random(in: 0x61...0x7A, using: &generator) }
    let texts = [String(decoding: letters, as: UTF8.self), String(repeating: "a", count: 500_000)]
    let start = threadSeconds()
    for text in texts { #expect(areTiling(try tokenizer.encode(text), text)) }
    // Quadratic merging takes minutes.
    #expect(threadSeconds() - start < 20)
  }

  /// The time this thread has worked: the same whatever else the machine does.
  private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }

  /// Merging, as slow as the definition: the leftmost of the pairs with the lowest rank, again and again.
  @Test func mergesTheLowestRankFirst() throws {
    let tokenizer = try fixtureTokenizer("whole-text")
    let file = try JSON.read(file: tokenizerFixture("whole-text/tokenizer.json"))
    var ranks: [[String]: Int] = [:]
    for (rank, merge) in try #require(file["model"]?["merges"]?.array).enumerated() {
      ranks[try #require(merge.array).compactMap(\.string)] = rank
    }
    var generator = TestGenerator(seed: 5)
    for count in 1..<150 {
      let word = (0..<count).map { _ in String("theandwrligo".randomElement(using: &generator) ?? "a") }
      var pieces = word
      while let best = pieces.indices.dropLast().filter({ ranks[[pieces[$0], pieces[$0 + 1]]] != nil })
        .min(by: { (ranks[[pieces[$0], pieces[$0 + 1]]] ?? 0) < (ranks[[pieces[$1], pieces[$1 + 1]]] ?? 0) })
      {
        pieces[best] += pieces.remove(at: best + 1)
      }
      let tokens = try tokenizer.encode(word.joined())
      #expect(tokens.map { tokenizer.text(of: $0.id) } == pieces, "\(word.joined())")
    }
  }

  /// More different words than the cache holds, each twice.
  @Test func aFullCacheBeginsAnew() throws {
    let tokenizer = try fixtureTokenizer("pairs")
    let words = (0..<70_000).map { "\($0)" }
    let text = words.joined(separator: " ")
    let tokens = try tokenizer.encode(text)
    #expect(areTiling(tokens, text))
    #expect(try tokenizer.encode(text) == tokens)
    #expect(areSame(tokenizer.decode(tokens.map(\.id)), text))
    let new = try fixtureTokenizer("pairs")
    for word in [words[0], words[35_000], words[69_999]] {
      #expect(try tokenizer.encode(word) == new.encode(word))
    }
  }

  @Test func mayBeUsedByManyTasksAtOnce() async throws {
    let tokenizer = try fixtureTokenizer("added-tokens")
    let texts = randomTexts()
    let expected = try texts.map { try tokenizer.encode($0) }
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { (try? texts.map { try tokenizer.encode($0) }) == expected } }
      for await isSame in group { #expect(isSame) }
    }
  }
}
