import FileFormats
import Method
import Testing
import TestSupport
import Tokenization

/// What is a label token, as lm-evaluation-harness decides; scripts/make-lm-eval-goldens makes the goldens.
@Suite struct LMEvalEncodingTests {
  private struct Case {
    let tokenizer: String
    let template: Template
    let text: String
    let label: String
    let context: [Int]
    let continuation: [Int]

    init(_ json: JSON) throws {
      func integers(_ key: String) throws -> [Int] { try #require(json[key]?.array).compactMap(\.integer) }
      tokenizer = try #require(json["tokenizer"]?.string)
      let parts = try #require(json["template"]?.array).compactMap(\.string)
      var template = Template()
      (template.input, template.intraSeparator, template.output) = (parts[0], parts[1], parts[2])
      template.tokenization = .whole
      self.template = template
      text = try #require(json["text"]?.string)
      label = try #require(json["label"]?.string)
      context = try integers("context")
      continuation = try integers("continuation")
    }
  }

  /// Without what stands behind the label, which lm-evaluation-harness knows nothing of.
  @Test func wholeExamplesHaveItsLabelTokens() throws {
    let json = try JSON.read(file: fixtures + "/lm-eval/goldens.json")
    let cases = try #require(json["cases"]?.array).map(Case.init)
    var tokenizers: [String: Tokenizer] = [:]
    #expect(cases.count == 480)
    for item in cases where !item.template.output.hasSuffix(".") {
      let tokenizer = try tokenizers[item.tokenizer] ?? Tokenizer(path: repository + "/" + item.tokenizer)
      tokenizers[item.tokenizer] = tokenizer
      let encoder = try ExampleEncoder(
        template: item.template, tokenizer: tokenizer, endOfText: nil, beginningOfText: nil)
      let tokens = try encoder.encode(text: item.text, label: item.label)
      #expect(tokens.labelPositions.map { tokens.ids[$0] } == item.continuation, "\(item)")
      // A text's own trailing space goes another way: it is tokenized with the text here, cut off there.
      if item.template.input.hasSuffix("{}"), item.template.output == "{}", item.text.hasSuffix(" ") { continue }
      #expect(tokens.ids == item.context + item.continuation, "\(item)")
    }
  }
}
