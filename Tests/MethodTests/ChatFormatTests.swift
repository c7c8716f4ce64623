import ChatTemplates
import Diagnostics
import FileFormats
import Method
import Testing
import TestSupport
import Tokenization

/// Few-shot conversations as transformers tokenizes them; scripts/make-chat-goldens recorded them.
@Suite struct ChatFormatTests {
  private static let variables = ["bos_token": "<s>", "eos_token": "</s>"]

  private let styles: JSON
  private let cases: [JSON]

  init() throws {
    styles = try #require(try JSON.read(file: fixtures + "/chat/templates.json")["styles"])
    cases = try #require(try JSON.read(file: fixtures + "/chat/conversations.json")["cases"]?.array)
  }

  private func chatTemplate(_ style: String) throws -> ChatTemplate {
    try ChatTemplate(try #require(styles[style]?.string), place: "f", variables: Self.variables)
  }

  private func makeEncoder(
    _ chat: ChatTemplate, tokenizer: String = "llama2", _ change: (inout Template) -> Void = { _ in }
  ) throws
    -> ExampleEncoder
  {
    var template = Template()
    template.isChat = true
    template.input = "{}"
    template.output = "{}"
    change(&template)
    return try ExampleEncoder(
      template: template, tokenizer: Tokenizer(path: fixtures + "/chat/" + tokenizer), endOfText: nil,
      beginningOfText: nil, chatTemplate: chat)
  }

  /// The styles that have the system's text in a turn, or none.
  private static let withoutSystem: Set = [
    "INST with the system text in the first turn", "INST with one beginning",
    "INST with the system text in the last turn", "turns of user and model",
    "turns with the system text before the first",
  ]

  /// The context's beginning and the examples are the tokens of the whole conversation, up to the turn after them.
  @Test func tokensAreThoseOfTheConversation() throws {
    #expect(cases.count > 40)
    for one in cases {
      let style = try #require(one["style"]?.string), name = try #require(one["tokenizer"]?.string)
      let system = one["system"]?.string
      let chat = try chatTemplate(style)
      if system != nil, Self.withoutSystem.contains(style) {
        #expect(throws: InputError.self, "\(style)") { try makeEncoder(chat, tokenizer: name) { $0.system = system } }
        continue
      }
      if style == "names", name == "llama2", system == nil {
        // Llama's tokenizer puts a space before a text, so the first "User" is another token than the others.
        let error = #expect(throws: InputError.self) { try makeEncoder(chat, tokenizer: name) }
        #expect(error?.description.contains("tokens depend on the turn before") == true)
        continue
      }
      let encoder = try makeEncoder(chat, tokenizer: name) { $0.system = system }
      let ids = try #require(one["ids"]?.array).compactMap(\.integer)
      let roles = try #require(one["types"]?.array).compactMap(\.integer)
      let rows = try #require(one["rows"]?.array).map { try #require($0.array).compactMap(\.string) }
      var found = TypedTokens(ids: encoder.beginning, types: encoder.beginning.map { _ in 0 })
      for (index, row) in rows.enumerated() {
        if index == rows.count - 1 {
          // What transformers ends with a generation prompt; white space before the label may follow it.
          let prompt = try #require(one["prompt"]?.array).compactMap(\.integer)
          let asked = found.ids + (try encoder.prompt(text: row[0], labels: [row[1]]))
          #expect(asked.starts(with: prompt) && asked.count - prompt.count <= 1, "\(style), \(name)")
        }
        found.append(try encoder.encode(text: row[0], label: row[1]))
      }
      #expect(Array(ids.prefix(found.count)) == found.ids, "\(style), \(name)")
      #expect(
        found.types.map { [2, 4].contains($0) ? $0 : 0 } == Array(roles.prefix(found.count)), "\(style), \(name)")
      // The rest is the turn after them.
      #expect(ids.count - found.count < 40)
    }
  }

