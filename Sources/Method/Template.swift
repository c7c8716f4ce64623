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

  package init() {}

  /// The text before and after the `{}` of a pattern; nil unless there is exactly one.
  package static func parts(of pattern: String) -> (before: String, after: String)? {
    let parts = pattern.split(separator: "{}", omittingEmptySubsequences: false)
    return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
  }
}

/// A template with its tokenizer.
package struct ExampleEncoder: Sendable {
  let template: Template
  package let tokenizer: Tokenizer
  /// Tokens after each example: end of text, inter separator.
  private let ending: [Int]
  /// Tokens before the context.
  package let beginning: [Int]

  /// - Throws: `InputError.badData` when the tokenizer cannot encode a text; so do the functions below.
  package init(template: Template, tokenizer: Tokenizer, endOfText: Int?, beginningOfText: Int?) throws {
    self.template = template
    self.tokenizer = tokenizer
    let separator = template.emitsInterSeparator ? try tokenizer.encode(template.interSeparator).map(\.id) : []
    ending = (template.addsEndOfText ? endOfText.map { [$0] } ?? [] : []) + separator
    beginning = template.addsBeginningOfText ? beginningOfText.map { [$0] } ?? [] : []
  }

  /// An example as typed tokens, types 0 to 4, ending with the inter separator.
  package func encode(text: String, label: String) throws -> TypedTokens {
    let fragments = fragments(text: text, label: label)
    var tokens = try template.tokenization == .pieces ? encodePieces(fragments) : encodeWhole(fragments)
    tokens.append(TypedTokens(ids: ending, types: ending.map { _ in 0 }))
    return tokens
  }

  /// The tokens before the label of an example, as in training and evaluation.
  ///
  /// If the example is tokenized whole, the label determines where the token before it ends: " billing" takes the space
  /// of "output: ". That split is used if all labels agree on it. Otherwise, and without labels, the text up to the
  /// label is tokenized alone.
  package func prompt(text: String, labels: [String]) throws -> [Int] {
    if template.tokenization == .whole, let first = labels.first {
      func beginning(_ label: String) throws -> ArraySlice<Int> {
        let tokens = try encode(text: text, label: label)
        return tokens.ids[..<(tokens.labelPositions.first ?? tokens.count)]
      }
      let shared = try beginning(first)
      if try labels.allSatisfy({ try beginning($0) == shared }) { return Array(shared) }
    }
    let fragments = fragments(text: text, label: "").prefix { $0.role != .label }
    return try (template.tokenization == .pieces ? encodePieces(Array(fragments)) : encodeWhole(Array(fragments))).ids
  }

  private func fragments(text: String, label: String) -> [(text: String, role: TokenRole)] {
    guard let input = Template.parts(of: template.input), let output = Template.parts(of: template.output) else {
      preconditionFailure("templates are checked when the configuration is read")
    }
    return [
      (input.before, .inputTemplate), (text, .input), (input.after, .inputTemplate), (template.intraSeparator, .none),
      (output.before, .outputTemplate), (label, .label), (output.after, .outputTemplate),
    ]
  }

  private func encodePieces(_ fragments: [(text: String, role: TokenRole)]) throws -> TypedTokens {
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
  private func encodeWhole(_ fragments: [(text: String, role: TokenRole)]) throws -> TypedTokens {
    let roles = fragments.flatMap { fragment in [TokenRole](repeating: fragment.role, count: fragment.text.utf8.count) }
    let before = fragments.prefix { $0.role != .label }.map(\.text).joined()
    let spaces = before.unicodeScalars.reversed().prefix(while: \.properties.isWhitespace)
    let labelStart = before.utf8.count
    let spaceStart = labelStart - spaces.reduce(0) { $0 + UTF8.width($1) }
    var tokens = TypedTokens()
    for token in try tokenizer.encode(fragments.map(\.text).joined()) {
      let covered = roles[token.bytes]
      let isLabel =
        covered.contains(.label) || (token.bytes.lowerBound >= spaceStart && token.bytes.lowerBound < labelStart)
      tokens.append(TypedTokens(ids: [token.id], types: [isLabel ? .label : covered.last ?? .none].map(\.rawValue)))
    }
    return tokens
  }
}
