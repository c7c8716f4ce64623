import Diagnostics
import FileFormats
import Method
import Tuning

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
        paragraph(meaning + confusionKey(labels: evaluation.labels)),
        tag(
          "div", ["class": "pair"],
          evaluation.methods.map { confusions($0.report.confusion, labels: evaluation.labels, of: $0.name) }),
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
          evaluation.methods.map { ReliabilityDiagram(reliability: $0.reliability, name: $0.name, id: id).html }),
        paragraph(
          "If only predictions of at least a probability count as answers, fewer rows have one and more of these are "
            + "right."),
        tag(
          "div", ["class": "pair"],
          CoverageChart(
            id: id, methods: evaluation.methods.reversed().map { ($0.name, Coverage.curve($0.predictions)) }
          ).html)),
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

/// The most labels of a confusion matrix; more of them are mostly zeros.
private let mostLabelsOfMatrix = 15

/// How to read what `confusions` gives for so many labels.
func confusionKey(labels: [String]) -> String {
  labels.count > mostLabelsOfMatrix
    ? " The tables have the labels that are most often taken for others."
    : " Rows of a matrix are the true labels, columns the predictions; the deeper the colour, the larger the share of its "
      + "row."
}

/// A confusion matrix, or the most frequent confusions of many labels.
func confusions(_ counts: [[Int]], labels: [String], of name: String) -> HTML {
  if labels.count <= mostLabelsOfMatrix { return confusionMatrix(counts, labels: labels, of: name) }
  let pairs = labels.indices.flatMap { label in
    labels.indices.filter { $0 != label && counts[label][$0] > 0 }.map {
      (label: label, said: $0, rows: counts[label][$0])
    }
  }.sorted { ($1.rows, $0.label, $0.said) < ($0.rows, $1.label, $1.said) }
  let shown = pairs.prefix(30)
  let rows = pairs.reduce(0) { $0 + $1.rows }
  let total = counts.reduce(0) { $0 + $1.reduce(0, +) }
  return table(
    "\(name): \(total - rows) of \(total) right (\(percentage(Double(total - rows) / Double(max(total, 1))))); "
      + counted(pairs.count, "confused pair")
      + (shown.count < pairs.count ? ", the \(shown.count) most frequent" : ""),
    header: ["label", "predicted", "rows", "of the label"],
    rows: shown.map { pair in
      [
        .text(labels[pair.label]), .text(labels[pair.said]), .text(String(pair.rows)),
        .text(percentage(Double(pair.rows) / Double(max(1, counts[pair.label].reduce(0, +))))),
      ]
    }, text: [0, 1])
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
