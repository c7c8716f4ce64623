import Diagnostics
import FileFormats
import Kernels
import Method
import Runs
import System
import Testing
import TestSupport
import Tokenization
import Tuning

/// Configurations over the quickstart's model and tokenizer, with data of a few rows.
@Suite struct EncodingTests {
  private static let rows = (0..<20).map { "my parcel \($0) is late\t\(["billing", "delivery", "returns"][$0 % 3])" }

  private func setup(_ sections: [(String, JSON)], rows: [String] = rows, in folder: String) throws -> TrainingSetup {
    try writeAtomically((["text\tlabel"] + rows).joined(separator: "\n"), to: folder + "/train.tsv")
    func section(_ name: String, _ defaults: [JSON.Member]) -> JSON.Member {
      let given = sections.filter { $0.0.hasPrefix(name + ".") }.map {
        JSON.Member(String($0.0.dropFirst(name.count + 1)), $0.1)
      }
      return .init(name, .object(defaults.filter { member in !given.contains { $0.key == member.key } } + given))
    }
    let json: JSON = .object([
      .init("base_model_name_or_path", .string(repository + "/configs/quickstart/model")),
      section("template", [.init("end_of_text", .bool(false))]),
      section("data", [.init("train", .string("train.tsv")), .init("context_examples", .integer(6))]),
      section("training", []),
    ])
    try writeAtomically(json.compact, to: folder + "/config.json")
    return try TrainingSetup(Configuration(file: folder + "/config.json"), team: ThreadTeam(threads: 1))
  }

