import FileFormats
import Method

/// A report on runs and comparisons: one self-contained page.
package struct Report {
  /// A run or a comparison.
  package enum Subject: Sendable {
    case run(RunRecord)
    case comparison(ComparisonRecord)

    /// Reads a folder of a run or a comparison.
    ///
    /// - Throws: `InputError` when it holds neither, or for a file in it.
    package init(folder: String) throws {
      self =
        ComparisonRecord.exists(in: folder)
        ? .comparison(try ComparisonRecord(folder: folder)) : .run(try RunRecord(folder: folder))
    }

    var name: String {
      switch self {
      case .run(let run): run.name
      case .comparison(let comparison): comparison.name
      }
    }
  }

  private let subjects: [Subject]
  private let version: String

  /// - Parameters:
  ///   - subjects: the runs and comparisons, in order.
  ///   - version: the version of the program that writes the report.
  package init(_ subjects: [Subject], version: String) {
    self.subjects = subjects
    self.version = version
  }

  /// The page, as the text of a file.
  package var page: String { "<!DOCTYPE html>\n" + html.markup + "\n" }

  private var title: String { subjects.count == 1 ? subjects[0].name : "\(subjects.count) results side by side" }

  private static func id(_ index: Int) -> String { "part\(index + 1)" }

  private var html: HTML {
    let level = subjects.count == 1 ? 1 : 2
    let sections = subjects.enumerated().map { index, subject in
      let id = Self.id(index)
      return switch subject {
      case .run(let run): RunSection(run: run, id: id, version: version, level: level).html
      case .comparison(let record): ComparisonSection(record: record, id: id, version: version, level: level).html
      }
    }
    return tag(
      "html", ["lang": "en"],
      tag(
        "head", [:], tag("meta", ["charset": "utf-8"]),
        tag("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        tag("meta", ["name": "color-scheme", "content": "light dark"]),
        // Nothing is loaded and nothing but the one script runs, whatever the page contains.
        tag(
          "meta",
          [
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; style-src 'unsafe-inline'"
              + (hasScript ? "; script-src '\(scriptHash)'" : ""),
          ]),
        tag("meta", ["name": "generator", "content": "cpt \(version)"]), tag("title", [:], .text(title)),
        tag("style", [:], .text(styleSheet))),
      tag(
        "body", [:], tag("main", [:], [summary] + sections), hasScript ? tag("script", [:], .text(script)) : .group([]))
    )
  }

  /// Whether a part has a table of predictions.
  private var hasScript: Bool {
    subjects.contains { subject in
      if case .run(let run) = subject { run.evaluation?.tuned.predictions.isEmpty == false } else { false }
    }
  }

  /// All subjects in tables, each line a link to its part; empty if there is only one part.
  private var summary: HTML {
    if subjects.count < 2 { return .group([]) }
    var runs: [[HTML]] = [], comparisons: [[HTML]] = [], studies: [[HTML]] = []
    for (index, subject) in subjects.enumerated() {
      let link = tag("a", ["href": "#" + Self.id(index)], .text(subject.name))
      switch subject {
      case .run(let run): runs.append([link] + cells(of: run))
      case .comparison(let record) where record.hasConditions:
        studies += record.overall.map { one in
          [
            link, .text(one.model ?? ""), .text(TuningMethod.abbreviation(of: one.method)),
            .text(percentage(one.accuracy)),
            .text(fixed(one.rank, 2)), .text(one.difference.map(words) ?? ""), .text(String(one.conditions)),
          ]
        }
      case .comparison(let record):
        comparisons += record.summaries.map { summary in
          [
            link, .text(TuningMethod.abbreviation(of: summary.method)), .text(percentage(summary.accuracy.mean)),
            .text(summary.accuracy.standardDeviation.map { fixed(100 * $0, 1) } ?? "–"),
            .text(fixed(summary.macroF1.mean, 3)),
            .text(String(summary.seeds)),
          ]
        }
      }
    }
    let runTable = table(
      "Runs; a difference with its 95\u{A0}% interval is in percentage points",
      header: [
        "run", "rows", "method", "accuracy", "untrained", "difference", "macro-F1", "ECE", "seed", "steps",
        "time",
      ], rows: runs, text: [0, 1, 2])
    let comparisonTable = table(
      "Comparisons: means over seeds; sd: standard deviation, in percentage points",
      header: ["comparison", "method", "accuracy", "sd", "macro-F1", "seeds"], rows: comparisons, text: [0, 1])
    let studyTable = table(
      "Studies: means over the conditions of a model; the difference is the first method minus this one, in points",
      header: ["study", "model", "method", "accuracy", "rank", "difference", "conditions"], rows: studies,
      text: [0, 1, 2])
    return tag(
      "section", [:], heading(1, title), runs.isEmpty ? .group([]) : runTable,
      comparisons.isEmpty ? .group([]) : comparisonTable, studies.isEmpty ? .group([]) : studyTable)
  }

  private func cells(of run: RunRecord) -> [HTML] {
    func text(_ value: (EvaluationRecord) -> String) -> HTML { .text(run.evaluation.map(value) ?? "") }
    return [
      text(\.split.rawValue), .text(run.configuration.training.method.abbreviation),
      text { percentage($0.tuned.report.accuracy) },
      text { $0.untrained.map { percentage($0.report.accuracy) } ?? "" },
      text { $0.difference.map { "\(points($0.accuracy)) ± \(fixed(196 * $0.standardError, 1))" } ?? "" },
      text { fixed($0.tuned.report.macroF1, 3) },
      text { fixed($0.tuned.reliability.expectedCalibrationError, 3) },
      .text(String(run.configuration.training.seed)), .text(String(run.history.lastStep)),
      .text(duration(run.history.elapsedSeconds)),
    ]
  }
}
