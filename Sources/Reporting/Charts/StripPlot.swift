import FileFormats

/// Values of a few groups as dots, each group with its mean and standard deviation.
struct StripPlot {
  struct Row {
    let name: String
    let mean: Double
    /// Standard deviation; nil for one value.
    let deviation: Double?
    let values: [(name: String, value: Double)]
  }

  let id: String
  let title: String
  let rows: [Row]

  private static let rowHeight = 52.0

  var html: HTML {
    let bottom = 6 + Self.rowHeight * Double(rows.count)
    let spreads = rows.flatMap {
      [$0.mean - ($0.deviation ?? 0), $0.mean + ($0.deviation ?? 0)].map { min(max($0, 0), 1) }
    }
    let frame = ChartFrame(
      x: Axis(of: rows.flatMap { $0.values.map(\.value) } + spreads, from: 20, to: 400, arePercentages: true),
      y: Axis(of: [0, 1], from: bottom, to: 6), xName: "accuracy")
    let description = rows.map { row in
      "\(row.name): mean \(percentage(row.mean))"
        + (row.deviation.map { ", standard deviation \(fixed(100 * $0, 1)) points" } ?? "") + "; "
        + row.values.map { "\($0.name) \(percentage($0.value))" }.joined(separator: ", ") + "."
    }.joined(separator: " ")
    let key: [(sample: [HTML], name: String)] = [
      ([Mark.circle.drawn(at: (14, 6), radius: 4, class: "mark c0")], "one seed"),
      ([line(from: (14, 0), to: (14, 12), class: "mean")], "mean"),
      ([line(from: (2, 6), to: (26, 6), class: "spread")], "mean ± standard deviation"),
    ]
    return tag(
      "figure", ["class": "strip"], legend(key),
      drawing(
        id: id, title: title, description: description, size: (420, bottom + 44),
        frame.columns + rows.enumerated().flatMap { drawn($1, top: 6 + Self.rowHeight * Double($0), frame) }))
  }

  private func drawn(_ row: Row, top: Double, _ frame: ChartFrame) -> [HTML] {
    let y = top + 34
    let deviation = row.deviation ?? 0
    let low = frame.x(max(0, row.mean - deviation)), high = frame.x(min(1, row.mean + deviation))
    return [
      label(row.name, at: (20, top + 15), class: "row"), line(from: (low, y), to: (high, y), class: "spread"),
      line(from: (frame.x(row.mean), y - 10), to: (frame.x(row.mean), y + 10), class: "mean"),
    ]
      + row.values.map { one in
        Mark.circle.drawn(
          at: (frame.x(one.value), y), radius: 4.5, class: "mark c0", tooltip: "\(one.name): \(percentage(one.value))")
      }
  }
}
