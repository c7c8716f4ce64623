import Diagnostics
import FileFormats
import System
import Testing
import TestSupport
import Tokenization

/// The tokenizers of GGUF files; scripts/make-gguf-tokenizer-goldens recorded what Hugging Face makes of hard texts.
@Suite struct GGUFTokenizerTests {
  private static func fixture(_ name: String) -> String { fixtures + "/gguf-tokenizers/" + name }

  private static let goldens = Result { try JSON.read(file: fixture("goldens.json")) }

  private func list(_ value: JSON?) throws -> [JSON] { try #require(value?.array) }

  private func expect(_ tokenizer: Tokenizer, toEncodeTo ids: JSON?, _ comment: String) throws {
    let texts = try list(Self.goldens.get()["texts"]), ids = try list(ids)
    try #require(texts.count == ids.count && texts.count > 100)
    for (text, ids) in zip(texts, ids) {
      let text = try #require(text.string)
      #expect(
        try tokenizer.encode(text).map(\.id) == list(ids).compactMap(\.integer), "\(comment): \(text.debugDescription)")
    }
  }

  // MARK: - Goldens

  @Test(arguments: ["llama.gguf", "ties.gguf", "phi3.gguf", "gemma.gguf"]) func sentencePiece(name: String) throws {
    let golden = try #require(try Self.goldens.get()["files"]?[name])
    let tokenizer = try Tokenizer(path: Self.fixture(name))
    try expect(tokenizer, toEncodeTo: golden["ids"], name)
    for (ids, text) in zip(try list(golden["ids"]), try list(golden["decoded"])) {
      let ids = try list(ids).compactMap(\.integer)
      #expect(areSame(tokenizer.decode(ids), try #require(text.string)), "\(ids)")
    }
  }

  /// Each name of a pre-tokenizer, as if it stood in the file.
  @Test func names() throws {
    let good = try readBytes(of: Self.fixture("byte-level.gguf"))
    let styles = try #require(try Self.goldens.get()["styles"]?.object)
    #expect(styles.count == 16)
    for style in styles {
      for name in try list(style.value["names"]).compactMap(\.string) {
        let bytes = good.setting("tokenizer.ggml.pre", to: name)
        let tokenizer = try withFolder(["m.gguf": bytes]) { try Tokenizer(path: $0 + "/m.gguf") }
        try expect(tokenizer, toEncodeTo: style.value["ids"], name)
      }
    }
  }

  /// Without a name, the architecture says how texts are split.
  @Test(arguments: [
    ("gpt2", "gpt-2"), ("llama", "gpt-2"), ("starcoder2", "digits"), ("gptneox", "neox"), ("qwen2", "qwen2"),
    ("falcon", "falcon"), ("bloom", "bloom"), ("command-r", "command-r"),
  ]) func noName(architecture: String, style: String) throws {
    let bytes = try readBytes(of: Self.fixture("byte-level.gguf")).replacing(
      "tokenizer.ggml.pre", by: "tokenizer.ggml.prx"
    ).setting("general.architecture", to: architecture)
    let tokenizer = try withFolder(["m.gguf": bytes]) { try Tokenizer(path: $0) }
    try expect(tokenizer, toEncodeTo: Self.goldens.get()["styles"]?[style]?["ids"], architecture)
  }

