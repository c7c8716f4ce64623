import Diagnostics
import FileFormats
import Insights
import Method

/// The result of a study in words, and each method over the conditions of a model.
struct StudyResultSection {
  let record: ComparisonRecord
  let level: Int

  var html: HTML {
    let standings = record.comparison.standings(of: record.differences)
    guard let first = record.comparison.methods.first.map(TuningMethod.abbreviation(of:)), !standings.isEmpty else {
      return .group([])
    }
    return tag(
      "section", [:], heading(level, "\(first) against the others"),
      paragraph(
        "\(first) is better or worse than another method where the 95\u{A0}% interval of their difference excludes 0, and "
          + "the two are undecided where it does not. Intervals are over other seeds and rows."),
      .group(models.map { model in words(on: model, standings.filter { $0.model == model }, first) }), means)
  }

  private var models: [String?] { record.comparison.conditions.grouped { $0.model }.map(\.part) }

  private func words(on model: String?, _ standings: [Comparison.Standing], _ first: String) -> HTML {
    if standings.isEmpty { return .group([]) }
    let worse = standings.filter { !$0.differences(.worse).isEmpty }
    return .group([
      record.hasModels ? heading(level + 1, model ?? "") : .group([]),
      tag("ul", [:], standings.map { tag("li", [:], .text(words(on: $0))) }),
      worse.isEmpty
        ? paragraph("No interval shows \(first) worse than another method\(model.map { " with \($0)" } ?? "").")
        : .group(
          worse.map { standing in
            let places = standing.differences(.worse).map { one in
              let condition = one.condition.withoutModel.description
              return (condition.isEmpty ? "" : "under \(condition) ") + "by \(magnitude(of: one.accuracy))"
            }
            return paragraph(
              class: "gap",
              "\(first) is worse than \(TuningMethod.abbreviation(of: standing.other)) \(places.joined(separator: "; "))."
            )
          }),
    ])
  }

  /// "Against ICL: better under 9 of 12 conditions, worse under 1, undecided under 2; on average …"
  private func words(on standing: Comparison.Standing) -> String {
    let counts = Comparison.Verdict.allCases.map { ($0.rawValue, standing.differences($0).count) }
    let all = counted(standing.differences.count, "condition")
    let parts = counts.enumerated().map { index, one in "\(one.0) under \(one.1)" + (index == 0 ? " of \(all)" : "") }
    let mean = record.overall.first { $0.model == standing.model && $0.method == standing.other }
    let average = mean.flatMap { mean in
      mean.difference.map { difference in
        "; on average "
          + (mean.conditions == standing.differences.count ? "" : "over \(counted(mean.conditions, "condition")) ")
          + "\(points(difference.value)) points "
          + "(95\u{A0}% interval \(points(difference.lower)) to \(points(difference.upper)))"
          + (difference.verdict == .undecided ? ", which is undecided" : "")
      }
    }
    return "Against \(TuningMethod.abbreviation(of: standing.other)): " + parts.joined(separator: ", ")
      + (average ?? "") + "."
  }

  /// "3.2 points (1.2 to 5.0)", without the sign.
  private func magnitude(of interval: Comparison.Interval) -> String {
    func size(_ value: Double) -> String { fixed(100 * abs(value), 1) }
    return "\(size(interval.value)) points (\(size(interval.upper)) to \(size(interval.lower)))"
  }

  private var means: HTML {
    guard let first = record.comparison.methods.first, !record.overall.isEmpty else { return .group([]) }
    let hasModels = record.hasModels
    return table(
      "Means over the conditions under which every method is finished; rank 1 is the best",
      header: (hasModels ? ["model"] : []) + [
        "method", "accuracy", "rank", .text("\(TuningMethod.abbreviation(of: first)) minus it, points"), "conditions",
      ],
      rows: record.overall.map { one in
        (hasModels ? [.text(one.model ?? "")] : []) + [
          .text(TuningMethod.abbreviation(of: one.method)), .text(percentage(one.accuracy)), .text(fixed(one.rank, 2)),
          .text(one.difference.map(Reporting.words) ?? ""), .text(String(one.conditions)),
        ]
      }, text: hasModels ? [0, 1] : [0])
  }
}
