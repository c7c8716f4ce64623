import FileFormats
import Tuning

/// Accuracy by binned confidence, with the diagonal where both are equal.
struct ReliabilityDiagram {
  let reliability: Reliability
  /// The name of the prompt that made the predictions.
  let name: String
  let id: String

  var html: HTML {
    let title = "\(name): ECE \(fixed(reliability.expectedCalibrationError, 3))"
    let filled = reliability.bins.filter { $0.rows > 0 }
    return tag(
      "figure", [:], tag("figcaption", [:], tag("strong", [:], .text(title))),
      drawing(
        id: "\(id)-reliability-\(name)", title: "Reliability of \(name)",
        description: filled.map { "Predicted with \(range($0)): right \(percentage($0.accuracy)) of \($0.rows)." }
          .joined(separator: " "),
        size: (360, 268), frame.lines + bars + [diagonal]),
      details(
        "The numbers",
        table(
          "\(name) by probability", header: ["probability", "rows", "mean probability", "right"],
          rows: filled.map {
            [
              .text(range($0)), .text(String($0.rows)), .text(percentage($0.confidence)),
              .text(percentage($0.accuracy)),
            ]
          })))
  }

  private var frame: ChartFrame {
    ChartFrame(
      x: Axis(of: [0, 1], from: 52, to: 350, arePercentages: true),
      y: Axis(of: [0, 1], from: 230, to: 18, arePercentages: true), xName: "probability of the prediction")
  }

  private var diagonal: HTML { line(from: (frame.x(0), frame.y(0)), to: (frame.x(1), frame.y(1)), class: "diagonal") }

  private var bars: [HTML] {
    reliability.bins.filter { $0.rows > 0 }.flatMap { bin in
      let left = frame.x(bin.bounds.lowerBound) + 1.5, right = frame.x(bin.bounds.upperBound) - 1.5
      let top = frame.y(bin.accuracy)
      return [
        tag(
          "rect",
          [
            "class": "bar", "x": pixels(left), "y": pixels(top), "width": pixels(right - left),
            "height": pixels(frame.y(0) - top),
          ], tag("title", [:], .text("predicted with \(range(bin)): right \(percentage(bin.accuracy)) of \(bin.rows)"))),
        label(String(bin.rows), at: ((left + right) / 2, top - 4), .middle, class: "count"),
      ]
    }
  }

  private func range(_ bin: Reliability.Bin) -> String {
    "\(fixed(100 * bin.bounds.lowerBound, 0))–\(fixed(100 * bin.bounds.upperBound, 0))\u{A0}%"
  }
}
