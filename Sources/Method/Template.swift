import ChatTemplates
import Diagnostics
import Tokenization

/// How an example becomes text, and how the text becomes typed tokens.
package struct Template: Sendable, Equatable {
  /// The units that are tokenized.
  package enum Tokenization: String, CaseIterable, Sendable {
    /// Each fragment on its own, like PEFT's notebook.
    case pieces
    /// The whole example, types mapped back to tokens by their offsets.
    case whole
  }

  package var input = "input: {}"
  package var intraSeparator = " "
  package var output = "output: {}"
  package var interSeparator = "\n"
  package var emitsInterSeparator = false
  package var tokenization = Tokenization.pieces
  package var addsEndOfText = true
  package var addsBeginningOfText = false
  /// Whether examples are turns in the model's chat template.
  package var isChat = false
  /// The text of the system before the turns of a chat; nil: none, or the chat template's own.
  package var system: String?

  package init() {}

  /// The pattern of the input.
  package var inputPattern: TemplatePattern { Self.pattern(input) }

  /// The pattern of the label.
  package var outputPattern: TemplatePattern { Self.pattern(output) }

  private static func pattern(_ text: String) -> TemplatePattern {
    guard let pattern = TemplatePattern(text) else {
      preconditionFailure("templates are checked when the configuration is read")
    }
    return pattern
  }
}

