import ChatTemplates
import Diagnostics
import Tokenization

/// How a chat template lays out examples: as a conversation, in which each example is a turn of the user, with the text, and
/// one of the assistant, with the label.
///
/// The context is such a conversation, as in few-shot prompts of lm-evaluation-harness (`--fewshot_as_multiturn`), and
/// the row to label its next two turns. So an example is rendered as turns in the middle of a conversation: after other
/// examples and before another turn of the user. What precedes the first turn (a marker, the system's text) is the
/// context's beginning.
struct ChatFormat: Sendable {
  /// Turns of a conversation to learn the layout from: letters that templates neither strip nor search for.
  private static let user = "userturntext", assistant = "assistantturntext"

  private let template: ChatTemplate
  private let system: String?
  /// The text up to that of the first turn of the user.
  private let beforeFirst: String
  /// The text between the user's and the assistant's, and that between the assistant's and the user's.
  private let answer: String
  private let next: String
  /// The end of `next`, with which a turn of the user begins.
  private let opening: String
  /// The text after a turn of the user that is the last one.
  private let afterLast: String

  /// Learns the layout of a template.
  ///
  /// - Throws: `InputError.badData` when it cannot render such conversations, or when an example's text depends on those
  ///   before it.
  init(_ template: ChatTemplate, system: String?) throws {
    self.template = template
    self.system = system
    func layout(pairs: Int, system: String?) throws -> (start: String, between: [String], end: String) {
      let text = try Self.render(template, pairs: pairs, system: system)
      var parts: [String] = []
      var rest = text.utf8[...]
      for index in 0...(2 * pairs) {
        guard let range = rest.firstRange(of: Array((index % 2 == 0 ? Self.user : Self.assistant).utf8)) else {
          throw Self.error(template, "does not show the text of each turn once")
        }
        parts.append(String(Substring(rest[..<range.lowerBound])))
        rest = rest[range.upperBound...]
      }
      let end = String(Substring(rest))
      guard !end.contains(Self.user), !end.contains(Self.assistant) else {
        throw Self.error(template, "does not show the text of each turn once")
      }
      return (parts[0], Array(parts.dropFirst()), end)
    }
    let plain = try layout(pairs: 1, system: nil), one = try layout(pairs: 1, system: system)
    let two = try layout(pairs: 2, system: system)
    answer = two.between[0]
    next = two.between[1]
    guard two.start == one.start, two.between == one.between + one.between, two.end == one.end else {
      throw Self.error(
        template,
        "does not lay out every turn alike"
          + (system == nil ? "" : "; remove template.system, or write it into template.input"))
    }
    beforeFirst = two.start
    afterLast = two.end
    opening = try Self.opening(template, first: plain.start, next: next)
    guard !opening.isEmpty, beforeFirst.utf8.reversed().starts(with: opening.utf8.reversed()) else {
      throw Self.error(
        template,
        system == nil
          ? "begins the first turn in another way than the others"
          : "puts the system's text into the first turn; remove template.system, or write it into template.input")
    }
  }

  private static func error(_ template: ChatTemplate, _ problem: String) -> InputError {
    .badData(
      template.place, "the chat template \(problem)" + (problem.contains(";") ? "" : "; set template.chat to false"))
  }

  /// A conversation of such examples and another turn of the user.
  private static func render(_ template: ChatTemplate, pairs: Int, system: String?) throws -> String {
    try template.render(
      messages(system, (0..<pairs).flatMap { _ in [user, assistant] } + [user]))
  }

