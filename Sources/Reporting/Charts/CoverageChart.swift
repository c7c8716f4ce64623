import Tuning

/// The accuracy of the surest predictions over their share of the rows: a curve for each method.
struct CoverageChart {
  let id: String
  let methods: [(name: String, curve: [Coverage])]

  /// Thresholds of the table.
  private static let thresholds = [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]

  /// The figure; empty without rows.
  var html: HTML {
    let shown = methods.filter { !$0.curve.isEmpty }
    if shown.isEmpty { return .group([]) }
    let frame = ChartFrame(
      x: Axis(of: [0, 1], from: 52, to: 350, arePercentages: true),
      y: Axis(
        of: shown.flatMap { $0.curve.compactMap(\.accuracy) } + [1], from: 190, to: 10, arePercentages: true),
      xName: "share of the rows with an answer")
    func style(_ index: Int) -> String { "line" + (index == 0 ? " c0" : " c1") }
    let curves = shown.enumerated().map { index, method in
      path(
        through: thinned(method.curve).map { (frame.x($0.share), frame.y($0.accuracy ?? 0)) }, class: style(index))
    }
    return tag(
      "figure", [:], tag("figcaption", [:], tag("strong", [:], "Accuracy of the answers by coverage")),
      legend(
        shown.enumerated().map { index, method in
          (sample: [path(through: [(2, 6), (26, 6)], class: style(index))], name: method.name)
        }),
      drawing(
        id: "\(id)-coverage", title: "Accuracy of the answers by coverage",
        description: shown.map { method in
          "\(method.name): "
            + rows(method.curve).filter { $0.answered > 0 }.map { one in
              "\(percentage(one.accuracy ?? 0)) of \(percentage(one.share)) at \(one.threshold)"
            }.joined(separator: ", ") + "."
        }.joined(separator: " "),
        size: (360, 228), frame.lines + curves),
      details("The numbers", table))
  }

  /// The points of a curve at the table's thresholds.
  private func rows(_ curve: [Coverage]) -> [Coverage] {
    Self.thresholds.map { threshold in
      curve.last { $0.threshold >= threshold }.map { $0.at(threshold) } ?? curve[0].none(at: threshold)
    }
  }

  private var table: HTML {
    let shown = methods.filter { !$0.curve.isEmpty }
    let columns = shown.map { rows($0.curve) }
    return Reporting.table(
      "Answers of at least a probability; cpt predict --threshold leaves the other rows without one",
      header: ["probability"] + shown.flatMap { [.text("\($0.name) answered"), .text("\($0.name) right")] },
      rows: Self.thresholds.indices.map { index in
        [.text(String(Self.thresholds[index]))]
          + columns.flatMap { rows -> [HTML] in
            [.text(percentage(rows[index].share)), .text(rows[index].accuracy.map(percentage) ?? "–")]
          }
      }, text: [])
  }
}
