import Insights

/// Differences with their 95 % intervals, one below the other, about a line at 0.
struct ForestPlot {
  struct Row {
    let name: String
    let interval: Comparison.Interval
  }

  let id: String
  let title: String
  let rows: [Row]
  /// The intervals that the axis covers: those of all plots beside this one.
  let reaching: [Comparison.Interval]

  private static let rowHeight = 32.0

  var html: HTML {
    let bottom = 6 + Self.rowHeight * Double(rows.count)
    let frame = ChartFrame(
      x: Axis(of: reaching.flatMap { [100 * $0.lower, 100 * $0.upper] } + [0], from: 14, to: 346),
      y: Axis(of: [0, 1], from: bottom, to: 6), xName: "percentage points")
    return tag(
      "figure", [:], tag("figcaption", [:], tag("strong", [:], .text(title))),
      drawing(
        id: id, title: title,
        description: rows.map { "\($0.name): \(words($0.interval)), \($0.interval.verdict.rawValue)." }
          .joined(separator: " "),
        size: (360, bottom + 44),
        frame.columns + [line(from: (frame.x(0), 6), to: (frame.x(0), bottom), class: "axis")]
          + rows.enumerated().flatMap { drawn($1, top: 6 + Self.rowHeight * Double($0), frame) }))
  }

  private func drawn(_ row: Row, top: Double, _ frame: ChartFrame) -> [HTML] {
    let y = top + 24, interval = row.interval, look = Self.look(interval.verdict)
    // A long name has the line to itself.
    let numbers = row.name.count > 30 ? [] : [label(words(interval), at: (350, top + 14), .end, class: "row")]
    return [label(row.name, at: (10, top + 14), class: "row")] + numbers + [
      line(
        from: (frame.x(100 * interval.lower), y), to: (frame.x(100 * interval.upper), y),
        class: "spread \(look.style)"),
      look.mark.drawn(
        at: (frame.x(100 * interval.value), y), radius: 4.5, class: "mark \(look.style)",
        tooltip: "\(row.name): \(words(interval))"),
    ]
  }

  private static func look(_ verdict: Comparison.Verdict) -> (mark: Mark, style: String) {
    switch verdict {
    case .better: (.diamond, "c0")
    case .worse: (.square, "c1")
    case .undecided: (.circle, "c4")
    }
  }

  /// The legend of all plots.
  static var key: HTML {
    legend(
      [
        (Comparison.Verdict.better, "better: the interval is above 0"), (.worse, "worse: it is below 0"),
        (.undecided, "undecided: it holds 0"),
      ].map { verdict, name in
        let look = Self.look(verdict)
        return (
          sample: [
            line(from: (2, 6), to: (26, 6), class: "spread \(look.style)"),
            look.mark.drawn(at: (14, 6), radius: 4.5, class: "mark \(look.style)"),
          ], name: name
        )
      })
  }
}

/// An interval in percentage points: "+5.3 (+3.1 to +7.2)".
func words(_ interval: Comparison.Interval) -> String {
  "\(points(interval.value)) (\(points(interval.lower)) to \(points(interval.upper)))"
}