  /// The parts of a turn, by their roles.
  @Test func rolesOfAnExample() throws {
    let encoder = try makeEncoder(chatTemplate("ChatML with a default system text"), tokenizer: "qwen2") {
      $0.input = "Q: {}?"
      $0.output = "{}!"
    }
    let tokens = try encoder.encode(text: "good", label: "yes")
    func text(_ type: Int) -> String {
      encoder.tokenizer.decode(tokens.ids.indices.filter { tokens.types[$0] == type }.map { tokens.ids[$0] })
    }
    #expect(text(1) == "<|im_start|>user\nQ: ?<|im_end|>\n" && text(2) == "good")
    #expect(text(3) == "<|im_start|>assistant\n!" && text(4) == "yes" && text(0) == "<|im_end|>\n")
    #expect(encoder.tokenizer.decode(encoder.beginning) == "<|im_start|>system\nBe helpful.<|im_end|>\n")
  }

  /// Several columns are one turn; one that is trimmed at its ends keeps the roles of its parts.
  @Test func columnsOfATurn() throws {
    let encoder = try makeEncoder(chatTemplate("turns of user and model"), tokenizer: "gemma") {
      $0.input = " {title}: {}\n"
    }
    let tokens = try encoder.encode(["one", "two "], label: " yes ")
    func text(_ type: Int) -> String {
      encoder.tokenizer.decode(tokens.ids.indices.filter { tokens.types[$0] == type }.map { tokens.ids[$0] })
    }
    #expect(text(2).filter { $0 != " " } == "onetwo" && text(4) == "yes")
  }

  /// Templates under which an example depends on others, or that have no place for it.
  @Test(arguments: [
    (
      "{% for m in messages %}{{ loop.index }}{{ m.role }}{{ m.content }}{% endfor %}",
      "does not lay out every turn alike"
    ),
    ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "does not show the text of each turn once"),
    ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "does not show the text of each turn once"),
    ("{% for m in messages[-2:] %}{{ m.role }}{{ m.content }}{% endfor %}", "does not show the text of each turn once"),
    (
      "{% for m in messages %}{% if loop.first %}A{% elif m.role == 'user' %}B{% endif %}{{ m.content }}{% endfor %}",
      "begins the first turn in another way"
    ),
    ("{% for m in messages %}{{ m.content }}{{ m.nothing.x }}{% endfor %}", "\"nothing\" is not defined"),
  ])
  func refusesLayoutsThatDependOnOtherTurns(template: String, problem: String) throws {
    let error = #expect(throws: InputError.self) { try makeEncoder(ChatTemplate(template, place: "f")) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
  }

  /// "ab" is a token, so where a turn ends would depend on the next one.
  @Test func refusesTurnsThatShareTokens() throws {
    let tokenizer = try Tokenizer(path: repository + "/configs/quickstart/model")
    try #require(try tokenizer.encode("deliver").count < tokenizer.encode("deli").count + tokenizer.encode("ver").count)
    var template = Template()
    template.isChat = true
    let chat = try ChatTemplate(
      "{% for m in messages %}{{ 'ver' if m.role == 'user' else '' }}{{ m.content }}{{ '' if m.role == 'user' else 'deli' }}{% endfor %}",
      place: "f")
    let error = #expect(throws: InputError.self) {
      try ExampleEncoder(
        template: template, tokenizer: tokenizer, endOfText: nil, beginningOfText: nil, chatTemplate: chat)
    }
    #expect(error?.description.contains("tokens depend on the turn before") == true, "\(error?.description ?? "")")
  }
}

@Suite struct TemplatePatternTests {
  @Test(
    arguments: [
      ("a {} b", [.text("a "), .field(""), .text(" b")]), ("{}", [.field("")]),
      ("{title}\n{body text}", [.field("title"), .text("\n"), .field("body text")]),
      ("{{{}}}", [.text("{"), .field(""), .text("}")]), ("{{}} {a}{}", [.text("{} "), .field("a"), .field("")]),
      ("{{a}} {}", [.text("{a} "), .field("")]),
    ] as [(String, [TemplatePattern.Part])])
  func parts(pattern: String, parts: [TemplatePattern.Part]) {
    #expect(TemplatePattern(pattern)?.parts == parts)
  }

  @Test(arguments: ["", "a", "{", "}", "{a", "a} {}", "{} {}", "{a{b}}", "{{}}", "{\"a\": {}}", "{}}"])
  func isRefused(pattern: String) {
    #expect(TemplatePattern(pattern) == nil)
  }

  @Test func isFilled() {
    #expect(TemplatePattern("{a}, {{{b}}}")?.filled(["{}", "2"]) == "{}, {2}")
    #expect(TemplatePattern("{a}-{b}")?.filled(["x"]) == "x-x")
  }
}
