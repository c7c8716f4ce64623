import Diagnostics
import FileFormats
import Insights

/// The context as text, with the distance each token moved.
struct ContextSection {
  let context: ContextRecord
  let level: Int

  var html: HTML {
    tag(
      "section", [:], heading(level, "The context, token by token"), paragraph(summary),
      tag("ul", ["class": "key"], key),
      tag(
        "ol", ["class": "context"], context.examples.map { tag("li", ["dir": "auto"], $0.map(token)) }),
      drift, details("All tokens as a table, with their nearest words and points on the map", listing))
  }

  private var summary: String {
    let moved = context.shares.compactMap(\.self)
    let all =
      "\(counted(context.tokens.count, "token")): \(moved.count) may move, \(context.tokens.count - moved.count) "
      + "are fixed."
    if !hasDepths {
      return all + " All that may move went about as far"
        + ", \(range(moved)) of \(context.isBounded ? "their ball’s radius" : "the largest distance"), so colours do not tell them apart."
    }
    let count = all + " The deeper the colour and the thicker the line below a token, the farther it moved"
    guard context.isBounded else { return count + ", as a share of the largest distance that any of them moved." }
    let mean = moved.reduce(0, +) / Double(max(moved.count, 1))
    return count + ", as a share of its ball’s radius: \(percentage(mean)) on average, and "
      + "\(moved.count { $0 >= 1 - PromptGeometry.surfaceTolerance }) of \(moved.count) are on the surface, where the ball stops them."
  }

  /// The depth of the colour of a share: the deepest for 80 % and more, and for non-finite shares.
  private func depth(_ share: Double) -> Int { share < 0.8 ? Int(share * 5) : 4 }

  /// Whether colours tell tokens apart: not if all moved as far, as on the surface of their balls.
  private var hasDepths: Bool { Set(context.shares.compactMap { $0.map(depth) }).count > 1 }

  /// The lowest and the highest of some shares, in words.
  private func range(_ shares: [Double]) -> String {
    let low = percentage(shares.min() ?? 0), high = percentage(shares.max() ?? 0)
    return low == high ? high : "\(low) to \(high)"
  }

  private var key: [HTML] {
    (0..<(hasDepths ? 5 : 0)).map { depth in
      tag("li", [:], tag("span", ["class": "token m\(depth)"], .text("\(20 * depth)–\(20 * depth + 20)\u{A0}%")))
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
    let share = context.shares[index]
    let depth = share.map { " m\(hasDepths ? self.depth($0) : 0)" } ?? ""
    let nearest = token.nearest.isEmpty ? "" : "; nearest: " + token.nearest.map(\.text).joined(separator: ", ")
    let movement = share.map { "moved \(percentage($0))" + nearest } ?? "fixed"
    return tag(
      "span", ["class": "token" + depth + role, "title": "\(token.role.name), \(movement)"], .text(token.visibleText))
  }

  /// The distance each kind of token moved.
  private var drift: HTML {
    guard let geometry = context.geometry else { return .group([]) }
    let rank = fixed(geometry.effectiveRank, 1)
    return table(
      "Distance moved, by role; all movements together use \(rank) of \(geometry.singularValues.count) directions "
        + "(effective rank, Roy and Vetterli 2007)",
      header: ["role", "tokens", "radius", "mean", "largest", "on the surface"],
      rows: geometry.drifts.filter { $0.role.isTrained }.map { drift in
        [
          .text(drift.role.name), .text(String(drift.tokens)), .text(drift.radius.map(number) ?? "none"),
          .text(number(drift.mean)), .text(number(drift.largest)),
          .text(drift.radius == nil ? "" : String(drift.onSurface)),
        ]
      })
  }

  private var listing: HTML {
    table(
      "Tokens of the context",
      header: [
        "#", "token", "role", "moved", context.isBounded ? "of radius" : "of the largest",
        "nearest words and their distance", "on the map before", "after",
      ],
      rows: context.tokens.map { token in
        let place = context.places?[token.position]
        func text(_ place: ContextRecord.Place?) -> HTML {
          .text(place.map { "\(fixed($0.x, 2)), \(fixed($0.y, 2))" } ?? "")
        }
        return [
          .text(String(token.position)), tag("span", ["class": "token"], .text(token.visibleText)),
          .text(token.role.name),
          .text(token.role.isTrained ? fixed(token.distance, 4) : "fixed"),
          .text(context.shares[token.position].map(percentage) ?? ""),
          .text(token.nearest.map { "\($0.text) \(fixed($0.distance, 3))" }.joined(separator: ", ")),
          text(place?.before),
          text(place?.after),
        ]
      }, text: [1, 2, 5])
  }
}
