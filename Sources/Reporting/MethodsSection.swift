import Diagnostics
import FileFormats
import Insights
import Method
import Tuning

/// What the methods of a comparison use: the settings chosen for them, time, parameters, labelled rows, scorings.
struct MethodsSection {
  let record: ComparisonRecord
  let level: Int

  private var comparison: Comparison { record.comparison }

  var html: HTML { .group([choices, costs]) }

  /// A line's condition, if there are several.
  private func cells(of condition: Condition) -> [HTML] {
    record.hasConditions ? [.text(record.name(of: condition))] : []
  }

  private var conditionHeading: [HTML] { record.hasConditions ? ["condition"] : [] }

  private var choices: HTML {
    let methods = comparison.methods.filter { method in comparison.candidates.contains { $0.method == method } }
    if methods.isEmpty { return .group([]) }
    let chosen = comparison.conditions.flatMap { condition in
      methods.compactMap { comparison.chosen(condition, $0) }
    }
    let rows = chosen.map { one -> [HTML] in
      cells(of: one.condition) + [
        .text(TuningMethod.abbreviation(of: one.method)), .text(one.settingsInWords), .text(percentage(one.accuracy)),
        .text(String(comparison.candidates(one.condition, one.method).count)),
      ]
    }
    let all = comparison.candidates.map { one -> [HTML] in
      cells(of: one.condition) + [
        .text(TuningMethod.abbreviation(of: one.method)), .text(one.settingsInWords), .text(percentage(one.accuracy)),
        .text(number(one.loss)),
        .text(chosen.contains(one) ? "chosen" : ""),
      ]
    }
    let textColumns = record.hasConditions ? 0...2 : 0...1
    let best = table(
      "The best of each method's settings", header: conditionHeading + ["method", "settings", "accuracy", "of"],
      rows: rows, text: Set(textColumns))
    return tag(
      "section", [:], heading(level, "Settings chosen on validation rows"),
      paragraph(
        "By accuracy on validation rows with the first seed, then by loss; all seeds use them. The compared rows are not "
          + "used."),
      rows.count > 12 ? details("\(rows.count) choices as a table", best) : best,
      details(
        "All \(all.count) settings that were tried",
        table(
          "Settings tried on validation rows; losses in nats",
          header: conditionHeading + ["method", "settings", "accuracy", "loss", ""], rows: all,
          text: Set(textColumns).union([textColumns.upperBound + 3]))))
  }

  private var costs: HTML {
    let costs = comparison.costs(record.times)
    if costs.isEmpty { return .group([]) }
    let hasModels = record.hasModels
    let hasTimes = costs.contains { $0.trainingSeconds != nil }
    let means = table(
      "Means over the cells of a method",
      header: (hasModels ? ["model"] : []) + ["method", "numbers trained", "labelled rows"]
        + (hasTimes ? ["training", "scoring"] : []) + ["cells"],
      rows: costs.map { one in
        let rows = one.rowsLearntFrom
        let times = [one.trainingSeconds, one.evaluationSeconds].map { HTML.text($0.map(duration) ?? "–") }
        return (hasModels ? [.text(one.model ?? "")] : []) + [
          .text(TuningMethod.abbreviation(of: one.method)), .text(fixed(one.parameters, 0)),
          .text(rows.count == 1 ? String(rows.lowerBound) : "\(rows.lowerBound) to \(rows.upperBound)"),
        ] + (hasTimes ? times : []) + [.text(String(one.cells))]
      }, text: hasModels ? [0, 1] : [0])
    return tag(
      "section", [:], heading(level, "Time and parameters"),
      hasTimes
        ? .group([]) : paragraph("There is no \(ComparisonTimes.file) beside the results, so the times are not known."),
      means, scorings)
  }

  /// The accuracies by other scorings than the compared one, in means over seeds.
  private var scorings: HTML {
    let all = comparison.conditions.flatMap { condition in
      comparison.methods.map { method in
        (condition, method, Comparison.meanScorings(of: comparison.cells(condition, method)))
      }
    }.filter { !$0.2.isEmpty }
    let columns = Scoring.allCases.filter { scoring in all.contains { $0.2.contains { $0.scoring == scoring } } }
    if columns.count < 2 { return .group([]) }
    return details(
      "Accuracy by scoring, such as with calibration",
      table(
        "Mean accuracy over seeds by the scoring of labels",
        header: conditionHeading + ["method"] + columns.map { .text($0.rawValue) },
        rows: all.map { condition, method, scorings in
          cells(of: condition) + [.text(TuningMethod.abbreviation(of: method))]
            + columns.map { column in
              .text(scorings.first { $0.scoring == column }.map { percentage($0.accuracy) } ?? "–")
            }
        }, text: record.hasConditions ? [0, 1] : [0]))
  }
}
