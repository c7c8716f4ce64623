import Diagnostics

/// A piece of a page: text, or an element with its content.
///
/// Text and attribute values are always escaped when the page is written, so nothing in a user's files can become
/// markup. Every element is closed as in XML, which HTML and SVG accept.
package indirect enum HTML: Sendable, ExpressibleByStringInterpolation {
  case text(String)
  case element(String, attributes: [(name: String, value: String)], children: [HTML])
  /// Pieces in sequence; may be empty.
  case group([HTML])

  package init(stringLiteral text: String) { self = .text(text) }

  /// The markup.
  package var markup: String {
    var markup = ""
    write(to: &markup)
    return markup
  }

  /// HTML elements without content and closing tag.
  private static let void: Set = ["meta", "br", "input"]

  private func write(to markup: inout String) {
    switch self {
    case .text(let text): Self.escape(text, quotes: false, to: &markup)
    case .group(let children): for child in children { child.write(to: &markup) }
    case .element(let name, let attributes, let children):
      markup += "<\(name)"
      for attribute in attributes where !attribute.value.isEmpty {
        markup += " \(attribute.name)=\""
        Self.escape(attribute.value, quotes: true, to: &markup)
        markup += "\""
      }
      if Self.void.contains(name) {
        markup += "/>"
        return
      }
      markup += ">"
      for child in children { child.write(to: &markup) }
      markup += "</\(name)>"
    }
  }

  private static func escape(_ text: String, quotes: Bool, to markup: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": markup += "&amp;"
      case "<": markup += "&lt;"
      case ">": markup += "&gt;"
      case "\"": markup += quotes ? "&quot;" : "\""
      case "\n", "\t": markup.unicodeScalars.append(scalar)
      // Neither HTML nor XML may hold control characters: they are shown by their control pictures, if they have one.
      case "\0"..<" ": markup.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}")
      case "\u{FFFE}", "\u{FFFF}": markup += "\u{FFFD}"
      // Others that do not show, or hide what a text says.
      case "\u{7F}"..."\u{9F}", "\u{200B}", "\u{2028}"..."\u{202E}", "\u{2060}"..."\u{2069}", "\u{FEFF}":
        escape(codePoint(scalar), quotes: quotes, to: &markup)
      default: markup.unicodeScalars.append(scalar)
      }
    }
  }
}

/// An element; attributes without a value are left out.
func tag(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: HTML...) -> HTML {
  tag(name, attributes, children)
}

/// An element with a list of pieces.
func tag(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [HTML]) -> HTML {
  .element(name, attributes: attributes.map { (name: $0.key, value: $0.value) }, children: children)
}

/// A paragraph of plain text.
func paragraph(class name: String = "", _ text: String) -> HTML { tag("p", ["class": name], .text(text)) }

/// A heading of a level, with an optional id for links.
func heading(_ level: Int, _ text: String, id: String = "") -> HTML {
  tag("h\(level)", ["id": id], .text(text))
}

/// A collapsed section: a summary line, and its hidden content.
func details(_ summary: String, _ children: HTML...) -> HTML {
  tag("details", [:], [tag("summary", [:], .text(summary))] + children)
}

/// A table with a caption, a header and rows; all columns except those of `text` are right-aligned numbers.
///
/// The first cell of a row is its header. A table too wide for the page scrolls in its own frame.
func table(_ caption: String, header: [HTML], rows: [[HTML]], text: Set<Int> = [0]) -> HTML {
  func kind(_ column: Int) -> String { text.contains(column) ? "text" : "number" }
  let head = header.enumerated().map { tag("th", ["scope": "col", "class": kind($0)], $1) }
  let body = rows.map { row in
    tag(
      "tr", [:],
      row.enumerated().map { column, cell in
        column == 0 ? tag("th", ["scope": "row", "class": kind(0)], cell) : tag("td", ["class": kind(column)], cell)
      })
  }
  return scrollable(
    caption,
    tag(
      "table", [:], tag("caption", [:], .text(caption)), tag("thead", [:], tag("tr", [:], head)),
      tag("tbody", [:], body)))
}

/// A frame that scrolls wide content sideways, by touch, mouse or keyboard.
func scrollable(_ name: String, _ content: HTML) -> HTML {
  tag("div", ["class": "scroll", "role": "region", "tabindex": "0", "aria-label": name], content)
}
