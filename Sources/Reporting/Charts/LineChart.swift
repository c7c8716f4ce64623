/// A small chart of values over the steps of a run.
struct LineChart {
  /// One measured quantity.
  struct Series {
    enum Look {
      /// Single measurements, faint.
      case dots
      case line
      /// A dashed line with a mark at every point.
      case dashed
    }

    let name: String
    /// The index of its colour and mark, from 0.
    let colour: Int
    let look: Look
    let points: [(step: Int, value: Double)]

    var mark: Mark { Mark.allCases[colour % (Mark.allCases.count - 1)] }
    private var style: String { "c\(colour % 5)" }

    /// The points of the chart this series would be drawn with.
    func drawn(at points: [(x: Double, y: Double)]) -> [HTML] {
      switch look {
      case .dots: [dots(at: points, class: "dots \(style)")]
      case .line: points.count == 1 ? marks(at: points) : [path(through: points, class: "line \(style)")]
      case .dashed: [path(through: points, class: "line dashed \(style)")] + marks(at: points)
      }
    }

    private func marks(at points: [(x: Double, y: Double)]) -> [HTML] {
      points.count > 60 ? [] : points.map { mark.drawn(at: $0, radius: 3.5, class: "mark \(style)") }
    }

    var sample: [HTML] {
      switch look {
      case .dots: drawn(at: [(4, 4), (10, 8), (15, 5), (20, 8), (25, 3)])
      case .line: [path(through: [(2, 6), (26, 6)], class: "line \(style)")]
      case .dashed:
        [
          path(through: [(0, 6), (28, 6)], class: "line dashed \(style)"),
          mark.drawn(at: (14, 6), radius: 3.5, class: "mark \(style)"),
        ]
      }
    }
  }

  let id: String
  let title: String
  let series: [Series]
  /// The scale of the values.
  var scale = Axis.Scale.linear
  var arePercentages = false
  /// A step to mark with a line, and its name.
  var event: (step: Int, name: String)?
  /// The note below the chart.
  var note = ""

  /// The figure; empty if there is no value to draw.
  var html: HTML {
    let shown = series.map { one in (one, one.points.filter { abs($0.value) < 1e100 }) }.filter { !$0.1.isEmpty }
    let points = shown.flatMap(\.1)
    guard let first = points.map(\.step).min(), let last = points.map(\.step).max() else { return .group([]) }
    let frame = ChartFrame(
      x: Axis(of: [0, Double(last)], from: 52, to: 350, areWhole: true),
      y: Axis(
        of: points.map(\.value) + (arePercentages ? [0, 1] : []), from: 190, to: 10, scale: scale,
        arePercentages: arePercentages),
      xName: "step")
    let curves = shown.flatMap { one, points in
      one.drawn(at: points.map { (frame.x(Double($0.step)), frame.y($0.value)) })
    }
    let eventLine = event.map { event in
      [line(from: (frame.x(Double(event.step)), 10), to: (frame.x(Double(event.step)), 190), class: "event")]
    }
    let description =
      "Steps \(first) to \(last). "
      + shown.map { one, points in
        "\(one.name): \(text(points.first?.value)) at first, \(text(points.last?.value)) at last."
      }.joined(separator: " ")
    let names = shown.map { one, _ in (sample: one.sample, name: one.name) }
    let eventName = event.map { [(sample: [line(from: (14, 0), to: (14, 12), class: "event")], name: $0.name)] }
    let words = (frame.y.isLogarithmic ? "Logarithmic scale. " : "") + note
    return tag(
      "figure", [:], tag("figcaption", [:], tag("strong", [:], .text(title))), legend(names + (eventName ?? [])),
      drawing(
        id: id, title: title, description: description, size: (360, 228), frame.lines + (eventLine ?? []) + curves),
      words.isEmpty ? .group([]) : paragraph(class: "note", words))
  }

  private func text(_ value: Double?) -> String {
    guard let value else { return "" }
    return arePercentages ? percentage(value) : number(value)
  }
}

/// The lines, ticks and names around a chart.
struct ChartFrame {
  let x: Axis
  let y: Axis
  let xName: String

  /// Grid lines and the texts of the ticks.
  var lines: [HTML] {
    let left = x(x.ends.lowest), right = x(x.ends.highest)
    let across = y.ticks.flatMap { tick in
      [
        line(from: (left, y(tick.value)), to: (right, y(tick.value)), class: "grid"),
        label(tick.text, at: (left - 6, y(tick.value) + 4), .end),
      ]
    }
    return across + xAxis(tickEnd: y(y.ends.lowest) + 4, class: "axis")
  }

  /// Grid lines from bottom to top, and the texts of their ticks.
  var columns: [HTML] { xAxis(tickEnd: y(y.ends.highest), class: "grid") }

  private func xAxis(tickEnd: Double, class name: String) -> [HTML] {
    let left = x(x.ends.lowest), right = x(x.ends.highest), bottom = y(y.ends.lowest)
    let ticks = x.ticks.flatMap { tick in
      [
        line(from: (x(tick.value), bottom), to: (x(tick.value), tickEnd), class: name),
        label(tick.text, at: (x(tick.value), bottom + 17), .middle),
      ]
    }
    return ticks + [
      line(from: (left, bottom), to: (right, bottom), class: "axis"),
      label(xName, at: ((left + right) / 2, bottom + 34), .middle),
    ]
  }
}