  /// The system's text and turns, the user's first.
  private static func messages(_ system: String?, _ turns: [String]) -> [ChatMessage] {
    (system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
      + turns.enumerated().map { ChatMessage(role: $0 % 2 == 0 ? "user" : "assistant", content: $1) }
  }

  /// The beginning of a turn of the user: what follows a conversation that the assistant's turn ends. If templates end
  /// a conversation in another way than a turn, it is what the text before the first turn and `next` end with.
  private static func opening(_ template: ChatTemplate, first: String, next: String) throws -> String {
    let whole = try template.render(messages(nil, [user, assistant]))
    if let range = whole.utf8.firstRange(of: Array(assistant.utf8)) {
      let closing = whole.utf8[range.upperBound...]
      let rest = next.utf8.dropFirst(closing.count)
      if next.utf8.starts(with: closing), first.utf8.reversed().starts(with: rest.reversed()), !rest.isEmpty {
        return String(Substring(rest))
      }
    }
    let shared = zip(first.unicodeScalars.reversed(), next.unicodeScalars.reversed()).prefix { $0 == $1 }
    return String(String.UnicodeScalarView(shared.map(\.0).reversed()))
  }

  // MARK: - Examples

  /// The text of an example inside a conversation: after another example, before a turn of the user.
  ///
  /// A chat template may strip the texts of turns.
  ///
  /// - Throws: `InputError.badData` when it changes the label in another way.
  func layout(_ input: [TextFragment], _ output: [TextFragment]) throws -> ChatLayout {
    let before = beforeFirst + Self.user + answer + Self.assistant + next, after = next + Self.user + afterLast
    let question = input.map(\.text).joined(), label = output.map(\.text).joined()
    let turns = [Self.user, Self.assistant, question, label, Self.user]
    let whole = Array(try template.render(Self.messages(system, turns)).utf8)
    guard whole.count >= before.utf8.count + after.utf8.count, whole.starts(with: before.utf8),
      whole.reversed().starts(with: after.utf8.reversed())
    else { throw Self.error(template, "changes other turns with the text of one") }
    let middle = whole[before.utf8.count..<(whole.count - after.utf8.count)]
    for output in [output, output.trimmed] {
      let ending = answer + output.map(\.text).joined()
      guard middle.reversed().starts(with: ending.utf8.reversed()) else { continue }
      let text = String(decoding: middle.dropLast(ending.utf8.count), as: UTF8.self)
      let shown = [input, input.trimmed].first { fragments in
        fragments.map(\.text).joined().utf8.elementsEqual(text.utf8)
      }
      return ChatLayout(
        before: String(decoding: before.utf8.dropLast(opening.utf8.count), as: UTF8.self),
        fragments: [TextFragment(text: opening, role: .inputTemplate)]
          + (shown ?? [TextFragment(text: text, role: .input)]) + answerFragments + output
          + [TextFragment(text: closing, role: .none)],
        after: String(decoding: after.utf8.dropFirst(closing.utf8.count), as: UTF8.self))
    }
    throw Self.error(template, "changes the label \"\(label)\"")
  }

  /// The end of an assistant's turn.
  private var closing: String { String(decoding: next.utf8.dropLast(opening.utf8.count), as: UTF8.self) }

  /// The text between a turn of the user and its answer: the end of the one, and the beginning of the other.
  private var answerFragments: [TextFragment] {
    let end = zip(answer.unicodeScalars, afterLast.unicodeScalars).prefix { $0 == $1 }.map(\.0)
    return [
      TextFragment(text: String(String.UnicodeScalarView(end)), role: .inputTemplate),
      TextFragment(
        text: String(String.UnicodeScalarView(answer.unicodeScalars.dropFirst(end.count))), role: .outputTemplate),
    ]
  }

  /// The tokens before the first turn of the user.
  ///
  /// - Throws: `InputError.badData` when the tokens of a turn depend on those before it.
  func beginning(_ tokenizer: Tokenizer) throws -> [Int] {
    let turn = opening + Self.user + answer + Self.assistant + closing
    let beginning = beforeFirst.utf8.count - opening.utf8.count
    let tokens = try tokenizer.encode(Self.render(template, pairs: 2, system: system))
    func ids(_ start: Int, _ end: Int) -> [Int] {
      tokens.filter { $0.bytes.lowerBound >= start && $0.bytes.lowerBound < end }.map(\.id)
    }
    let second = beginning + turn.utf8.count, third = second + turn.utf8.count
    guard
      !tokens.contains(where: { token in
        [beginning, second, third].contains { token.bytes.lowerBound < $0 && $0 < token.bytes.upperBound }
      }), ids(beginning, second) == ids(second, third)
    else { throw Self.error(template, "has turns whose tokens depend on the turn before") }
    return ids(0, beginning)
  }
}

/// The text of an example inside a conversation.
struct ChatLayout: Sendable {
  let before: String
  let fragments: [TextFragment]
  let after: String

  /// The whole conversation.
  var text: String { before + fragments.map(\.text).joined() + after }

  /// The conversation up to the label.
  var untilLabel: ChatLayout {
    ChatLayout(before: before, fragments: Array(fragments.prefix { $0.role != .label }), after: "")
  }
}

extension [TextFragment] {
  /// The fragments without the white space at both ends of their text.
  fileprivate var trimmed: [TextFragment] {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    var fragments = self
    for index in fragments.indices {
      let text = fragments[index].text.unicodeScalars.drop(while: isSpace)
      fragments[index].text = String(text)
      if !text.isEmpty { break }
    }
    for index in fragments.indices.reversed() {
      var text = fragments[index].text.unicodeScalars[...]
      while let last = text.last, isSpace(last) { text.removeLast() }
      fragments[index].text = String(text)
      if !text.isEmpty { break }
    }
    return fragments
  }
}
