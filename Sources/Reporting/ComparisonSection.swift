import Diagnostics
import FileFormats
import Insights
import Method
import Runs
import System

/// The part of a report on one comparison.
struct ComparisonSection {
  let record: ComparisonRecord
  let id: String
  let version: String
  /// The level of the comparison's own heading; its sections are one level below.
  let level: Int

  private var comparison: Comparison { record.comparison }

  var html: HTML {
    let differences = DifferencesSection(record: record, id: id, level: level + 1).html
    let methods = MethodsSection(record: record, level: level + 1)
    let study = StudySection(record: record, id: id, level: level + 1)
    let results =
      record.hasConditions
      ? [StudyResultSection(record: record, level: level + 1).html, study.accuracies, study.heatMaps, differences]
        + [study.losses]
      : [spread, differences, confusions, curves]
    return tag(
      "article", ["id": id],
      [heading(level, record.name), tag("p", ["class": "lead"], .text(sentence))]
        + gaps.map { tag("p", ["class": "gap"], .text($0)) } + results + [methods.html, cells, provenance])
  }

  /// What is compared; under one condition, the result, too.
  private var sentence: String {
    guard let best = record.summaries.max(by: { $0.accuracy.mean < $1.accuracy.mean }) else {
      return "No cell is finished yet."
    }
    let draws = comparison.seeds.count == 1 ? "which draws" : "each of which draws"
    let seeds = "over \(counted(comparison.seeds.count, "seed")), \(draws) context, training rows and order"
    if record.hasConditions {
      return
        "On the \(comparison.split.rawValue) rows, \(seeds), \(inWords(comparison.methods.map(TuningMethod.abbreviation(of:)))) are compared "
        + "under \(counted(comparison.conditions.count, "condition")): \(axes)."
    }
    let others = record.summaries.filter { $0.method != best.method }.map {
      "\(TuningMethod.abbreviation(of: $0.method)) \(percentage($0.accuracy.mean))"
    }
    return
      "On the \(comparison.split.rawValue) rows, \(seeds), \(TuningMethod.abbreviation(of: best.method)) predicts the right label for "
      + "\(percentage(best.accuracy.mean)) on average, worst \(percentage(best.accuracy.worst))"
      + (others.isEmpty ? "." : "; \(others.joined(separator: ", ")).")
  }

  /// The values of the conditions: "models a and b; tasks c and d".
  private var axes: String {
    func values(_ noun: String, _ value: (Condition) -> String?) -> String? {
      let names = comparison.conditions.grouped(by: value).compactMap(\.part)
      return names.isEmpty ? nil : "\(noun)\(names.count == 1 ? "" : "s") \(inWords(names))"
    }
    let shots = Set(comparison.conditions.compactMap(\.shots)).sorted().map(String.init)
    return [
      values("model") { $0.model }, values("task") { $0.task }, values("template") { $0.template },
      shots.isEmpty ? nil : "\(inWords(shots)) labelled rows of each label",
    ].compactMap { $0 }.joined(separator: "; ")
  }

  /// The missing parts, and why.
  private var gaps: [String] {
    let planned = comparison.conditions.count * comparison.methods.count * comparison.seeds.count
    let missing = comparison.missingCells
    return missing == 0
      ? []
      : [
        "\(missing) of \(counted(planned, "cell")) \(missing == 1 ? "is" : "are") not finished; continue with cpt compare --resume."
      ]
  }

  private var spread: HTML {
    if record.summaries.isEmpty { return .group([]) }
    let rows: [[HTML]] = record.summaries.map { summary in
      [
        .text(TuningMethod.abbreviation(of: summary.method)), .text(String(summary.seeds)),
        .text(percentage(summary.accuracy.mean)),
        .text(summary.accuracy.standardDeviation.map { fixed(100 * $0, 1) } ?? "–"),
        .text(percentage(summary.accuracy.worst)),
        .text(percentage(summary.accuracy.best)), .text(fixed(summary.macroF1.mean, 3)),
        .text(summary.macroF1.standardDeviation.map { fixed($0, 3) } ?? "–"),
      ]
    }
    return tag(
      "section", [:], heading(level + 1, "Accuracy over seeds"),
      StripPlot(
        id: id + "-seeds", title: "Accuracy over seeds",
        rows: record.summaries.map { summary in
          StripPlot.Row(
            name: name(ofMethod: summary.method), mean: summary.accuracy.mean,
            deviation: summary.accuracy.standardDeviation,
            values: comparison.cells.filter { $0.method == summary.method }.map { ("seed \($0.seed)", $0.accuracy) })
        }
      ).html,
      table(
        "sd: standard deviation of the sample, of accuracies in percentage points",
        header: ["method", "seeds", "accuracy", "sd", "worst", "best", "macro-F1", "sd"], rows: rows))
  }

  private var confusions: HTML {
    if record.confusions.isEmpty { return .group([]) }
    return tag(
      "section", [:], heading(level + 1, "Confusions"),
      paragraph("Summed over seeds." + confusionKey(labels: record.confusions.first?.labels ?? [])),
      tag(
        "div", ["class": "pair"],
        record.confusions.map {
          Reporting.confusions(
            $0.counts, labels: $0.labels,
            of: "\(TuningMethod.abbreviation(of: $0.method)), \(counted($0.cells, "seed"))")
        }))
  }

