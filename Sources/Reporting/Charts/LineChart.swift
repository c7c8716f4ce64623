/// A small chart of values over the steps of a run, or over numbers of shots.
struct LineChart {
  /// What the values are over.
  enum Over {
    case steps
    /// Labelled rows of each label: a few numbers, each with its tick.
    case shots
  }

  /// A value at a step or a number of shots.
  struct Point {
    let x: Int
    let value: Double
    /// Its standard deviation, if it is a mean.
    var deviation: Double?

    var low: Double { value - (deviation ?? 0) }
    var high: Double { value + (deviation ?? 0) }
  }

  /// One measured quantity.
  struct Series {
    enum Look {
      /// Single measurements, faint.
      case dots
      case line
      /// A dashed line with a mark at every point.
      case dashed
      /// A line with a mark at every point, and a band of one standard deviation on both sides.
      case band
    }

    let name: String
    /// The index of its colour and mark, from 0.
    let colour: Int
    let look: Look
    let points: [Point]

    init(name: String, colour: Int, look: Look, points: [Point]) {
      self.name = name
      self.colour = colour
      self.look = look
      self.points = points
    }

    /// A quantity over steps.
    init(name: String, colour: Int, look: Look, points: [(step: Int, value: Double)]) {
      self.init(name: name, colour: colour, look: look, points: points.map { Point(x: $0.step, value: $0.value) })
    }

    var mark: Mark { Mark.allCases[colour % (Mark.allCases.count - 1)] }
    private var style: String { "c\(colour % 5)" }

    /// The points of the chart this series would be drawn with.
    func drawn(at points: [(x: Double, y: Double)]) -> [HTML] {
      switch look {
      case .dots: [dots(at: points, class: "dots \(style)")]
      case .line: points.count == 1 ? marks(at: points) : [path(through: points, class: "line \(style)")]
      case .dashed: [path(through: points, class: "line dashed \(style)")] + marks(at: points)
      case .band: [path(through: points, class: "line \(style)")] + marks(at: points)
      }
    }

    /// The band of the points that have a deviation; nil if none has.
    func band(_ points: [Point], in frame: ChartFrame) -> HTML? {
      guard look == .band, points.contains(where: { $0.deviation != nil }) else { return nil }
      func y(_ value: Double) -> Double { frame.y(min(max(value, frame.y.ends.lowest), frame.y.ends.highest)) }
      return Reporting.band(
        points.map { (frame.x(Double($0.x)), y($0.low), y($0.high)) }, class: "band \(style)")
    }

    private func marks(at points: [(x: Double, y: Double)]) -> [HTML] {
      points.count > 60 ? [] : points.map { mark.drawn(at: $0, radius: 3.5, class: "mark \(style)") }
    }

    var sample: [HTML] {
      switch look {
      case .dots: drawn(at: [(4, 4), (10, 8), (15, 5), (20, 8), (25, 3)])
      case .line: [path(through: [(2, 6), (26, 6)], class: "line \(style)")]
      case .dashed, .band:
        [
          path(through: [(0, 6), (28, 6)], class: look == .dashed ? "line dashed \(style)" : "line \(style)"),
          mark.drawn(at: (14, 6), radius: 3.5, class: "mark \(style)"),
        ]
      }
    }
  }

  let id: String
  let title: String
  var over = Over.steps
  let series: [Series]
  /// The scale of the values.
  var scale = Axis.Scale.linear
  var arePercentages = false
  /// Values that the axis covers besides those of the series.
  var reaching: [Double] = []
  /// A step to mark with a line, and its name.
  var event: (step: Int, name: String)?
  /// Whether it has a legend of its own, not one that it shares with other charts.
  var hasLegend = true
  /// The note below the chart.
  var note = ""

  /// The figure; empty if there is no value to draw.
  var html: HTML {
    let shown = series.map { one in (one, one.points.filter { abs($0.value) < 1e100 }) }.filter { !$0.1.isEmpty }
    let points = shown.flatMap(\.1)
    let places = Set(points.map(\.x)).sorted()
    guard let last = places.last else { return .group([]) }
    let spreads = shown.flatMap { one, points in one.look == .band ? points.flatMap { [$0.low, $0.high] } : [] }
      .filter { abs($0) < 1e100 }.map { arePercentages ? min(max($0, 0), 1) : $0 }
    let frame = ChartFrame(
      x: over == .steps
        ? Axis(of: [0, Double(last)], from: 52, to: 350, areWhole: true)
        : Axis(at: places.map(Double.init), from: 52, to: 350),
      y: Axis(
        of: points.map(\.value) + spreads + reaching, from: 190, to: 10, scale: scale, arePercentages: arePercentages),
      xName: over == .steps ? "step" : "labelled rows of each label")
    let bands = shown.compactMap { one, points in one.band(points, in: frame) }
    let curves = shown.flatMap { one, points in
      one.drawn(at: points.map { (frame.x(Double($0.x)), frame.y($0.value)) })
    }
    let eventLine = event.map { event in
      [line(from: (frame.x(Double(event.step)), 10), to: (frame.x(Double(event.step)), 190), class: "event")]
    }
    let names = shown.map { one, _ in (sample: one.sample, name: one.name) }
    let eventName = event.map { [(sample: [line(from: (14, 0), to: (14, 12), class: "event")], name: $0.name)] }
    let words = (frame.y.isLogarithmic ? "Logarithmic scale. " : "") + note
    return tag(
      "figure", [:], tag("figcaption", [:], tag("strong", [:], .text(title))),
      hasLegend ? legend(names + (eventName ?? [])) : .group([]),
      drawing(
        id: id, title: title, description: description(of: shown, places), size: (360, 228),
        frame.lines + bands + (eventLine ?? []) + curves),
      words.isEmpty ? .group([]) : paragraph(class: "note", words))
  }

  private func description(of shown: [(Series, [Point])], _ places: [Int]) -> String {
    switch over {
    case .steps:
      "Steps \(places.first ?? 0) to \(places.last ?? 0). "
        + shown.map { one, points in
          "\(one.name): \(text(points.first?.value)) at first, \(text(points.last?.value)) at last."
        }.joined(separator: " ")
    case .shots:
      shown.map { one, points in
        "\(one.name): " + points.map { "\(text($0.value)) at \($0.x)" }.joined(separator: ", ") + "."
      }.joined(separator: " ")
    }
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
