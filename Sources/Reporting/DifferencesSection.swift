import Diagnostics
import Insights
import Method

/// The differences between the first method and the others, with their intervals.
struct DifferencesSection {
  let record: ComparisonRecord
  let id: String
  let level: Int

  var html: HTML {
    guard let first = record.comparison.methods.first.map(TuningMethod.abbreviation(of:)), !record.differences.isEmpty
    else {
      return .group([])
    }
    return tag(
      "section", [:], heading(level, "\(first) minus the others"),
      paragraph(
        "The accuracy of \(first) minus that of another method on the same rows with the same seeds, with its 95\u{A0}% "
          + "interval (a bootstrap over seeds and rows). Where nothing differs, about one interval in twenty excludes 0 by "
          + "chance."),
      ForestPlot.key, tag("div", ["class": "charts"], plots(first)),
      details("\(counted(record.differences.count, "difference")) as a table", numbers(first)))
  }

  /// Of each model: a plot for each other method, with a row for each condition; one plot of all methods if there is only
  /// one condition.
  private func plots(_ first: String) -> [HTML] {
    let intervals = record.differences.map(\.accuracy)
    func plot(_ index: Int, _ title: String, _ rows: [ForestPlot.Row]) -> HTML {
      ForestPlot(id: "\(id)-differences\(index)", title: title, rows: rows, reaching: intervals).html
    }
    let standings = record.comparison.standings(of: record.differences)
    if record.comparison.conditions.grouped(by: { $0.model }).allSatisfy({ $0.conditions.count == 1 }) {
      return record.comparison.conditions.enumerated().map { index, condition in
        let own = record.differences.filter { $0.condition == condition }
        return plot(
          index,
          record.name(of: condition).isEmpty ? "\(first) minus" : "\(record.name(of: condition)): \(first) minus",
          own.map { .init(name: TuningMethod.abbreviation(of: $0.other), interval: $0.accuracy) })
      }
    }
    return standings.enumerated().map { index, standing in
      let mean = record.overall.first { $0.model == standing.model && $0.method == standing.other }
      let rows = standing.differences.map {
        ForestPlot.Row(name: $0.condition.withoutModel.description, interval: $0.accuracy)
      }
      let last = mean.flatMap { mean in
        mean.difference.map {
          ForestPlot.Row(name: "mean of \(counted(mean.conditions, "condition"))", interval: $0)
        }
      }
      return plot(
        index,
        (record.hasModels ? (standing.model ?? "") + ": " : "")
          + "\(first) minus \(TuningMethod.abbreviation(of: standing.other))",
        rows + (last.map { [$0] } ?? []))
    }
  }

  private func numbers(_ first: String) -> HTML {
    let conditions: [HTML] = record.hasConditions ? ["condition"] : []
    return table(
      "\(first) minus another method, in percentage points",
      header: conditions + ["other", "difference (95\u{A0}% interval)", .text("\(first) is"), "seeds", "rows"],
      rows: record.differences.map { one in
        (record.hasConditions ? [.text(record.name(of: one.condition))] : []) + [
          .text(TuningMethod.abbreviation(of: one.other)), .text(words(one.accuracy)),
          .text(one.accuracy.verdict.rawValue),
          .text(String(one.seeds)), .text(String(one.rows)),
        ]
      }, text: record.hasConditions ? [0, 1, 3] : [0, 2])
  }
}
