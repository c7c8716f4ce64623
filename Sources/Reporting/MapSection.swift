import FileFormats
import Method

/// The context's embeddings before and after training, on the plane of largest variance.
struct MapSection {
  let context: ContextRecord
  let id: String
  let level: Int

  private static let size = (width: 560.0, height: 460.0)
  /// The number of farthest-moved tokens that are named.
  private static let named = 12

  var html: HTML {
    guard let places = context.places else {
      return tag(
        "section", [:], heading(level, "Map of the context"),
        paragraph("There is no map: the embeddings hold non-finite numbers."))
    }
    let shares = context.varianceShares.map(percentage).joined(separator: " and ")
    let total = percentage(context.varianceShares.reduce(0, +))
    return tag(
      "section", [:], heading(level, "Map of the context"),
      tag(
        "figure", ["class": "wide"],
        tag(
          "figcaption", [:],
          .text(
            "Embeddings of the context’s tokens before (small) and after training (large), a line between them, on "
              + "their two principal components, which explain \(shares) of the variance (\(total) together). Movement "
              + "in other directions is not visible. The tokens that moved farthest on the map are named.")),
        legend(key), drawn(places)))
  }

  private var key: [(sample: [HTML], name: String)] {
    TokenRole.allCases.filter { role in context.tokens.contains { $0.role == role } }.map { role in
      let look = Self.look(of: role)
      let end = look.mark.drawn(at: (21, 6), radius: 4, class: "mark \(look.style)")
      let way = [
        line(from: (3, 6), to: (21, 6), class: "way \(look.style)"), dots(at: [(3, 6)], class: "before \(look.style)"),
        end,
      ]
      return (
        role.isTrained ? way : [end],
        role == .none ? "separator (fixed)" : role.name + (role.isTrained ? "" : " (fixed)")
      )
    }
  }

  private static func look(of role: TokenRole) -> (mark: Mark, style: String) {
    switch role {
    case .input: (.circle, "c0")
    case .inputTemplate: (.square, "c2")
    case .outputTemplate: (.diamond, "c3")
    case .label: (.triangle, "c1")
    case .none: (.cross, "c4")
    }
  }

  private func drawn(_ places: [(before: ContextRecord.Place, after: ContextRecord.Place)]) -> HTML {
    let all = places.flatMap { [$0.before, $0.after] }
    // One scale for both axes, so that distances are comparable in all directions.
    let margin = 24.0
    let lowest = (x: all.map(\.x).min() ?? 0, y: all.map(\.y).min() ?? 0)
    let highest = (x: all.map(\.x).max() ?? 0, y: all.map(\.y).max() ?? 0)
    let span = (x: max(highest.x - lowest.x, 1e-9), y: max(highest.y - lowest.y, 1e-9))
    let scale = min((Self.size.width - 2 * margin) / span.x, (Self.size.height - 2 * margin) / span.y)
    // A flat map gets a lower drawing.
    let height = min(Self.size.height, span.y * scale + 2 * margin + 40)
    func spot(_ place: ContextRecord.Place) -> (x: Double, y: Double) {
      (
        Self.size.width / 2 + (place.x - (lowest.x + highest.x) / 2) * scale,
        height / 2 - (place.y - (lowest.y + highest.y) / 2) * scale
      )
    }
    let spots = places.map { (before: spot($0.before), after: spot($0.after)) }
    var ways: [HTML] = [], marks: [HTML] = []
    for (token, spot) in zip(context.tokens, spots) {
      let look = Self.look(of: token.role)
      if token.role.isTrained {
        ways.append(line(from: spot.before, to: spot.after, class: "way \(look.style)"))
        ways.append(dots(at: [spot.before], class: "before \(look.style)"))
      }
      marks.append(
        look.mark.drawn(
          at: spot.after, radius: 4, class: "mark \(look.style)",
          tooltip:
            "\(token.visibleText) (\(token.role.name), token \(token.position)), moved \(fixed(token.distance, 3))"))
    }
    let lengths = spots.map { max(abs($0.after.x - $0.before.x), abs($0.after.y - $0.before.y)) }
    let farthest = lengths.indices.filter { lengths[$0] > 0 }.sorted { lengths[$0] > lengths[$1] }
    return drawing(
      id: id + "-map", title: "Map of the context before and after training",
      description: "Moved farthest on the map: "
        + farthest.prefix(Self.named).map { "\(context.tokens[$0].visibleText) (token \($0))" }.joined(separator: ", ")
        + ". The table of tokens above has all points.",
      size: (Self.size.width, height), kind: "map", ways + marks + names(of: farthest, at: spots.map(\.after), height))
  }

  /// Names beside marks, unless they would cover another name; each text once.
  private func names(of tokens: [Int], at spots: [(x: Double, y: Double)], _ height: Double) -> [HTML] {
    var taken: [(x: ClosedRange<Double>, y: ClosedRange<Double>)] = []
    var names: [HTML] = []
    var texts: Set<String> = []
    for index in tokens where names.count < Self.named {
      let text = context.tokens[index].visibleText.trimmed
      guard text.count > 1, texts.insert(text).inserted else { continue }
      let spot = spots[index], length = 7 * Double(text.count)
      for (dx, dy, anchor) in [
        (7.0, 4.0, TextAnchor.start), (-7, 4, .end), (0, -8, .middle), (0, 17, .middle),
      ] {
        let left = spot.x + dx - (anchor == .end ? length : anchor == .middle ? length / 2 : 0), base = spot.y + dy
        let box = (x: left...(left + length), y: (base - 12)...(base + 3))
        guard left >= 0, left + length <= Self.size.width, base >= 12, base <= height,
          !taken.contains(where: { $0.x.overlaps(box.x) && $0.y.overlaps(box.y) })
        else { continue }
        taken.append(box)
        names.append(label(text, at: (spot.x + dx, base), anchor, class: "name"))
        break
      }
    }
    return names
  }
}

extension String {
  /// The text without white space at its ends.
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
