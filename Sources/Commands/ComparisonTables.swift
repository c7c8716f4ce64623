import Diagnostics
import FileFormats
import Insights
import Method

/// The results of a comparison as text.
struct ComparisonTables {
  private let comparison: Comparison
  private let times: ComparisonTimes
  private let folder: String

  init(_ outcome: ComparisonRun.Outcome, in folder: String) {
    comparison = outcome.comparison
    times = outcome.times
    self.folder = folder
  }

  var text: String {
    let results = comparison.conditions.count == 1 ? [methods] : [conditions, overall]
    return (results + [choices, differences].compactMap { $0 } + ["cells: \(messageLine(folder))"])
      .joined(separator: "\n\n")
  }

  /// The methods of the only condition, one in a line.
  private var methods: String {
    let rows = comparison.summaries.map { summary in
      let time = times.mean(\.trainingSeconds, of: comparison.cells(summary.condition, summary.method))
      return [
        TuningMethod.abbreviation(of: summary.method), percent(summary.accuracy.mean),
        summary.accuracy.standardDeviation.map { percent($0) } ?? "–",
        percent(summary.accuracy.worst), percent(summary.accuracy.best), fixed(summary.macroF1.mean, 3),
        fixed(summary.loss.mean, 3), time.map(duration) ?? "–", String(summary.parameters),
        String(summary.seeds),
      ]
    }
    let header = [
      "\(comparison.split.rawValue) rows", "accuracy", "sd", "worst", "best", "macro-F1", "loss", "time", "trained",
      "seeds",
    ]
    return table([header] + rows, rightAligned: Set(1...9))
  }

  /// The conditions of a study, one in a line, with the accuracy of each method.
  private var conditions: String {
    let summaries = comparison.summaries
    let rows = comparison.conditions.map { condition in
      [condition.description]
        + comparison.methods.map { method in
          guard let one = summaries.first(where: { $0.condition == condition && $0.method == method }) else {
            return "–"
          }
          return percent(one.accuracy.mean) + (one.accuracy.standardDeviation.map { " ± " + fixed(100 * $0, 1) } ?? "")
        }
    }
    let names = comparison.methods.map(TuningMethod.abbreviation(of:))
    return table(
      [["accuracy ± sd, \(comparison.split.rawValue) rows"] + names] + rows,
      rightAligned: Set(1...max(1, names.count)))
  }

  private var overall: String {
    let rows = comparison.overall.map { one in
      [
        (one.model.map { $0 + ", " } ?? "") + TuningMethod.abbreviation(of: one.method), percent(one.accuracy),
        fixed(one.rank, 2),
        one.difference.map(text) ?? "", String(one.conditions),
      ]
    }
    return table(
      [
        [
          "mean over conditions", "accuracy", "rank",
          "\(TuningMethod.abbreviation(of: comparison.methods[0])) minus it", "conditions",
        ]
      ]
        + rows,
      rightAligned: [1, 2, 3, 4])
  }

  /// The settings chosen on validation rows; nil if there was no choice.
  private var choices: String? {
    if comparison.candidates.isEmpty { return nil }
    let rows = comparison.conditions.flatMap { condition in
      comparison.methods.compactMap { method -> [String]? in
        guard let chosen = comparison.chosen(condition, method) else { return nil }
        let name = [condition.description, TuningMethod.abbreviation(of: method)].filter { !$0.isEmpty }.joined(
          separator: ", ")
        return [
          name, chosen.settingsInWords, percent(chosen.accuracy),
          String(comparison.candidates(condition, method).count),
        ]
      }
    }
    return table([["chosen on validation rows", "", "accuracy", "of"]] + rows, rightAligned: [2, 3])
  }

  /// The first method against the others; nil without a pair.
  private var differences: String? {
    let differences = comparison.differences
    guard let first = differences.first else { return nil }
    let rows = differences.map { one in
      [
        [one.condition.description, TuningMethod.abbreviation(of: one.other)].filter { !$0.isEmpty }.joined(
          separator: ", "),
        text(one.accuracy), String(one.seeds), String(one.rows),
      ]
    }
    return table(
      [["\(TuningMethod.abbreviation(of: first.method)) minus", "points  95 % interval", "seeds", "rows"]] + rows,
      rightAligned: [1, 2, 3])
  }

  /// "+3.2  [+1.0, +5.1]", in percentage points.
  private func text(_ interval: Comparison.Interval) -> String {
    func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + fixed(100 * value, 1) }
    return "\(signed(interval.value))  [\(signed(interval.lower)), \(signed(interval.upper))]"
  }
}
