import ContextTuning

/// The rows that tuning put right, and those it put wrong.
struct ChangesSection {
  let evaluation: EvaluationRecord

  /// How many rows of each kind are listed.
  static let limit = 20

  var html: HTML {
    let changes = evaluation.changes
    return tag(
      "section", [:], heading(3, "Rows that changed sides"),
      list(changes.toRight, "From wrong to right", "ICL was wrong, CPT is right"),
      list(changes.toWrong, "From right to wrong", "ICL was right, CPT is wrong"))
  }

  private func list(_ rows: [Int], _ title: String, _ meaning: String) -> HTML {
    let shown = rows.prefix(Self.limit)
    let count = counted(rows.count, "row") + (shown.count < rows.count ? ", the first \(shown.count) of them" : "")
    return details(
      "\(title): \(count)",
      rows.isEmpty ? paragraph("There are none.") : paragraph(class: "note", .text(meaning + ".")),
      tag("ol", ["class": "changes"], shown.map(entry)))
  }

  private func entry(_ row: Int) -> HTML {
    let tuned = evaluation.tuned.predictions[row], untrained = evaluation.untrained.predictions[row]
    func said(_ prediction: Prediction) -> String {
      "\(evaluation.labels[prediction.predicted]) \(percentage(prediction.probabilities[prediction.predicted]))"
    }
    let text: HTML = evaluation.texts[row].map { tag("q", ["dir": "auto"], .text($0)) } ?? .text(tuned.place)
    return tag(
      "li", [:], text,
      tag(
        "span", ["class": "outcome"], "label ", tag("strong", [:], .text(evaluation.labels[tuned.label])),
        .text(" · ICL \(said(untrained)) · CPT \(said(tuned))")))
  }
}
