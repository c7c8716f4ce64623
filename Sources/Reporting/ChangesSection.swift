import Diagnostics

/// The rows that tuning corrected, and those it got wrong.
struct ChangesSection {
  let evaluation: EvaluationRecord
  let level: Int

  /// Maximum number of rows listed of each kind.
  static let limit = 20

  var html: HTML {
    guard let untrained = evaluation.untrained else { return .group([]) }
    let changes = evaluation.changes
    return tag(
      "section", [:], heading(level, "Changed predictions"),
      list(changes.toRight, "From wrong to right", untrained),
      list(changes.toWrong, "From right to wrong", untrained))
  }

  private func list(_ rows: [Int], _ title: String, _ untrained: EvaluationRecord.Method) -> HTML {
    let shown = rows.prefix(Self.limit)
    let count = counted(rows.count, "row") + (shown.count < rows.count ? ", the first \(shown.count) of them" : "")
    return details(
      "\(title): \(count)",
      rows.isEmpty ? paragraph("There are none.") : .group([]),
      tag("ol", ["class": "changes"], shown.map { entry($0, untrained) }))
  }

  private func entry(_ row: Int, _ untrained: EvaluationRecord.Method) -> HTML {
    func said(_ method: EvaluationRecord.Method) -> String {
      let prediction = method.predictions[row]
      return
        "\(method.name) \(evaluation.labels[prediction.predicted]) \(percentage(prediction.probabilities[prediction.predicted]))"
    }
    let prediction = evaluation.tuned.predictions[row]
    let text: HTML = prediction.text.map { tag("q", ["dir": "auto"], .text($0)) } ?? .text(prediction.place)
    return tag(
      "li", [:], text,
      tag(
        "span", ["class": "outcome"], "label ", tag("strong", [:], .text(evaluation.labels[prediction.label])),
        .text(" · \(said(untrained)) · \(said(evaluation.tuned))")))
  }
}
