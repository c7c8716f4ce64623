import Diagnostics
import FileFormats
import Method

/// The predictions of the tuned and the untrained context for the evaluated rows: counts by label, and calibration.
struct EvaluationSection {
  let evaluation: EvaluationRecord
  let id: String
  /// The level of the headings.
  let level: Int

  var html: HTML {
    let rows = counted(evaluation.tuned.report.rows, "\(evaluation.split.rawValue) row")
    return .group([
      tag(
        "section", [:], heading(level, "Predictions on \(rows)"),
        paragraph(
          "\(meaning) Rows of a matrix are the true labels, columns the predictions; the deeper the colour, the larger "
            + "the share of its row."),
        tag(
          "div", ["class": "pair"],
          evaluation.methods.map { confusionMatrix($0.report.confusion, labels: evaluation.labels, of: $0.name) }),
        perClass),
      tag(
        "section", [:], heading(level, "Reliability"),
        paragraph(
          "How often predictions are right, by their probability, in ten bins. Bars at the dashed line are well "
            + "calibrated; below it the model is overconfident. The number on a bar counts its rows. ECE, the expected "
            + "calibration error, is the mean over the rows of the distance between a bin’s accuracy and its mean "
            + "probability (Guo et al. 2017)."),
        tag(
          "div", ["class": "pair"],
          evaluation.methods.map { ReliabilityDiagram(reliability: $0.reliability, name: $0.name, id: id).html })),
    ])
  }

  private var meaning: String {
    switch evaluation.untrained?.name {
    case _ where evaluation.tuned.name == TuningMethod.head.abbreviation:
      "\(evaluation.tuned.name) is a classifier on the frozen model’s hidden states"
        + (evaluation.untrained == nil ? "." : ", ICL (in-context learning) the same context with the labels’ words.")
    case nil: "\(evaluation.tuned.name) trains nothing."
    case TuningMethod.icl.abbreviation:
      "CPT is the tuned context, ICL (in-context learning) the same context, untrained."
    case .some(let untrained):
      "\(evaluation.tuned.name) is the tuned context, “\(untrained)” the one training started from."
    }
  }

  private var perClass: HTML {
    let tuned = evaluation.tuned.report.classes, name = evaluation.tuned.name
    return table(
      "By label",
      header: ["label", "rows"] + evaluation.methods.map { "\($0.name) F1" } + ["\(name) precision", "\(name) recall"],
      rows: tuned.indices.map { index in
        [.text(tuned[index].label), .text(String(tuned[index].support))]
          + evaluation.methods.map { .text(fixed($0.report.classes[index].f1, 3)) }
          + [.text(fixed(tuned[index].precision, 3)), .text(fixed(tuned[index].recall, 3))]
      })
  }
}

/// A confusion matrix as a table, with cells shaded by their share of the row.
func confusionMatrix(_ confusion: [[Int]], labels: [String], of name: String) -> HTML {
  let right = confusion.indices.reduce(0) { $0 + confusion[$1][$1] }
  let total = confusion.reduce(0) { $0 + $1.reduce(0, +) }
  let caption = "\(name): \(right) of \(total) right (\(percentage(Double(right) / Double(max(total, 1)))))"
  let head = tag(
    "tr", [:],
    [tag("th", ["scope": "col"], "label \\ predicted")]
      + labels.map { label in
        tag("th", ["scope": "col"], tag("span", [:], .text(label)))
      })
  let rows = confusion.indices.map { row in
    let sum = max(confusion[row].reduce(0, +), 1)
    return tag(
      "tr", [:],
      [tag("th", ["scope": "row"], .text(labels[row]))]
        + confusion[row].indices.map { column in
          let count = confusion[row][column], share = Double(count) / Double(sum)
          let level = count == 0 ? "" : "h\(min(4, Int(share * 5)))"
          return tag(
            "td",
            [
              "class": level + (row == column ? " diagonal" : ""),
              "title": "\(percentage(share)) of the rows of \(labels[row])",
            ],
            .text(String(count)))
        })
  }
  // Two matrices are side by side if there is room.
  let longHeadings = labels.count > 5 || labels.reduce(0) { $0 + $1.count } > 40 ? " turned" : ""
  return scrollable(
    caption,
    tag(
      "table", ["class": "matrix" + longHeadings], tag("caption", [:], .text(caption)), tag("thead", [:], head),
      tag("tbody", [:], rows)))
}
