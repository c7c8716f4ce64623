/// A table of values with cells shaded by their place between the lowest and the highest of their row; the highest has an
/// outline and a star.
struct HeatMap {
  struct Row {
    /// Its names, one for each of the leading columns.
    let names: [String]
    /// A value for each column, if there is one, and its text.
    let cells: [(value: Double, text: String)?]
  }

  let caption: String
  /// The headings of the leading columns; at least one.
  let headings: [String]
  let columns: [String]
  let rows: [Row]

  var html: HTML {
    let head = headings + columns
    return scrollable(
      caption,
      tag(
        "table", ["class": "matrix"], tag("caption", [:], .text(caption)),
        tag("thead", [:], tag("tr", [:], head.map { tag("th", ["scope": "col"], tag("span", [:], .text($0))) })),
        .group(
          groups.map { group in
            tag(
              "tbody", [:],
              group.enumerated().map { index, row in
                let shared = tag(
                  "th", ["scope": "rowgroup", "rowspan": String(group.count)], .text(row.names.first ?? ""))
                let own = row.names.dropFirst(group.count > 1 ? 1 : 0).map { tag("th", ["scope": "row"], .text($0)) }
                return tag("tr", [:], (group.count > 1 && index == 0 ? [shared] : []) + own + Self.shaded(row.cells))
              })
          })))
  }

  /// Rows below one another with the same first name, which they share if there is another one.
  private var groups: [[Row]] {
    rows.reduce(into: []) { groups, row in
      if headings.count > 1, let last = groups.last?.last, last.names.first == row.names.first {
        groups[groups.count - 1].append(row)
      } else {
        groups.append([row])
      }
    }
  }

  private static func shaded(_ cells: [(value: Double, text: String)?]) -> [HTML] {
    let values = cells.compactMap { $0?.value }
    let lowest = values.min() ?? 0, highest = values.max() ?? 0
    return cells.map { cell in
      guard let cell else { return tag("td", [:], "–") }
      let isBest = cell.value == highest
      return tag(
        "td", ["class": "h\(depth(cell.value, from: lowest, to: highest))" + (isBest ? " best" : "")],
        .text((isBest ? "★\u{A0}" : "") + cell.text))
    }
  }

  /// The depth of a value's colour, 0 to 4: the highest value's is the deepest.
  package static func depth(_ value: Double, from lowest: Double, to highest: Double) -> Int {
    let share = (value - lowest) / (highest - lowest)
    // Without a difference all are the highest.
    return share.isFinite ? min(4, Int(5 * min(max(share, 0), 1))) : 4
  }
}
