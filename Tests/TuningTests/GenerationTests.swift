import Diagnostics
import FileFormats
import Kernels
import LanguageModel
import Method
import Runs
import System
import Testing
import TestSupport
import Tokenization
import Tuning

/// Texts that go on; scripts/make-generation-goldens records what transformers makes of the same.
@Suite struct GenerationTests {
  private static let folder = fixtures + "/generation"
  private static let modelFolder = repository + "/configs/quickstart/model"
  private let goldens: JSON
  private let team = ThreadTeam(threads: 2)

  init() throws {
    goldens = try JSON.read(file: Self.folder + "/goldens.json")
  }

  private func integers(_ json: JSON?) throws -> [Int] { try #require(json?.array).compactMap(\.integer) }
  private func floats(_ json: JSON?) throws -> [Float] {
    try #require(json?.array).compactMap(\.number).map { Float($0) }
  }

  private func quickstart() throws -> PromptedModel {
    let adapter = try Adapter(folder: Self.folder + "/adapter")
    return try PromptedModel(adapter.configuration, adapter: adapter, team: team)
  }

  /// A text that goes on without the template, behind the adapter.
  private func generator(
    after text: String, usesContext: Bool = true, maxTokens: Int = 40, temperature: Double = 0, seed: Int = 0,
    stops: [String] = []
  ) throws -> TextGenerator {
    var settings = TextGenerator.Settings()
    settings.maxTokens = maxTokens
    settings.sampling.temperature = temperature
    settings.sampling.seed = seed
    settings.stops = stops
    return try quickstart().generator(
      after: text, from: .flag, isRaw: true, usesContext: usesContext, settings: settings)
  }

  private func pieces(_ generator: inout TextGenerator) throws -> [String] {
    var pieces: [String] = []
    while let piece = try generator.next() { pieces.append(piece) }
    return pieces
  }

  @Test(arguments: 0..<4)
  func greedyTextsEqualTransformers(index: Int) throws {
    let golden = try #require(goldens["greedy"]?.array)[index]
    let isParity = golden["model"]?.string == "parity"
    let adapter = try Adapter(
      folder: isParity ? fixtures + "/parity/adapter-batch3-decay" : Self.folder + "/adapter")
    let model = try FrozenModel(path: isParity ? fixtures + "/parity/model" : Self.modelFolder)
    let tokenizer = try Tokenizer(path: Self.modelFolder)
    let ids = try integers(golden["ids"])
    if let text = golden["prompt"]?.string { #expect(try tokenizer.encode(text).map(\.id) == ids) }
    var settings = TextGenerator.Settings()
    settings.maxTokens = try #require(golden["max_tokens"]?.integer)
    var generator = try TextGenerator(
      after: TextGenerator.Start(
        model.decoder, context: golden["uses_context"]?.bool == true ? adapter.prompt(over: model.decoder) : nil,
        on: team),
      prompt: ids, tokenizer: tokenizer, endTokens: Set(integers(golden["end_tokens"])), settings: settings)
    let pieces = try pieces(&generator)
    #expect(try generator.tokens == integers(golden["tokens"]))
    #expect(generator.ending?.rawValue == golden["stop_reason"]?.string)
    for (found, expected) in try zip(generator.logProbabilities, floats(golden["log_probabilities"])) {
      #expect(abs(found - expected) < 1e-3)
    }
    if let text = golden["text"]?.string { #expect(generator.text == text) }
    #expect(pieces.joined() == generator.text)
    #expect(try generator.next() == nil)
  }

  // MARK: - Drawing

  @Test(arguments: 0..<10)
  func distributionsEqualTransformers(index: Int) throws {
    let golden = try #require(goldens["warped"]?.array)[index]
    var settings = Sampling()
    settings.temperature = try #require(golden["temperature"]?.number)
    settings.topK = golden["top_k"]?.integer
    settings.topP = golden["top_p"]?.number ?? 1
    let expected = try #require(golden["probabilities"]?.array).compactMap(\.number)
    var found = [Double](repeating: 0, count: expected.count)
    for candidate in try Sampler(settings).candidates(of: floats(goldens["log_probabilities"])) {
      found[candidate.id] = candidate.probability
    }
    #expect(found.map { $0 > 0 } == expected.map { $0 > 0 })
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  /// Probabilities 0.4, 0.3, 0.2, 0.1: top-k 3 leaves 4/9, 3/9, 2/9, of which 4/9 + 3/9 reach 0.7.
  @Test func drawsAreAsFrequentAsTheyAreProbable() throws {
    let logProbabilities: [Float] = [-1.6094379, -0.91629073, -2.3025851, -1.2039728]
    func frequencies(_ change: (inout Sampling) -> Void) -> [Double] {
      var settings = Sampling()
      settings.temperature = 1
      settings.seed = 7
      change(&settings)
      var sampler = Sampler(settings)
      var counts = [0.0, 0, 0, 0]
      for _ in 0..<20000 { counts[sampler.next(logProbabilities)] += 1 / 20000 }
      return counts
    }
    func expect(_ found: [Double], _ expected: [Double]) {
      #expect(zip(found, expected).allSatisfy { $1 == 0 ? $0 == 0 : abs($0 - $1) < 0.015 }, "\(found)")
    }
    expect(frequencies { _ in }, [0.2, 0.4, 0.1, 0.3])
    expect(frequencies { $0.topK = 3 }, [2 / 9, 4 / 9, 0, 3 / 9])
    expect(frequencies { $0.topP = 0.7001 }, [2 / 9, 4 / 9, 0, 3 / 9])
    expect(frequencies { $0.topP = 0.69 }, [0, 4 / 7, 0, 3 / 7])
    expect(
      frequencies {
        $0.topK = 3
        $0.topP = 0.77
      }, [0, 4 / 7, 0, 3 / 7])
    expect(frequencies { $0.topP = 0.001 }, [0, 1, 0, 0])
    // p^(1/T) at T = 0.5: 0.16, 0.09, 0.04, 0.01 of 0.3.
    expect(frequencies { $0.temperature = 0.5 }, [4 / 30, 16 / 30, 1 / 30, 9 / 30])
    expect(frequencies { $0.temperature = 1e-300 }, [0, 1, 0, 0])
    expect(frequencies { $0.temperature = 0 }, [0, 1, 0, 0])
  }

  @Test func theSeedDecidesTheText() throws {
    func text(_ seed: Int) throws -> String {
      var generator = try generator(after: "message: ", temperature: 1, seed: seed)
      _ = try pieces(&generator)
      return generator.text
    }
    #expect(try text(3) == text(3))
    #expect(try text(3) != text(4))
  }

  // MARK: - Text

  /// However the text is cut into pieces, it ends before the stop that is complete first.
  @Test(arguments: [
    (["END"], "one EN END two END", "one EN "), (["\n\n"], "a\nb\n\nc", "a\nb"), (["aab"], "aaaab", "aa"),
    (["abcd", "bc"], "xabcd", "xa"), (["abc", "bc"], "xabc", "x"), (["é€"], "aéé€b", "aé"), (["zz"], "abz", "abz"),
    ([], "plain", "plain"), (["a"], "abc", ""), (["longer than all"], "longer than", "longer than"),
  ])
  func textsEndBeforeAStop(stops: [String], text: String, expected: String) {
    var random = TestGenerator(seed: 5)
    for round in 0..<40 {
      var filter = TextUpToStop(stops)
      var found = ""
      var rest = text.unicodeScalars[...]
      while !rest.isEmpty {
        let count = round == 0 ? 1 : round == 1 ? rest.count : Int.random(in: 1...rest.count, using: &random)
        let piece = filter.append(String(String.UnicodeScalarView(rest.prefix(count))))
        found += piece
        #expect(expected.utf8.starts(with: found.utf8), "\(found)")
        rest = rest.dropFirst(count)
      }
      found += filter.finish()
      #expect(found.utf8.elementsEqual(expected.utf8), "\(found)")
      #expect(filter.isAtStop == (expected != text))
    }
  }

  /// " arrive?" are several tokens; so is the stop.
  @Test func stopsAreFoundAcrossTokens() throws {
    var whole = try generator(after: "message: my parcel is late team: ")
    _ = try pieces(&whole)
    let tokenizer = try Tokenizer(path: Self.modelFolder)
    let words = whole.tokens.map { tokenizer.decode([$0]) }
    let index = try #require(words.indices.dropFirst(4).first { words[$0].count > 2 && words[$0 + 1].count > 2 })
    let stop = String(words[index].suffix(2) + words[index + 1].prefix(2))
    let end = try #require(whole.text.utf8.firstRange(of: stop.utf8)).lowerBound
    var stopped = try generator(after: "message: my parcel is late team: ", stops: ["not there", stop])
    let pieces = try pieces(&stopped)
    #expect(pieces.joined() == String(whole.text[..<end]) && stopped.text == pieces.joined())
    #expect(stopped.ending == .stop && stopped.tokens == Array(whole.tokens.prefix(index + 2)))
    // A beginning of a stop that the text ends with is text.
    let last = try #require(whole.text.last)
    var unfinished = try generator(after: "message: my parcel is late team: ", stops: ["\(last)never"])
    _ = try self.pieces(&unfinished)
    #expect(unfinished.text == whole.text && unfinished.ending == .maxTokens)
  }

  /// The vocabulary has no token for any of these characters: each takes two to four.
  @Test func charactersOfSeveralTokensComeWhole() throws {
    let tokenizer = try Tokenizer(path: Self.modelFolder)
    let text = "a é € 😀😀 日本"
    let ids = try tokenizer.encode(text).map(\.id)
    #expect(ids.count > text.count + 10)
    var words = TextStream(tokenizer)
    var found = ""
    for id in ids {
      let piece = words.append(id)
      #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
      found += piece
      #expect(text.utf8.starts(with: found.utf8))
    }
    #expect(found == text && words.finish() == "")
    // What never becomes a character is shown as such, once that is certain.
    var broken = TextStream(tokenizer)
    let emoji = try tokenizer.encode("😀").map(\.id)
    #expect(emoji.count > 1)
    #expect(broken.append(emoji[0]) == "")
    #expect(try broken.append(#require(tokenizer.encode("b").first?.id)) == "\u{FFFD}b")
    #expect(broken.append(emoji[0]) == "" && broken.finish() == "\u{FFFD}")
  }

  /// Hot draws over all bytes: the pieces make what the tokens decode to, also where they end inside a character.
  @Test(arguments: 0..<3)
  func piecesMakeTheText(seed: Int) throws {
    let tokenizer = try Tokenizer(path: Self.modelFolder)
    func tokens(_ count: Int) throws -> [Int] {
      var generator = try generator(after: "message: ", maxTokens: count, temperature: 3, seed: seed)
      let pieces = try pieces(&generator)
      let ids = generator.ending == .endOfText ? generator.tokens.dropLast() : generator.tokens[...]
      #expect(pieces.joined().utf8.elementsEqual(tokenizer.decode(Array(ids)).utf8))
      #expect(generator.text.utf8.elementsEqual(pieces.joined().utf8))
      return generator.tokens
    }
    let all = try tokens(150)
    let broken = try #require(
      all.indices.first { tokenizer.decode(Array(all[...$0])).unicodeScalars.last == "\u{FFFD}" })
    #expect(try tokens(broken + 1) == Array(all[...broken]))
  }

  // MARK: - Prompts

  /// What stands before a label is what evaluation predicts the label from.
  @Test(arguments: [Template.Tokenization.pieces, .whole], ["billing", " billing"])
  func templatesAreAsInEvaluation(tokenization: Template.Tokenization, word: String) throws {
    try withTemporaryFolder { folder in
      let text = "my parcel is late"
      try writeAtomically("text\tlabel\n\(text)\tb\nrefund me\td\n", to: folder + "/train.tsv")
      let json: JSON = .object([
        .init("base_model_name_or_path", .string(Self.modelFolder)),
        .init(
          "template",
          .object([
            .init("tokenization", .string(tokenization.rawValue)), .init("end_of_text", .bool(true)),
            .init("beginning_of_text", .bool(true)),
            .init("output", .string("team:\(word == "billing" ? " " : ""){}!")),
          ])),
        .init(
          "data",
          .object([
            .init("train", .string("train.tsv")),
            .init("label_words", .object([.init("b", .string(word)), .init("d", .string(word + "s"))])),
          ])),
      ])
      try writeAtomically(json.compact, to: folder + "/config.json")
      var configuration = try Configuration(file: folder + "/config.json")
      configuration.initialAdapter = Self.folder + "/adapter"
      let adapter = try Adapter(folder: Self.folder + "/adapter")
      let setup = try TrainingSetup(configuration, team: team)
      let example = try setup.encoder.example(of: setup.rows.training[0])
      let first = try #require(example.tokens.labelPositions.first)
      let expected = Array(example.tokens.ids[..<first])
      let model = try PromptedModel(configuration, adapter: adapter, team: team)
      #expect(try model.tokens(of: text, from: .flag, isRaw: false, usesContext: true) == expected)
      // Without the context, what stood before it comes along.
      #expect(try model.tokens(of: text, from: .flag, isRaw: false, usesContext: false) == [0] + expected)
      let raw = try #require(setup.tokenizer).encode(text).map(\.id)
      #expect(try model.tokens(of: text, from: .flag, isRaw: true, usesContext: true) == raw)
    }
  }

  @Test func emptyTextsAreRefusedWhereNothingStandsBeforeThem() throws {
    let model = try quickstart()
    for (text, isRaw, usesContext) in [(" ", false, true), ("", false, true), ("", true, false)] {
      #expect(throws: InputError.badData("standard input", "the text is empty")) {
        try model.tokens(of: text, from: .standardInput, isRaw: isRaw, usesContext: usesContext)
      }
    }
    #expect(try model.tokens(of: "", from: .flag, isRaw: true, usesContext: true) == [])
    var alone = try generator(after: "", maxTokens: 3)
    #expect(try pieces(&alone).count == 3)
  }

  /// 24 tokens of context, 488 of text: the model's 512 positions.
  @Test func textsEndAtTheLastPosition() throws {
    func text(_ count: Int) -> String { String(repeating: "!", count: count) }
    let tokenizer = try Tokenizer(path: Self.modelFolder)
    let pair = try tokenizer.encode("!!").count
    try #require(pair == 2)
    var full = try generator(after: text(488))
    #expect(try pieces(&full).count == 1 && full.ending == .window)
    var nearly = try generator(after: text(485), maxTokens: 4)
    #expect(try pieces(&nearly).count == 4 && nearly.ending == .maxTokens)
    let error = #expect(throws: InputError.self) { try generator(after: text(489)) }
    #expect(error?.kind == .usage && error?.place == "--prompt")
    #expect(
      error?.problem.contains("context (24 tokens) and prompt (489) need 513 positions, the model has 512") == true)
    #expect(throws: Never.self) { try generator(after: text(489), usesContext: false, maxTokens: 1) }
  }

  /// Of the tokenizer's end of text (0), config.json and generation_config.json.
  @Test(
    arguments: [
      ("3", nil, [0, 3]), ("[3, 4]", nil, [0, 3, 4]), ("null", "[9, 8]", [0, 8, 9]), ("3", "5", [0, 3, 5]),
      ("-1", "null", [0]), ("\"3\"", nil, nil), ("3", "[1.5]", nil),
    ] as [(String, String?, Set<Int>?)])
  func endTokensAreThoseOfAllFiles(inConfiguration: String, inGeneration: String?, expected: Set<Int>?) throws {
    try withTemporaryFolder { folder in
      for name in names(inDirectory: Self.modelFolder) {
        try writeAtomically(readBytes(of: Self.modelFolder + "/" + name), to: folder + "/" + name)
      }
      let members = (try JSON.read(file: folder + "/config.json").object ?? []).filter { $0.key != "eos_token_id" }
      let ids = try JSON(parsing: Array(inConfiguration.utf8), file: "")
      try writeAtomically(JSON.object(members + [.init("eos_token_id", ids)]).compact, to: folder + "/config.json")
      if let inGeneration {
        try writeAtomically("{\"eos_token_id\": \(inGeneration)}", to: folder + "/generation_config.json")
      }
      let adapter = try Adapter(folder: Self.folder + "/adapter")
      var configuration = adapter.configuration
      configuration.baseModel = folder
      configuration.tokenizer = nil
      guard let expected else {
        let error = #expect(throws: InputError.self) { try PromptedModel(configuration, adapter: adapter, team: team) }
        #expect(error?.problem.contains("\"eos_token_id\" must be a token id or a list") == true)
        return
      }
      #expect(try PromptedModel(configuration, adapter: adapter, team: team).endTokens == expected)
    }
  }
}