  private var curves: HTML {
    let charts = comparison.methods.enumerated().flatMap { curves(of: $1, id: "\(id)-method\($0)") }
    if charts.isEmpty { return .group([]) }
    return tag(
      "section", [:], heading(level + 1, "Training"), tag("div", ["class": "charts"], charts.map(\.html)))
  }

  /// The curves of a method, one line for each seed; none if it takes no steps.
  private func curves(of name: String, id: String) -> [LineChart] {
    let method = TuningMethod.abbreviation(of: name)
    let histories = record.histories.filter { $0.cell.method == name && $0.history.lastStep > 0 }
    if histories.isEmpty { return [] }
    func series(
      _ look: LineChart.Series.Look, isNoisy: Bool, of points: (RunHistory) -> [(step: Int, value: Double)]
    ) -> [LineChart.Series] {
      histories.enumerated().map { index, one in
        let points = points(one.history)
        let width = isNoisy ? runningMeanWidth(of: points.count) : 1
        return LineChart.Series(
          name: "seed \(one.cell.seed)", colour: index, look: look,
          points: thinned(width < 3 ? points : runningMean(of: points, width: width)))
      }
    }
    return [
      LineChart(
        id: id + "-loss", title: "\(method): training loss (nats)",
        series: series(.line, isNoisy: true) { $0[\StepMetrics.loss] },
        scale: .logarithmicIfWide, note: "Means of neighbouring steps."),
      LineChart(
        id: id + "-accuracy", title: "\(method): validation accuracy",
        series: series(.dashed, isNoisy: false) { $0[\EvaluationMetrics.accuracy] }, arePercentages: true,
        reaching: [0, 1]),
    ]
  }

  private var cells: HTML {
    if comparison.cells.isEmpty { return .group([]) }
    let conditions = record.hasConditions ? ["condition"] : []
    return tag(
      "section", [:], heading(level + 1, "Every cell"),
      details(
        "\(counted(comparison.cells.count, "cell")) as a table",
        table(
          "Methods by seed; losses in nats",
          header: (conditions + [
            "method", "seed", "accuracy", "± (95\u{A0}%)", "macro-F1", "loss", "training loss", "labelled rows",
            "training",
          ]).map { .text($0) },
          rows: comparison.cells.map { cell in
            (record.hasConditions ? [.text(record.name(of: cell.condition))] : []) + [
              .text(TuningMethod.abbreviation(of: cell.method)), .text(String(cell.seed)),
              .text(percentage(cell.accuracy)),
              .text(fixed(196 * cell.accuracyStandardError, 1)), .text(fixed(cell.macroF1, 3)),
              .text(number(cell.loss)), .text(cell.trainingLoss.map(number) ?? "–"),
              .text(String(cell.rowsLearntFrom)),
              .text(record.times[cell.folder].map { duration($0.trainingSeconds) } ?? "–"),
            ]
          }, text: record.hasConditions ? [0, 1] : [0])))
  }

  private var provenance: HTML {
    let facts = [
      ("comparison", absolutePath(record.path)),
      (comparison.isStudy ? "study" : "configuration", comparison.configuration),
      ("seeds", comparison.seeds.map(String.init).joined(separator: ", ")), ("threads", String(comparison.threads)),
      ("report by", "cpt \(version)"),
    ]
    return tag(
      "section", [:], heading(level + 1, "Provenance"),
      details(
        "Files, and the command that repeats the comparison",
        tag("dl", ["class": "facts"], facts.flatMap { [tag("dt", [:], .text($0)), tag("dd", [:], .text($1))] }),
        tag("pre", [:], tag("code", [:], .text(command)))),
      record.configuration.map {
        details(
          "Resolved configuration of the first cell", tag("pre", [:], tag("code", [:], .text($0.resolvedJSON.pretty))))
      } ?? .group([]))
  }

  private var command: String {
    let file = shellWord(comparison.configuration)
    let methods = comparison.methods.map(shellWord).joined(separator: ",")
    return
      (comparison.isStudy
      ? "cpt compare --study \(file)"
      : "cpt compare --config \(file) --methods \(methods) --seeds \(comparison.seeds.count)")
      + " --output NEW-FOLDER" + comparison.settings.map { " --set \(shellWord($0))" }.joined()
  }
}

/// The name of a method in words, or a name of its own.
private func name(ofMethod name: String) -> String { TuningMethod(rawValue: name)?.name ?? name }

extension TuningMethod {
  /// The method in words, followed by its abbreviation.
  var name: String {
    let words =
      switch self {
      case .cpt: "context-aware prompt tuning"
      case .icl: "in-context learning"
      case .promptTuning: "prompt tuning"
      case .instructionPromptTuning: "instruction prompt tuning"
      case .head: "classifier head"
      }
    return "\(words) (\(abbreviation))"
  }
}