  @Test func unknownName() throws {
    let bytes = try readBytes(of: Self.fixture("byte-level.gguf")).setting("tokenizer.ggml.pre", to: "kimi\n\u{1b}")
    let (error, path) = try error(of: bytes)
    #expect(error.kind == .badData && error.place == path)
    #expect(
      error.problem.hasPrefix(
        #""tokenizer.ggml.pre" is "kimi\n\u001b"; expected one of bloom, chatglm-bpe, codeshell,"#))
    #expect(error.problem.hasSuffix("; or set tokenizer_name_or_path to a folder with the tokenizer.json of the model"))
  }

  // MARK: - Special tokens

  private typealias Values = [(key: String, value: GGUFTestValue)]

  /// A file of SentencePiece with five tokens, then bytes.
  private static let llama: Values = [
    ("general.architecture", .text("llama")), ("tokenizer.ggml.model", .text("llama")),
    ("tokenizer.ggml.tokens", .texts(["<unk>", "<s>", "</s>", "▁a", "b"] + ["a", "▁"])),
    ("tokenizer.ggml.scores", .floats([0, 0, 0, -1, -2, -3, -4])),
    ("tokenizer.ggml.token_type", .integers([2, 3, 3, 1, 4, 1, 1])),
  ]

  /// A file of byte-level BPE with few letters.
  private static let gpt2: Values = [
    ("general.architecture", .text("gpt2")), ("tokenizer.ggml.model", .text("gpt2")),
    ("tokenizer.ggml.pre", .text("gpt-2")),
    ("tokenizer.ggml.tokens", .texts(["a", "b", "ab", "<e>", "abb"])),
    ("tokenizer.ggml.merges", .texts(["a b", "ab b"])),
    ("tokenizer.ggml.token_type", .integers([1, 1, 1, 3, 1])),
  ]

  private func withTokenizer<Result>(
    _ values: Values, _ body: (Tokenizer, SpecialTokens) throws -> Result
  ) throws -> Result {
    try withFolder(["m.gguf": ggufFile(values)]) { folder in
      try body(Tokenizer(path: folder), SpecialTokens(path: folder, modelPath: folder))
    }
  }

  @Test func specialTokensOfLlama() throws {
    try withTokenizer(Self.llama) { (tokenizer, special) throws in
      #expect(try tokenizer.encode("a</s>a<unk>ab<s>").map(\.id) == [3, 2, 3, 0, 3, 4, 1])
      #expect(tokenizer.decode([1, 3, 3, 4, 2]) == "<s> a ab</s>")
      #expect(try special.id(of: .beginningOfText, tokenizer: tokenizer) == 1)
      #expect(try special.id(of: .endOfText, tokenizer: tokenizer) == 2)
      #expect(special.expectsBeginningOfText(tokenizer: tokenizer))
      #expect(tokenizer.addedTokenIDs == [0, 1, 2, 4])
    }
    let other: Values = [
      ("tokenizer.ggml.bos_token_id", .integer(2)), ("tokenizer.ggml.eos_token_id", .integer(3)),
      ("tokenizer.ggml.eot_token_id", .integer(1)), ("tokenizer.ggml.padding_token_id", .integer(-1)),
      ("tokenizer.ggml.add_bos_token", .flag(false)), ("tokenizer.ggml.add_space_prefix", .flag(false)),
    ]
    try withTokenizer(Self.llama + other) { (tokenizer, special) throws in
      #expect(try tokenizer.encode("ab▁a").map(\.id) == [5, 4, 3])
      #expect(try special.id(of: .beginningOfText, tokenizer: tokenizer) == 2)
      #expect(try special.endTokens(tokenizer: tokenizer) == [1, 3])
      #expect(!special.expectsBeginningOfText(tokenizer: tokenizer))
    }
  }

  @Test func specialTokensOfGPT2() throws {
    try withTokenizer(Self.gpt2) { (tokenizer, special) throws in
      #expect(try tokenizer.encode("abb<e>ba").map(\.id) == [4, 3, 1, 0])
      #expect(tokenizer.decode([4, 3, 1, 0]) == "abb<e>ba")
      #expect(throws: InputError.self) { try special.id(of: .endOfText, tokenizer: tokenizer) }
      #expect(try special.endTokens(tokenizer: tokenizer) == [])
      #expect(!special.expectsBeginningOfText(tokenizer: tokenizer))
    }
    // A file without types has the tokens that it names.
    let named =
      Self.gpt2.filter { $0.key != "tokenizer.ggml.token_type" } + [("tokenizer.ggml.eos_token_id", .integer(3))]
    try withTokenizer(named) { (tokenizer, special) throws in
      #expect(try tokenizer.encode("abb<e>ba").map(\.id) == [4, 3, 1, 0])
      #expect(try special.endTokens(tokenizer: tokenizer) == [3])
    }
  }

  /// The names of pre-tokenizers whose texts begin with a token unless the file says otherwise.
  @Test(arguments: [("llama-bpe", true), ("tekken", true), ("falcon3", false), ("qwen2", false), ("smollm", false)])
  func beginsTexts(name: String, expected: Bool) throws {
    let values = Self.gpt2.filter { $0.key != "tokenizer.ggml.pre" }
    let named: Values = [("tokenizer.ggml.pre", .text(name)), ("tokenizer.ggml.bos_token_id", .integer(3))]
    for flag in [nil, true, false] {
      let flags: Values = flag.map { [("tokenizer.ggml.add_bos_token", .flag($0))] } ?? []
      try withTokenizer(values + named + flags) { (tokenizer, special) throws in
        #expect(special.expectsBeginningOfText(tokenizer: tokenizer) == flag ?? expected)
      }
    }
  }

  /// The end of a text is named by the tokenizer, or else by the model, whether either is a folder or a file.
  @Test func tokenizerOfAnotherModel() throws {
    let config = Array(#"{"model_type": "gpt2", "eos_token_id": [0, 2]}"#.utf8)
    let tokenizerJSON = try readBytes(of: tokenizerFixture("pairs/tokenizer.json"))
    try withFolder([
      "m.gguf": ggufFile(
        Self.gpt2 + [("tokenizer.ggml.eos_token_id", .integer(1)), ("tokenizer.ggml.eom_token_id", .integer(4))]),
      "t.gguf": ggufFile(Self.llama), "n.gguf": ggufFile([("general.architecture", .text("gpt2"))]),
    ]) { files in
      try withFolder(["tokenizer.json": tokenizerJSON, "config.json": config, "x.gguf": ggufFile(Self.llama)]) {
        folder in
        let ofFolder = try Tokenizer(path: folder), ofFile = try Tokenizer(path: files + "/t.gguf")
        #expect(ofFolder.vocabularySize == 600)
        func end(_ tokenizer: Tokenizer, _ path: String, _ model: String) throws -> (Int, Set<Int>) {
          let special = SpecialTokens(path: path, modelPath: model)
          return (try special.id(of: .endOfText, tokenizer: tokenizer), try special.endTokens(tokenizer: tokenizer))
        }
        #expect(try end(ofFile, files + "/t.gguf", files + "/m.gguf") == (2, [1, 2, 4]))
        #expect(try end(ofFolder, folder, files + "/m.gguf") == (0, [0, 1, 4]))
        try removeRecursively(folder + "/x.gguf")
        #expect(try end(ofFile, files + "/t.gguf", folder) == (2, [0, 2]))
      }
      #expect(Tokenizer.exists(at: files + "/m.gguf") && Tokenizer.exists(at: files))
      #expect(!Tokenizer.exists(at: files + "/n.gguf") && !Tokenizer.exists(at: files + "/absent.gguf"))
      #expect(Tokenizer.heldBytes(at: files + "/m.gguf") == 980 && Tokenizer.heldBytes(at: files + "/n.gguf") == 0)
      let error = try #require(throws: InputError.self) { try Tokenizer(path: files + "/n.gguf") }
      #expect(error.kind == .missingInput && error.problem.hasPrefix(#"has no tokenizer ("tokenizer.ggml.model")"#))
      #expect(throws: InputError.self) { try Tokenizer(path: files) }
    }
  }

  // MARK: - Malformed files

  private func error(of bytes: [UInt8]) throws -> (error: InputError, path: String) {
    try withFolder(["m.gguf": bytes]) { folder in
      (try #require(throws: InputError.self) { try Tokenizer(path: folder) }, folder + "/m.gguf")
    }
  }

  @Test(
    arguments: [
      ("model", .text("bert"), #""tokenizer.ggml.model" is "bert"; supported: gpt2, llama;"#),
      ("model", .text("t5"), #""tokenizer.ggml.model" is "t5"; supported"#),
      ("model", .integer(1), #""tokenizer.ggml.model" must be a string of UTF-8, found 1"#),
      ("tokens", nil, #""tokenizer.ggml.tokens" must be a list of strings, found nothing"#),
      ("tokens", .texts([]), #""tokenizer.ggml.tokens" must be a list of strings, found a list of 0"#),
      ("tokens", .integers([1]), #""tokenizer.ggml.tokens" must be a list of strings, found a list of 1"#),
      ("tokens", .texts(["a", "b", "ab", "<e>", "b"]), #""tokenizer.ggml.tokens"[4] is "b", as is [1]; each token"#),
      ("tokens", .bytes([[97], [98], [0xFF, 98]]), #""tokenizer.ggml.token_type" must be a list of 3 numbers"#),
      ("tokens", .bytes([[97], [98], [0xFF], [97, 98], [60]]), #""tokenizer.ggml.tokens"[2] is not UTF-8"#),
      (
        "token_type", .integers([1, 1]), #""tokenizer.ggml.token_type" must be a list of 5 numbers, one for each token"#
      ),
      ("token_type", .texts(["1"]), #""tokenizer.ggml.token_type" must be a list of whole numbers"#),
      ("merges", nil, #""tokenizer.ggml.merges" must be a list of strings, found nothing"#),
      ("merges", .texts(["a b", "ab"]), #""tokenizer.ggml.merges"[1] is "ab"; expected two tokens with one space"#),
      (
        "merges", .texts(["a b", "a b b"]),
        #""tokenizer.ggml.merges"[1] is "a b b"; expected two tokens with one space"#
      ),
      ("merges", .texts(["a c"]), #""tokenizer.ggml.merges"[0] merges "a" and "c", but the vocabulary has no "c""#),
      ("merges", .texts(["b b"]), #""tokenizer.ggml.merges"[0] merges "b" and "b", but the vocabulary has no "bb""#),
      ("merges", .bytes([[97, 32, 0xFF]]), #""tokenizer.ggml.merges"[0] merges "a" and "#),
      ("pre", .flag(true), #""tokenizer.ggml.pre" must be a string of UTF-8, found true"#),
      ("bos_token_id", .integer(5), #""tokenizer.ggml.bos_token_id" must be the id of one of the 5 tokens, found 5"#),
      ("eos_token_id", .integer(-2), #""tokenizer.ggml.eos_token_id" must be the id of a token, found -2"#),
      ("unknown_token_id", .text("a"), #""tokenizer.ggml.unknown_token_id" must be a whole number, found "a""#),
      ("add_bos_token", .integer(1), #""tokenizer.ggml.add_bos_token" must be true or false, found 1"#),
    ] as [(String, GGUFTestValue?, String)])
  fileprivate func malformed(key: String, value: GGUFTestValue?, problem: String) throws {
    let key = "tokenizer.ggml." + key
    let values =
      Self.gpt2.filter { $0.key != key } + (value.map { [(key, $0)] } ?? [])
      + (key.hasSuffix("add_bos_token") ? [("tokenizer.ggml.bos_token_id", .integer(3))] : [])
    let (error, path) = try error(of: ggufFile(values))
    #expect(error.kind == .badData && error.place == path)
    #expect(error.problem.hasPrefix(problem), "\(error.problem)")
  }

  @Test(
    arguments: [
      ("scores", nil, #""tokenizer.ggml.scores" must be a list of 7 numbers, one for each token, found nothing"#),
      (
        "scores", .floats([0]),
        #""tokenizer.ggml.scores" must be a list of 7 numbers, one for each token, found a list of 1"#
      ),
      ("scores", .floats([0, 0, 0, 0, .nan, 0, 0]), #""tokenizer.ggml.scores"[4] is nan; expected a finite number"#),
      ("scores", .texts(["a"]), #""tokenizer.ggml.scores" must be a list of numbers, found a list of 1"#),
      (
        "tokens", .texts(["<unk>", "<s>", "</s>", "<0x00>", "b", "a", "▁"]),
        #""tokenizer.ggml.tokens" has tokens of bytes, but lacks "<0x01>""#
      ),
      ("add_space_prefix", .integer(1), #""tokenizer.ggml.add_space_prefix" must be true or false, found 1"#),
    ] as [(String, GGUFTestValue?, String)])
  fileprivate func malformedPieces(key: String, value: GGUFTestValue?, problem: String) throws {
    let key = "tokenizer.ggml." + key
    let values = Self.llama.filter { $0.key != key } + (value.map { [(key, $0)] } ?? [])
    let (error, path) = try error(of: ggufFile(values))
    #expect(error.kind == .badData && error.place == path)
    #expect(error.problem.hasPrefix(problem), "\(error.problem)")
  }

  /// Damaged files are refused or read, and nothing else happens.
  @Test(arguments: [false, true]) func damagedFilesAreErrors(ofPieces: Bool) throws {
    var generator = TestGenerator(seed: 12)
    let good = ggufFile(
      ofPieces
        ? Self.llama
        : Self.gpt2 + [("tokenizer.ggml.eos_token_id", .integer(3)), ("tokenizer.ggml.eot_token_id", .integer(4))])
    var refused = 0
    for round in 0..<1500 {
      var bytes = good
      for _ in 0...(round % 3) {
        let place = Int.random(in: 24..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes[place] = good[Int.random(in: 24..<good.count, using: &generator)]
        default: bytes.removeSubrange(place..<min(bytes.count, place + 1))
        }
      }
      try withFolder(["m.gguf": bytes]) { folder in
        do {
          let tokenizer = try Tokenizer(path: folder)
          let ids = try tokenizer.encode("abb<e> a</s>\u{e9}").map(\.id)
          #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) })
          _ = tokenizer.decode(ids)
          _ = try SpecialTokens(path: folder, modelPath: folder).endTokens(tokenizer: tokenizer)
        } catch let error as InputError {
          #expect(error.place.hasPrefix(folder + "/m.gguf") && !error.description.contains("\n"))
          refused += 1
        }
      }
    }
    #expect(refused > 500)
  }

  /// Tokens without letters, merges of none and other extremes are read, or refused in one line.
  @Test func extremes() throws {
    let values = Self.llama.filter { !["tokenizer.ggml.tokens", "tokenizer.ggml.scores"].contains($0.key) }
    for tokens in [["", "", "", "", "", "", ""], ["a", "", "\u{0}", " ", "  ", "▁▁", "aa"]] {
      for architecture in ["llama", "gemma3", "phi3"] {
        let more: Values = [
          ("tokenizer.ggml.tokens", .texts(tokens)),
          ("tokenizer.ggml.scores", .floats([Float](repeating: -0.0, count: 7))),
          ("general.architecture", .text(architecture)),
        ]
        try withTokenizer(values.filter { $0.key != "general.architecture" } + more) { (tokenizer, _) throws in
          let ids = try tokenizer.encode("aa  a\u{0} é").map(\.id)
          #expect(ids.allSatisfy { 0..<7 ~= $0 })
          _ = tokenizer.decode(Array(0..<7))
        }
      }
    }
  }
}

/// A value of metadata in a file of these tests.
enum GGUFTestValue: Sendable {
  case text(String)
  case integer(Int32)
  case flag(Bool)
  case texts([String])
  case bytes([[UInt8]])
  case integers([Int32])
  case floats([Float])

  /// The number of its type, then the value; GGUF's numbers of types.
  fileprivate var encoded: [UInt8] {
    func list(_ type: UInt32, _ count: Int, _ values: [UInt8]) -> [UInt8] {
      UInt32(9).bytes + type.bytes + UInt64(count).bytes + values
    }
    return switch self {
    case .text(let text): UInt32(8).bytes + string(Array(text.utf8))
    case .integer(let number): UInt32(5).bytes + number.bytes
    case .flag(let flag): UInt32(7).bytes + [flag ? 1 : 0]
    case .texts(let texts): GGUFTestValue.bytes(texts.map { Array($0.utf8) }).encoded
    case .bytes(let texts): list(8, texts.count, texts.flatMap(string))
    case .integers(let numbers): list(5, numbers.count, numbers.flatMap(\.bytes))
    case .floats(let numbers): list(6, numbers.count, numbers.flatMap(\.bitPattern.bytes))
    }
  }
}

/// A GGUF file of metadata without tensors.
func ggufFile(_ values: [(key: String, value: GGUFTestValue)]) -> [UInt8] {
  Array("GGUF".utf8) + UInt32(3).bytes + UInt64(0).bytes + UInt64(values.count).bytes
    + values.flatMap { string(Array($0.key.utf8)) + $0.value.encoded }
}

private func string(_ bytes: [UInt8]) -> [UInt8] { UInt64(bytes.count).bytes + bytes }

extension FixedWidthInteger {
  fileprivate var bytes: [UInt8] { (0..<(Self.bitWidth / 8)).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

extension [UInt8] {
  /// A GGUF file with another text as the value of a key.
  fileprivate func setting(_ key: String, to text: String) -> [UInt8] {
    guard let found = firstRange(of: Array(key.utf8)) else { return self }
    let start = found.upperBound + 4
    let count = self[start..<(start + 8)].reversed().reduce(0) { $0 << 8 + Int($1) }
    return self[..<start] + string(Array(text.utf8)) + self[(start + 8 + count)...]
  }

  fileprivate func replacing(_ old: String, by new: String) -> [UInt8] {
    guard let found = firstRange(of: Array(old.utf8)) else { return self }
    return self[..<found.lowerBound] + Array(new.utf8) + self[found.upperBound...]
  }
}