  @Test func contextIsBalancedSeededAndNotTrainedOn() throws {
    try withTemporaryFolder { folder in
      func labels(_ rows: [DataRow]) -> [String] {
        rows.compactMap { row in if case .text(_, let label) = row.content { label } else { nil } }
      }
      let first = try setup([], in: folder)
      #expect(
        Dictionary(grouping: labels(first.rows.context), by: { $0 }).mapValues(\.count) == [
          "billing": 2, "delivery": 2, "returns": 2,
        ])
      #expect(first.rows.training.count == 14)
      #expect(Set(first.rows.training.map(\.place)).isDisjoint(with: first.rows.context.map(\.place)))
      #expect(try setup([], in: folder).rows.context == first.rows.context)
      let other = try setup([("training.seed", .integer(1))], in: folder)
      #expect(other.rows.context != first.rows.context)
      let own = try setup([("data.train_on", .string("context"))], in: folder)
      #expect(own.rows.training == own.rows.context)
      let perLabel = try setup([("data.context_examples_per_label", .integer(3))], in: folder)
      #expect(perLabel.rows.context.count == 9)
      let all = try setup(
        [("data.train_on", .string("all")), ("data.max_train_examples", .integer(5))], in: folder)
      #expect(all.rows.training.count == 5)
      // Of all rows, in their order; not the first ones.
      let lines = all.rows.training.compactMap { Int($0.place.split(separator: ":").last ?? "") }
      #expect(lines == lines.sorted() && lines != [2, 3, 4, 5, 6])
      // Without examples in the context, the rows that would stand there are trained on first.
      let virtual = try setup([("training.method", .string("prompt_tuning"))], in: folder)
      #expect(virtual.rows.training == first.rows.context + first.rows.training)
      let instructed = try setup([("training.method", .string("instruction_prompt_tuning"))], in: folder)
      #expect(instructed.rows.training == first.rows.training && instructed.context.count > virtual.context.count)
    }
  }

  /// "delivery" is one token, and then nothing of it stands before a label "y"; before "!" it does.
  @Test func labelsThatDisagreeOnWhatStandsBeforeThem() throws {
    let tokenizer = try Tokenizer(path: repository + "/configs/quickstart/model")
    var template = Template()
    template.output = "deliver{}"
    template.tokenization = .whole
    let encoder = try ExampleEncoder(template: template, tokenizer: tokenizer, endOfText: nil, beginningOfText: nil)
    let alone = try tokenizer.encode("input: parcel deliver").map(\.id)
    let before = try encoder.encode(text: "parcel", label: "y")
    let first = try #require(before.labelPositions.first)
    try #require(Array(before.ids[..<first]) != alone)
    #expect(try encoder.prompt(text: "parcel", labels: ["y"]) == Array(before.ids[..<first]))
    #expect(try encoder.prompt(text: "parcel", labels: ["y", "!"]) == alone)
  }

  @Test func splitsAreDisjointAndComplete() throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        [
          ("data.validation_fraction", .number(0.2)), ("data.test_fraction", .number(0.25)),
          ("data.context_examples", .integer(3)),
        ],
        in: folder)
      let parts = [
        setup.rows.context, setup.rows.training, setup.rows.validation, setup.rows.test,
      ]
      #expect(parts.map(\.count) == [3, 8, 4, 5])
      #expect(Set(parts.flatMap { $0 }.map(\.place)).count == 20)
      // Drawn, in the order of the file.
      for part in parts[2...] {
        let lines = part.compactMap { Int($0.place.split(separator: ":").last ?? "") }
        #expect(lines == lines.sorted() && lines.last != lines[0] + lines.count - 1)
      }
    }
  }

  /// Each fragment on its own, in the order of PEFT's notebook.
  @Test func piecesAreTypedInOrder() throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        [
          ("template.input", .string("message: {}!")), ("template.output", .string("team: {}")),
          ("template.emit_inter_separator", .bool(true)),
        ], in: folder)
      let tokenizer = try #require(setup.tokenizer)
      func ids(_ text: String) throws -> [Int] { try tokenizer.encode(text).map(\.id) }
      guard case .text(let text, let label) = setup.rows.context[0].content else { return }
      let pieces: [(String, Int)] = [
        ("message: ", 1), (text, 2), ("!", 1), (" ", 0), ("team: ", 3), (label, 4), ("\n", 0),
      ]
      let expected = TypedTokens(
        ids: try pieces.flatMap { try ids($0.0) },
        types: try pieces.flatMap { piece in try ids(piece.0).map { _ in piece.1 } })
      #expect(setup.context.tokens[0..<expected.count] == expected)
      // The second example's types are raised by 4.
      #expect(setup.context.tokens.types[expected.count] == 5)
    }
  }

  @Test func wholeTextIsTokenizedAtOnce() throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        [
          ("template.tokenization", .string("whole")), ("template.output", .string("output:{}")),
          (
            "data.label_words",
            .object([
              .init("billing", .string(" billing")), .init("delivery", .string(" delivery")),
              .init("returns", .string(" returns")),
            ])
          ),
        ], in: folder)
      let tokenizer = try #require(setup.tokenizer)
      guard case .text(let text, let label) = setup.rows.context[0].content else { return }
      let whole = try tokenizer.encode("input: \(text) output: \(label)").map(\.id)
      #expect(Array(setup.context.tokens.ids[..<whole.count]) == whole)
      let labels = setup.context.tokens.labelPositions.filter { $0 < whole.count }
      #expect(tokenizer.decode(labels.map { whole[$0] }) == " " + label)
    }
  }

  /// The part that is asked for; true is the end.
  @Test(arguments: [JSON.bool(true), .string("end"), .string("start"), .string("middle")])
  func textsAreCutOnlyWhenAsked(truncation: JSON) throws {
    try withTemporaryFolder { folder in
      let text = (0..<400).map { "parcel \($0)" }.joined(separator: " ")
      let long = text + "\tbilling"
      let settings: [(String, JSON)] = [
        ("data.train_on", .string("all")), ("data.balanced_context", .bool(false)),
        ("data.context_examples", .integer(1)),
      ]
      let strict = try setup(settings, rows: Self.rows + [long], in: folder)
      let lastRow = try #require(strict.rows.training.last)
      #expect(throws: InputError.self) { try strict.encoder.example(of: lastRow) }
      let cutting = try setup(
        settings + [("data.truncate_text", truncation)], rows: Self.rows + [long], in: folder)
      let example = try cutting.encoder.example(of: lastRow)
      let last = try #require(example.tokens.labelPositions.last)
      #expect(cutting.context.count + last == cutting.model.decoder.maximumPositions)
      #expect(example.tokens.types.suffix(1) == [4])
      // What is left of the text.
      let tokenizer = try #require(cutting.tokenizer)
      let kept = example.tokens.types.indices.filter { example.tokens.types[$0] == TokenRole.input.rawValue }
      #expect(kept.count > 100)
      let found = kept.map { example.tokens.ids[$0] }, whole = try tokenizer.encode(text).map(\.id)
      switch truncation {
      case .string("start"): #expect(found == whole.suffix(kept.count))
      case .string("middle"):
        #expect(found == Array(whole.prefix((kept.count + 1) / 2)) + whole.suffix(kept.count / 2))
      default: #expect(found == Array(whole.prefix(kept.count)))
      }
      // The template stays.
      let plain = try cutting.encoder.example(of: cutting.rows.training[0]).tokens
      func template(_ tokens: TypedTokens) -> [Int] {
        tokens.ids.indices.filter { TokenRole(type: tokens.types[$0]) != .input && $0 < tokens.computedCount }.map {
          tokens.ids[$0]
        }
      }
      #expect(template(example.tokens) == template(plain))
    }
  }

  /// The longest texts of a context that leaves no room are cut, and the others stay.
  @Test func longTextsInTheContextLeaveRoom() throws {
    try withTemporaryFolder { folder in
      let long = (0..<6).map { row in
        (0..<150).map { "parcel \($0 + row)" }.joined(separator: " ") + "\t" + ["billing", "delivery"][row % 2]
      }
      let rows = long + ["late\tbilling", "lost\tdelivery"]
      let settings: [(String, JSON)] = [
        ("data.train_on", .string("all")), ("data.context_examples", .integer(8)),
        ("data.balanced_context", .bool(false)),
      ]
      #expect(throws: InputError.self) { try setup(settings, rows: rows, in: folder) }
      for part in ["end", "start", "middle"] {
        let cut = try setup(settings + [("data.truncate_text", .string(part))], rows: rows, in: folder)
        #expect(cut.context.count <= 256 && cut.context.count > 220, "\(cut.context.count)")
        let lengths = cut.context.exampleRanges.map(\.count).sorted()
        #expect(lengths[0] < 15 && lengths[1] < 15 && lengths[7] - lengths[2] <= 1, "\(lengths)")
        #expect(try cut.encoder.example(of: cut.rows.training[0]).row.isTruncated)
      }
    }
  }

  /// Many rows in a pack, candidates sharing prefixes: the same as each candidate of each row as a sequence of its own.
  @Test func evaluationEqualsPlainSequences() throws {
    try withTemporaryFolder { folder in
      let words: JSON = .object([
        .init("billing", .string("billing team one")), .init("delivery", .string("billing team two")),
        .init("returns", .string("returns")),
      ])
      let setup = try setup(
        [("data.label_words", words), ("data.validation_fraction", .number(0.3))], in: folder)
      let examples = try setup.examples(of: .validation)
      #expect(Set(examples[0].candidates.map { $0.labelPositions.count }).count > 1)
      let predictions = try setup.evaluate(examples)
      for (example, prediction) in zip(examples, predictions) {
        for (candidate, found) in zip(example.candidates, prediction.logProbabilities) {
          let expected = setup.plainLogProbability(of: candidate)
          #expect(abs(found - expected) < 1e-4)
        }
      }
    }
  }
}
