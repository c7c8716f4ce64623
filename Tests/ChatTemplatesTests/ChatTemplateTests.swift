import ChatTemplates
import Diagnostics
import FileFormats
import Testing
import TestSupport

/// What Jinja makes of templates, as transformers sets it up; scripts/make-chat-goldens recorded it.
@Suite struct ChatTemplateGoldenTests {
  private struct Case {
    let name: String
    let template: String
    let messages: [ChatMessage]
    let generates: Bool
    /// nil: an error.
    let text: String?
  }

  private let variables: [String: String]
  private let cases: [Case]

  init() throws {
    let goldens = try JSON.read(file: fixtures + "/chat/templates.json")
    variables = Dictionary(
      uniqueKeysWithValues: try #require(goldens["variables"]?.object).map { ($0.key, $0.value.string ?? "") })
    cases = try #require(goldens["cases"]?.array).map { json in
      let name = try #require(json["name"]?.string)
      return Case(
        name: name, template: try #require(json["template"]?.string ?? goldens["styles"]?[name]?.string),
        messages: try #require(json["messages"]?.array).map { message in
          ChatMessage(role: try #require(message["role"]?.string), content: try #require(message["content"]?.string))
        }, generates: json["add_generation_prompt"]?.bool == true, text: json["text"]?.string)
    }
  }

  private func render(_ one: Case) throws -> String {
    try ChatTemplate(one.template, place: "f", variables: variables).render(
      one.messages, addsGenerationPrompt: one.generates)
  }

  @Test func rendersAsTransformersDoes() throws {
    #expect(cases.count > 200)
    for one in cases where one.text != nil {
      let text = try render(one)
      #expect(text.utf8.elementsEqual(one.text?.utf8 ?? "".utf8), "\(one.name): \(one.template.debugDescription)")
    }
  }

  @Test func refusesWhatTransformersRefuses() throws {
    let wrong = cases.filter { $0.text == nil }
    #expect(wrong.count > 30)
    for one in wrong {
      let error = #expect(throws: InputError.self, "\(one.template.debugDescription)") { try render(one) }
      let message = error?.description ?? ""
      #expect(message.hasPrefix("f: chat template, line ") && !message.contains("\n"), "\(message)")
    }
  }
}

@Suite struct ChatTemplateTests {
  private func render(_ template: String) throws -> String {
    try ChatTemplate(template, place: "f").render([ChatMessage(role: "user", content: "Hi")])
  }

  private func message(_ template: String) -> String {
    #expect(throws: InputError.self, "\(template.prefix(100))") { try render(template) }?.description ?? ""
  }

  /// Named where they stand, and only when they are reached.
  @Test(arguments: [
    ("\n {{ 'a' | wordwrap(3) }}", "line 2, column 11: the filter \"wordwrap\" is not supported"),
    ("{{ 1 is filter('trim') }}", "line 1, column 9: the test \"filter\" is not supported"),
    ("{{ 'a'.zfill(3) }}", "line 1, column 13: the method \"zfill\" is not supported"),
    ("{{ lipsum() }}", "line 1, column 10: the function \"lipsum\" is not supported"),
    ("{{ strftime_now('%Y') }}", "line 1, column 16: \"strftime_now\" is not supported: the date would change"),
    ("{% include 'x' %}", "line 1, column 4: the statement \"include\" is not supported"),
    ("{{ '%s' % 1 }}", "line 1, column 9: formatting with \"%\" is not supported"),
    ("{{ dict(**messages) }}", "lists of arguments (\"*\", \"**\") are not supported"),
    ("{{ raise_exception('No system role') }}", "the template says \"No system role\""),
  ])
  func unsupported(template: String, problem: String) throws {
    #expect(message(template).contains(problem), "\(message(template))")
    if template.contains("{{"), !template.contains("**") {
      #expect(try render("{% if false %}\(template)\n{% endif %}b") == "b")
    }
  }

  /// A template that asks for the date only if there is one takes its own.
  @Test func hasNoDate() throws {
    #expect(
      try render("{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}26 Jul 2024{% endif %}")
        == "26 Jul 2024")
  }

  /// No template runs for long, nests without end or fills the memory.
  @Test(arguments: [
    "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + " }}",
    "{{ " + String(repeating: "-", count: 5000) + "1 }}", "{{ a" + String(repeating: ".b", count: 5000) + " }}",
    "{{ 1" + String(repeating: "+1", count: 900) + " }}", String(repeating: "{% if 1 %}", count: 5000),
    "{{ 1 " + String(repeating: "if 1 else 1 ", count: 500) + " }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% set ns = namespace(a='x') %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
    "{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
    "{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
    "{% set ns = namespace() %}{% for i in range(9999) %}{% set ns.a = namespace(b=ns) %}{% endfor %}",
    "{{ 'ab' * 9223372036854775807 }}", "{{ ('a' * 40) * 9223372036854775807 }}", "{{ 9223372036854775807 * 2 }}",
    "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 10 ** 64 }}", "{{ 99999999999999999999 }}", "{{ range(0, 9, 0) }}",
  ])
  func staysWithinLimits(template: String) {
    #expect(!message(template).contains("\n"))
  }

  /// The largest numbers as bounds of slices and as places.
  @Test func extremeIndices() throws {
    let largest = "9223372036854775807"
    #expect(try render("{{ 'abc'[-\(largest):\(largest)] }}{{ 'abc'[::\(largest)] }}{{ [1][-\(largest)] }}") == "abca")
    #expect(try render("{{ 'abc'[:-\(largest):-\(largest)] }}{{ range(0, \(largest), \(largest)) | list }}") == "c[0]")
  }
}