/// A template with its tokenizer.
package struct ExampleEncoder: Sendable {
  private let template: Template
  private let input: TemplatePattern
  private let output: TemplatePattern
  private let chat: ChatFormat?
  package let tokenizer: Tokenizer
  /// Tokens after each example: end of text, inter separator.
  private let ending: [Int]
  /// Tokens before the context.
  package let beginning: [Int]

  /// - Parameters:
  ///   - template: the template.
  ///   - tokenizer: the tokenizer.
  ///   - endOfText: the id of the token that ends an example, if the template adds one.
  ///   - beginningOfText: the id of the token that begins the context, if the template adds one.
  ///   - chatTemplate: the model's chat template, for a template of chats, which has all markers itself.
  /// - Throws: `InputError.badData` when the tokenizer cannot encode a text, and when the chat template does not lay out
  ///   every turn alike; so do the functions below.
  package init(
    template: Template, tokenizer: Tokenizer, endOfText: Int?, beginningOfText: Int?, chatTemplate: ChatTemplate? = nil
  ) throws {
    self.template = template
    self.tokenizer = tokenizer
    input = template.inputPattern
    output = template.outputPattern
    chat = try chatTemplate.map { try ChatFormat($0, system: template.system) }
    if let chat {
      ending = []
      beginning = try chat.beginning(tokenizer)
    } else {
      let separator = template.emitsInterSeparator ? try tokenizer.encode(template.interSeparator).map(\.id) : []
      ending = (template.addsEndOfText ? endOfText.map { [$0] } ?? [] : []) + separator
      beginning = template.addsBeginningOfText ? beginningOfText.map { [$0] } ?? [] : []
    }
  }

  /// Whether examples are turns of a chat.
  package var isChat: Bool { chat != nil }

  /// The number of fields of the input's pattern.
  package var fieldCount: Int { input.fields.count }

  /// An example as typed tokens, types 0 to 4, ending with the inter separator, or where the next turn of a chat begins.
  ///
  /// `texts` has the text of each field of the input; one is the text of all.
  package func encode(_ texts: [String], label: String) throws -> TypedTokens {
    let fragments = fragments(texts, label: label)
    if let chat { return try encode(chat.layout(fragments.input, fragments.output)) }
    let all = joined(fragments)
    var tokens = try template.tokenization == .pieces ? encodePieces(all) : encodeWhole(all)
    tokens.append(TypedTokens(ids: ending, types: ending.map { _ in 0 }))
    return tokens
  }

  /// An example with one text.
  package func encode(text: String, label: String) throws -> TypedTokens { try encode([text], label: label) }

  /// The tokens before the label of an example, as in training and evaluation.
  ///
  /// If the example is tokenized whole, the label determines where the token before it ends: " billing" takes the space
  /// of "output: ". That split is used if all labels agree on it. Otherwise, and without labels, the text up to the
  /// label is tokenized alone.
  package func prompt(text: String, labels: [String]) throws -> [Int] {
    let isWhole = chat != nil || template.tokenization == .whole
    if isWhole, let first = labels.first {
      func beginning(_ label: String) throws -> ArraySlice<Int> {
        let tokens = try encode(text: text, label: label)
        return tokens.ids[..<(tokens.labelPositions.first ?? tokens.count)]
      }
      let shared = try beginning(first)
      if try labels.allSatisfy({ try beginning($0) == shared }) { return Array(shared) }
    }
    let fragments = fragments([text], label: "")
    if let chat { return try encode(chat.layout(fragments.input, fragments.output).untilLabel).ids }
    let all = Array(joined(fragments).prefix { $0.role != .label })
    return try (isWhole ? encodeWhole(all) : encodePieces(all)).ids
  }

  private func fragments(_ texts: [String], label: String) -> (input: [TextFragment], output: [TextFragment]) {
    (
      input.fragments(texts, text: .inputTemplate, field: .input),
      output.fragments([label], text: .outputTemplate, field: .label)
    )
  }

  private func joined(_ fragments: (input: [TextFragment], output: [TextFragment])) -> [TextFragment] {
    fragments.input + [TextFragment(text: template.intraSeparator, role: .none)] + fragments.output
  }

  private func encodePieces(_ fragments: [TextFragment]) throws -> TypedTokens {
    var tokens = TypedTokens()
    for fragment in fragments where !fragment.text.isEmpty {
      let ids = try tokenizer.encode(fragment.text).map(\.id)
      tokens.append(TypedTokens(ids: ids, types: ids.map { _ in fragment.role.rawValue }))
    }
    return tokens
  }

  /// A token with any byte of the label is a label token, and so is a token of the white space before the label, as in
  /// lm-evaluation-harness (`_encode_pair`: the continuation takes the trailing spaces of the context). Every other
  /// token has the role of its last byte.
  private func encodeWhole(_ fragments: [TextFragment]) throws -> TypedTokens {
    let before = fragments.prefix { $0.role != .label }.map(\.text).joined()
    let spaces = before.unicodeScalars.reversed().prefix(while: \.properties.isWhitespace)
    let labelStart = before.utf8.count
    let spaceStart = labelStart - spaces.reduce(0) { $0 + UTF8.width($1) }
    return TypedTokens(
      try tokenizer.encode(fragments.map(\.text).joined()), roles: roles(of: fragments),
      labelStarts: spaceStart..<labelStart)
  }

  /// The example's turns, tokenized inside their conversation.
  ///
  /// The white space before a label, such as the line break after "assistant", is no part of it: the chat template
  /// writes it before every answer.
  private func encode(_ layout: ChatLayout) throws -> TypedTokens {
    let start = layout.before.utf8.count, roles = roles(of: layout.fragments)
    let tokens = try tokenizer.encode(layout.text)
    return TypedTokens(
      tokens.compactMap { token in
        let bytes = token.bytes
        guard bytes.lowerBound >= start, bytes.lowerBound < start + roles.count else { return nil }
        // A space that the tokenizer added belongs to what follows it.
        let end = max(bytes.upperBound, bytes.lowerBound + 1) - start
        return Token(id: token.id, bytes: (bytes.lowerBound - start)..<min(end, roles.count))
      }, roles: roles)
  }

  /// The role of each byte.
  private func roles(of fragments: [TextFragment]) -> [TokenRole] {
    fragments.flatMap { fragment in [TokenRole](repeating: fragment.role, count: fragment.text.utf8.count) }
  }
}

extension TypedTokens {
  /// Tokens with the roles of a text's bytes: label with any byte of it or if they start at one of `labelStarts`, or else the
  /// role of the last byte.
  fileprivate init(_ tokens: [Token], roles: [TokenRole], labelStarts: Range<Int> = 0..<0) {
    self.init(
      ids: tokens.map(\.id),
      types: tokens.map { token in
        let covered = roles[token.bytes]
        let isLabel = covered.contains(.label) || labelStarts.contains(token.bytes.lowerBound)
        return (isLabel ? .label : covered.last ?? .none).rawValue
      })
  }
}
