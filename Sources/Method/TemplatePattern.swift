/// A pattern of a template: text with fields in braces. `{}` is the text (or the label), `{name}` the column of that name;
/// `{{` and `}}` are braces, as in Python's `str.format`.
package struct TemplatePattern: Sendable, Equatable {
  /// A piece of a pattern.
  package enum Part: Sendable, Equatable {
    case text(String)
    /// A column; the empty name is that of `{}`.
    case field(String)
  }

  package let parts: [Part]

  /// The pattern; nil if a brace has no partner, or if there is not at least one field, or `{}` twice.
  package init?(_ pattern: String) {
    var parts: [Part] = []
    var text = String.UnicodeScalarView()
    func finishText() {
      if !text.isEmpty { parts.append(.text(String(text))) }
      text = String.UnicodeScalarView()
    }
    var rest = pattern.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      if scalar != "{" && scalar != "}" {
        text.append(scalar)
      } else if rest.first == scalar {
        rest.removeFirst()
        text.append(scalar)
      } else {
        guard scalar == "{", let end = rest.firstIndex(where: { $0 == "}" || $0 == "{" }), rest[end] == "}" else {
          return nil
        }
        finishText()
        parts.append(.field(String(rest[..<end])))
        rest = rest[rest.index(after: end)...]
      }
    }
    finishText()
    self.parts = parts
    guard !fields.isEmpty, fields.count(where: \.isEmpty) <= 1 else { return nil }
  }

  /// The names of its fields in order; the empty name is that of `{}`.
  package var fields: [String] {
    parts.compactMap { part in if case .field(let name) = part { name } else { nil } }
  }

  /// The pattern's text and its fields' values; one value is that of every field.
  func fragments(_ values: [String], text textRole: TokenRole, field fieldRole: TokenRole) -> [TextFragment] {
    var next = 0
    return parts.map { part in
      switch part {
      case .text(let text): return TextFragment(text: text, role: textRole)
      case .field:
        defer { next += 1 }
        precondition(next < values.count || values.count == 1, "a value for each field")
        return TextFragment(text: values.count == 1 ? values[0] : values[next], role: fieldRole)
      }
    }
  }

  /// The pattern with the values of its fields.
  package func filled(_ values: [String]) -> String {
    fragments(values, text: .inputTemplate, field: .input).map(\.text).joined()
  }
}

/// A part of an example's text, with the role of its tokens.
struct TextFragment: Sendable, Equatable {
  var text: String
  let role: TokenRole
}
