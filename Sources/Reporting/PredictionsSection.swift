import Diagnostics
import FileFormats
import System
import Tuning

/// The evaluated rows with their predictions, those that are wrong first.
struct PredictionsSection {
  let evaluation: EvaluationRecord
  let id: String
  let level: Int

  /// Maximum number of rows of the table, and of characters of their texts.
  static let limit = 500, mostCharacters = 300
  /// Maximum number of mistakes shown of each label, and of labels.
  private static let mistakes = 3, labels = 30

  private var tuned: [Prediction] { evaluation.tuned.predictions }

  private func isWrong(_ row: Int) -> Bool { tuned[row].predicted != tuned[row].label }

  /// The rows, mistakes before right answers, the surest mistakes and the least sure answers first.
  private var order: [Int] {
    let confidence = tuned.map(\.candidates.confidence)
    let wrong = tuned.indices.filter(isWrong).sorted { (-confidence[$0], $0) < (-confidence[$1], $1) }
    let right = tuned.indices.filter { !isWrong($0) }.sorted { (confidence[$0], $0) < (confidence[$1], $1) }
    return wrong + right
  }

  var html: HTML {
    let order = order, shown = order.prefix(Self.limit)
    let wrong = order.count(where: isWrong)
    let cap =
      shown.count < order.count
      ? " The table has \(Self.limit) of \(order.count) rows; cpt eval --predictions writes all." : ""
    return tag(
      "section", ["class": "rows"], heading(level, "Predictions row by row"),
      paragraph(
        "\(counted(wrong, "row")) of \(order.count) \(wrong == 1 ? "is" : "are") wrong with \(evaluation.tuned.name): the "
          + "surest mistakes come first, then the right answers, the least sure first." + cap),
      examples(order.filter(isWrong)), controls, table(Array(shown)))
  }

  /// What the script shows and uses.
  private var controls: HTML {
    tag(
      "div", ["class": "filter", "id": "\(id)-rows-filter", "hidden": "hidden", "role": "search"],
      tag("label", [:], "Filter the rows ", tag("input", ["type": "search"])),
      tag("label", [:], tag("input", ["type": "checkbox"]), " only wrong ones"), tag("output", [:], ""))
  }

  private func table(_ rows: [Int]) -> HTML {
    let columns: [(String, String)] =
      [("text", "text"), ("label", "text"), ("prediction", "text"), ("probability, %", "number")]
      + (evaluation.untrained.map { [($0.name, "text")] } ?? []) + [("row", "text")]
    let caption = "Rows and what \(evaluation.tuned.name) predicts"
    return scrollable(
      caption,
      tag(
        "table", ["class": "sortable", "id": "\(id)-rows"], tag("caption", [:], .text(caption)),
        tag(
          "thead", [:],
          tag("tr", [:], columns.map { tag("th", ["scope": "col", "class": $0.1], .text($0.0)) })),
        tag("tbody", [:], rows.map(line))))
  }

  private func line(_ row: Int) -> HTML {
    let prediction = tuned[row]
    func cell(_ text: String, _ kind: String = "text") -> HTML { tag("td", ["class": kind], .text(text)) }
    let untrained = evaluation.untrained.map { [cell(evaluation.labels[$0.predictions[row].predicted])] } ?? []
    return tag(
      "tr", ["class": isWrong(row) ? "wrong" : ""],
      [
        tag("th", ["scope": "row", "class": "text", "dir": "auto"], .text(text(prediction))),
        cell(evaluation.labels[prediction.label]), cell(evaluation.labels[prediction.predicted]),
        cell(fixed(100 * prediction.candidates.confidence, 1), "number"),
      ] + untrained + [cell(lastComponent(of: prediction.place))])
  }

  private func text(_ prediction: Prediction) -> String {
    guard let text = prediction.text else { return "(tokens)" }
    return text.count > Self.mostCharacters ? text.prefix(Self.mostCharacters) + "…" : text
  }

  /// The surest mistakes of each label.
  private func examples(_ wrong: [Int]) -> HTML {
    let byLabel = evaluation.labels.indices.map { label in (label, wrong.filter { tuned[$0].label == label }) }
      .filter { !$0.1.isEmpty }.sorted { ($1.1.count, $0.0) < ($0.1.count, $1.0) }
    if byLabel.count < 2 { return .group([]) }
    let shown = byLabel.prefix(Self.labels)
    let more = byLabel.count - shown.count
    return details(
      "The surest mistakes of each label",
      .group(
        shown.flatMap { label, rows in
          [
            heading(level + 1, "\(evaluation.labels[label]): \(rows.count) wrong"),
            tag(
              "ul", ["class": "changes"],
              rows.prefix(Self.mistakes).map { row in
                tag(
                  "li", [:], tag("q", ["dir": "auto"], .text(text(tuned[row]))),
                  tag(
                    "span", ["class": "outcome"],
                    .text(
                      "\(evaluation.tuned.name) \(evaluation.labels[tuned[row].predicted]) "
                        + percentage(tuned[row].candidates.confidence))))
              }),
          ]
        }),
      more > 0 ? paragraph("\(counted(more, "more label")) with fewer mistakes.") : .group([]))
  }
}
