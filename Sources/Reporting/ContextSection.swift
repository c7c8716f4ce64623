import ContextTuning
import FileFormats

/// The context as text, every token marked by how far it moved.
struct ContextSection {
  let context: ContextRecord

  var html: HTML {
    let moved = context.tokens.compactMap(\.shareOfRadius)
    let mean = moved.isEmpty ? 0 : moved.reduce(0, +) / Double(moved.count)
    let fixedTokens = context.tokens.count - moved.count
    return tag(
      "section", [:], heading(3, "The context, token by token"),
      paragraph("\(counted(context.tokens.count, "token")): \(moved.count) may move inside a ball around where they started, "
          + "\(fixedTokens) are fixed (labels and separators). On average a token moved \(percentage(mean)) of its "
          + "ball’s radius. The deeper the colour and the thicker the line below, the farther it moved."),
      tag("ul", ["class": "key"], key),
      tag("ol", ["class": "context", "start": "1"], context.examples.map { tag("li", ["dir": "auto"], $0.map(token)) }),
      details("All tokens as a table, with their nearest words and places on the map", listing))
  }

  private var key: [HTML] {
    (0..<5).map { level in
      tag("li", [:], tag("span", ["class": "token m\(level)"], .text("\(20 * level)–\(20 * level + 20)\u{A0}%")))
    } + [
      tag("li", [:], tag("span", ["class": "token m0 template"], "template")),
      tag("li", [:], tag("span", ["class": "token label"], "label, fixed")),
      tag("li", [:], tag("span", ["class": "token separator"], "separator, fixed")),
    ]
  }

  private func token(_ index: Int) -> HTML {
    let token = context.tokens[index]
    let role =
      switch token.role {
      case .input: ""
      case .inputTemplate, .outputTemplate: " template"
      case .label: " label"
      case .none: " separator"
      }
    let level = token.shareOfRadius.map { " m\(min(4, Int($0 * 5)))" } ?? ""
    let nearest = token.nearest.isEmpty ? "" : "; nearest: " + token.nearest.map(\.text).joined(separator: ", ")
    let movement =
      token.shareOfRadius.map { "moved \(percentage($0)) of its radius" + nearest } ?? "fixed"
    return tag(
      "span", ["class": "token" + level + role, "title": "\(token.role.name), \(movement)"], .text(token.visibleText))
  }

  private var listing: HTML {
    table(
      "Tokens of the context",
      header: [
        "#", "token", "role", "moved", "of radius", "nearest words and their distance", "on the map before", "after",
      ],
      rows: context.tokens.map { token in
        let place = context.places?[token.position]
        func text(_ place: ContextRecord.Place?) -> HTML {
          .text(place.map { "\(fixed($0.x, 2)), \(fixed($0.y, 2))" } ?? "")
        }
        return [
          .text(String(token.position)), tag("span", ["class": "token"], .text(token.visibleText)), .text(token.role.name),
          .text(token.shareOfRadius == nil ? "fixed" : fixed(token.distance, 4)),
          .text(token.shareOfRadius.map(percentage) ?? ""),
          .text(token.nearest.map { "\($0.text) \(fixed($0.distance, 3))" }.joined(separator: ", ")), text(place?.before),
          text(place?.after),
        ]
      }, text: [1, 2, 5])
  }
}
