import Diagnostics
import FileFormats
import Insights
import Method

/// The accuracies and losses of a study: over the number of shots, and by task.
struct StudySection {
  let record: ComparisonRecord
  let id: String
  let level: Int

  private var comparison: Comparison { record.comparison }

  private func summary(_ condition: Condition, _ method: String) -> Comparison.Summary? {
    record.summaries.first { $0.condition == condition && $0.method == method }
  }

  /// The conditions that differ in the number of shots only, where there are at least two numbers.
  private var curves: [(part: Condition, conditions: [Condition])] {
    comparison.conditions.filter { $0.shots != nil }.grouped(by: \.withoutShots).filter { $0.conditions.count > 1 }
  }

  /// A line for each method over the shots of conditions.
  private func series(
    _ look: LineChart.Series.Look, over conditions: [Condition],
    _ value: (Comparison.Summary) -> (mean: Double, deviation: Double?)?
  ) -> [LineChart.Series] {
    comparison.methods.enumerated().map { index, method in
      let points = conditions.compactMap { condition -> LineChart.Point? in
        guard let shots = condition.shots, let value = summary(condition, method).flatMap(value) else { return nil }
        return LineChart.Point(x: shots, value: value.mean, deviation: value.deviation)
      }
      return LineChart.Series(
        name: TuningMethod.abbreviation(of: method), colour: index, look: look, points: points.sorted { $0.x < $1.x })
    }
  }

  /// The legend of the methods with a finished cell.
  private func key(_ look: LineChart.Series.Look) -> HTML {
    let entries = series(look, over: []) { _ in nil }.enumerated().filter { index, _ in
      record.summaries.contains { $0.method == comparison.methods[index] }
    }
    return legend(entries.map { (sample: $1.sample, name: $1.name) })
  }

  var accuracies: HTML {
    let charts = curves.enumerated().map { index, curve in
      LineChart(
        id: "\(id)-shots\(index)", title: title(curve.part, otherwise: "Accuracy"), over: .shots,
        series: series(.band, over: curve.conditions) { ($0.accuracy.mean, $0.accuracy.standardDeviation) },
        arePercentages: true, hasLegend: false
      ).html
    }
    if charts.isEmpty || record.summaries.isEmpty { return .group([]) }
    return tag(
      "section", [:], heading(level, "Accuracy by number of shots"),
      paragraph(
        "Lines are means over seeds, bands one standard deviation on both sides. Each chart has an axis of its own; the "
          + "numbers are in the tables below."),
      key(.band), tag("div", ["class": "charts"], charts))
  }

  private func title(_ condition: Condition, otherwise title: String) -> String {
    let name = record.name(of: condition)
    return name.isEmpty ? title : name
  }

  var heatMaps: HTML {
    if record.summaries.isEmpty { return .group([]) }
    // A table for each model and template, unless each would have one row.
    var groups = comparison.conditions.grouped { Condition(model: $0.model, template: $0.template) }
    if groups.allSatisfy({ $0.conditions.count == 1 }) { groups = [(Condition(), comparison.conditions)] }
    return tag(
      "section", [:], heading(level, "Accuracy by condition"),
      paragraph(
        "Mean accuracy over seeds, ± one standard deviation in points. The deeper the colour, the nearer a method is to "
          + "the best one of the row, which has a star and an outline."),
      .group(groups.map { heatMap(of: $0.conditions, named: $0.part) }))
  }

  private func heatMap(of conditions: [Condition], named part: Condition) -> HTML {
    let columns: [(heading: String, name: (Condition) -> String?)] = [
      ("model", { part.model == nil ? $0.model : nil }), ("task", { $0.task }),
      ("template", { part.template == nil ? $0.template : nil }), ("shots", { $0.shots.map(String.init) }),
    ].filter { column in conditions.contains { column.name($0) != nil } }
    let seeds = record.summaries.map(\.seeds)
    let fewest = seeds.min() ?? 0, most = seeds.max() ?? 0
    let over = fewest == most ? counted(most, "seed") : "\(fewest) to \(most) seeds"
    return HeatMap(
      caption: title(part, otherwise: "All conditions")
        + ": accuracy on the \(comparison.split.rawValue) rows, \(over)",
      headings: columns.map(\.heading), columns: comparison.methods.map(TuningMethod.abbreviation(of:)),
      rows: conditions.map { condition in
        HeatMap.Row(
          names: columns.map { $0.name(condition) ?? "" },
          cells: comparison.methods.map { method in
            summary(condition, method).map { one in
              let deviation = one.accuracy.standardDeviation.map { " ± \(fixed(100 * $0, 1))" } ?? ""
              return (one.accuracy.mean, fixed(100 * one.accuracy.mean, 1) + deviation)
            }
          })
      }
    ).html
  }

  var losses: HTML {
    if record.summaries.isEmpty { return .group([]) }
    let charts = curves.enumerated().flatMap { index, curve -> [HTML] in
      let training = series(.band, over: curve.conditions) { one in one.trainingLoss.map { ($0, nil) } }
      let other = series(.band, over: curve.conditions) { ($0.loss.mean, nil) }
      // Side by side, both have the same axis.
      let values = (training + other).flatMap { $0.points.map(\.value) }.filter { abs($0) < 1e100 }
      let name = record.name(of: curve.part)
      return [("training", training), (comparison.split.rawValue, other)].map { rows, series in
        LineChart(
          id: "\(id)-losses\(index)-\(rows)", title: (name.isEmpty ? "" : name + ": ") + "loss on \(rows) rows",
          over: .shots, series: series,
          scale: .logarithmicIfWide, reaching: values, hasLegend: false
        ).html
      }
    }
    let numbers = table(
      "Mean loss over seeds, in nats",
      header: ["condition", "method", "training loss", .text("\(comparison.split.rawValue) loss"), "sd"],
      rows: record.summaries.map { one in
        [
          .text(title(one.condition, otherwise: "the only one")), .text(TuningMethod.abbreviation(of: one.method)),
          .text(one.trainingLoss.map(number) ?? "–"), .text(number(one.loss.mean)),
          .text(one.loss.standardDeviation.map(number) ?? "–"),
        ]
      }, text: [0, 1])
    return tag(
      "section", [:], heading(level, charts.isEmpty ? "Loss" : "Loss by number of shots"),
      paragraph(
        "The loss is the mean of −log\u{A0}P(label), in nats; that on training rows is of at most 100 of the rows trained "
          + "on, after training. A method that trains nothing has no training loss."),
      charts.isEmpty ? .group([]) : .group([key(.band), tag("div", ["class": "charts"], charts)]),
      details(charts.isEmpty ? "The losses as a table" : "The numbers behind the curves", numbers))
  }
}
