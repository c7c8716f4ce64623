import Diagnostics

/// A turn of a conversation, or the system's text before it.
package struct ChatMessage: Sendable, Equatable {
  /// "system", "user" or "assistant".
  package let role: String
  package let content: String

  package init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// A model's chat template: a program in the part of Jinja that such templates use, which renders a conversation as text.
///
/// It renders as `apply_chat_template` of Hugging Face transformers does, without tools and documents. The date
/// (`strftime_now`) is not defined: the text would change from day to day. What is not supported is an error where it is
/// executed, so a branch for tools that is not reached does no harm.
///
/// Source: Jinja 3.1 (`lexer.py`, `parser.py`, `filters.py`, `tests.py`); transformers 5.24,
/// `utils/chat_template_utils.py`.
package struct ChatTemplate: Sendable {
  private let source: [Unicode.Scalar]
  /// Where it stands, for messages.
  package let place: String
  private let body: [Statement]
  private let variables: [String: String]

  /// Parses a template.
  ///
  /// - Parameters:
  ///   - text: the template.
  ///   - place: where it stands, for messages.
  ///   - variables: more variables, such as `bos_token`.
  /// - Throws: `InputError.badData` with line and column for a syntax error or a statement that is not supported.
  package init(_ text: String, place: String, variables: [String: String] = [:]) throws {
    self.place = place
    self.variables = variables
    source = TemplateLexer.normalized(text)
    do {
      var lexer = TemplateLexer(source)
      var parser = TemplateParser(try lexer.tokens(), end: source.count)
      body = try parser.template()
    } catch let fault as TemplateFault {
      throw Self.error(fault, source, place)
    }
  }

  /// The text of a conversation; with `addsGenerationPrompt`, up to where the assistant's text would begin.
  ///
  /// - Throws: `InputError.badData` with line and column for what is not supported, for an error that the template
  ///   raises, and when the text or the work is too large.
  package func render(_ messages: [ChatMessage], addsGenerationPrompt: Bool = false) throws -> String {
    let global = Scope(parent: nil)
    for (name, value) in variables { global[name] = .string(value) }
    global["messages"] = .list(
      messages.map { message in
        .mapping(Mapping([("role", .string(message.role)), ("content", .string(message.content))]))
      })
    global["add_generation_prompt"] = .bool(addsGenerationPrompt)
    global["tools"] = Value.none
    global["documents"] = Value.none
    for name in TemplateInterpreter.functions { global[name] = .function(name) }
    let size = messages.reduce(0) { $0 + $1.content.utf8.count }
    do {
      return try TemplateInterpreter(inputBytes: size).render(body, in: global)
    } catch let fault as TemplateFault {
      throw Self.error(fault, source, place)
    }
  }

  private static func error(_ fault: TemplateFault, _ source: [Unicode.Scalar], _ place: String) -> InputError {
    let before = source.prefix(fault.position)
    let line = before.count { $0 == "\n" } + 1
    let column = before.count - ((before.lastIndex(of: "\n") ?? -1) + 1) + 1
    return .badData(place, "chat template, line \(line), column \(column): \(fault.problem)")
  }
}

/// An error in a template, at an offset of its source.
struct TemplateFault: Error {
  let position: Int
  let problem: String

  init(_ position: Int, _ problem: String) {
    self.position = position
    self.problem = problem
  }
}
