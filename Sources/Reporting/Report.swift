import ContextTuning
import FileFormats

/// A report on runs: one page that needs nothing but itself.
public struct Report {
  private let runs: [RunRecord]
  private let version: String

  /// - Parameters:
  ///   - runs: what is reported on, in order.
  ///   - version: of the program that writes the report.
  public init(_ runs: [RunRecord], version: String) {
    self.runs = runs
    self.version = version
  }

  /// The page, as the text of a file.
  public var page: String { "<!DOCTYPE html>\n" + html.markup + "\n" }

  private var title: String { runs.count == 1 ? "\(runs[0].name): tuned prompt" : "\(runs.count) tuned prompts" }

  private var html: HTML {
    let sections = runs.enumerated().map { index, run in 
      RunSection(run: run, id: "run\(index + 1)", version: version, level: runs.count == 1 ? 1 : 2)
    }
    return tag(
      "html", ["lang": "en"],
      tag(
        "head", [:], tag("meta", ["charset": "utf-8"]),
        tag("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        tag("meta", ["name": "color-scheme", "content": "light dark"]),
        // Nothing is loaded and nothing runs, whatever stands in the page.
        tag(
          "meta", ["http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"]),
        tag("meta", ["name": "generator", "content": "cpt \(version)"]), tag("title", [:], .text(title)),
        tag("style", [:], .text(styleSheet))),
      tag("body", [:], tag("main", [:], [summary] + sections.map(\.html))))
  }

  /// All runs in one table; nothing where there is only one.
  private var summary: HTML {
    if runs.count < 2 { return .group([]) }
    let rows: [[HTML]] = runs.enumerated().map { index, run in
      let evaluation = run.evaluation
      func text(_ value: (EvaluationRecord) -> String) -> HTML { .text(evaluation.map(value) ?? "") }
      return [
        tag("a", ["href": "#run\(index + 1)"], .text(run.name)), .text(evaluation?.split.rawValue ?? ""),
        .text(run.configuration.training.method.abbreviation), text { percentage($0.tuned.report.accuracy) },
        text { $0.untrained.map { percentage($0.report.accuracy) } ?? "" },
        text { $0.difference.map { "\(points($0.accuracy)) ± \(fixed(196 * $0.standardError, 1))" } ?? "" },
        text { fixed($0.tuned.report.macroF1, 3) }, text { number($0.tuned.report.loss) },
        text { fixed($0.tuned.reliability.expectedCalibrationError, 3) },
        .text(String(run.configuration.training.seed)), .text(String(run.history.lastStep)),
        .text(duration(run.history.elapsedSeconds)),
      ]
    }
    return tag(
      "section", [:], heading(1, title),
      table(
        "Accuracy is on the rows named; a difference with its 95\u{A0}% interval is in percentage points",
        header: [
          "run", "rows", "method", "accuracy", "untrained", "difference", "macro-F1", "loss", "ECE", "seed", "steps", "time",
        ], rows: rows, text: [0, 1, 2]))
  }
}
