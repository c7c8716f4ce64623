import ContextTuning
import FileFormats

/// All that a report says of one run.
struct RunSection {
  let run: RunRecord
  let id: String
  let version: String

  var html: HTML {
    let context: HTML =
      run.context.map { .group([ContextSection(context: $0).html, MapSection(context: $0, id: id).html]) }
      ?? .group([])
    let evaluation: HTML =
      run.evaluation.map {
        .group([EvaluationSection(evaluation: $0, id: id).html, ChangesSection(evaluation: $0).html])
      } ?? .group([])
    return tag(
      "article", ["id": id], heading(2, run.name), tag("p", ["class": "lead"], .text(sentence)), tiles, facts,
      .group(gaps.map { tag("p", ["class": "gap"], .text($0)) }), evaluation, CurvesSection(run, id: id).html, context,
      ProvenanceSection(run: run, version: version).html)
  }

  /// What happened, in words.
  private var sentence: String {
    var sentences: [String] = []
    if let evaluation = run.evaluation {
      let tuned = evaluation.tuned.report, untrained = evaluation.untrained.report
      let (low, high) = interval(evaluation.difference)
      let gain =
        low > 0
        ? "tuning gained \(points(evaluation.difference.accuracy)) points"
        : high < 0
          ? "tuning cost \(points(evaluation.difference.accuracy)) points"
          : "no clear difference (\(points(evaluation.difference.accuracy)) points)"
      sentences.append(
        "On \(counted(tuned.rows, "\(evaluation.split.rawValue) row")) the tuned context names the right label for "
          + "\(percentage(tuned.accuracy)), the same context untrained for \(percentage(untrained.accuracy)): "
          + "\(gain), 95\u{A0}% interval \(points(low)) to \(points(high)).")
      let changes = evaluation.changes
      sentences.append(
        "\(counted(changes.toRight.count, "row")) went from wrong to right, \(changes.toWrong.count) from right to wrong."
      )
    }
    let steps = run.history.lastStep
    let best = run.history["eval_accuracy"].last { $0.step == run.bestStep }
    sentences.append(
      (run.isFinished
        ? "Training took \(counted(steps, "step"))"
        : "Training has stopped after \(counted(steps, "step")), before its end,")
        + " in \(duration(run.history.elapsedSeconds))"
        + (best.map { "; the best checkpoint on validation rows is step \($0.step) with \(percentage($0.value))" } ?? "")
        + ".")
    return sentences.joined(separator: " ")
  }

  private func interval(_ difference: PairedDifference) -> (low: Double, high: Double) {
    let half = 1.96 * difference.standardError
    return (difference.accuracy - half, difference.accuracy + half)
  }

  /// The headline numbers.
  private var tiles: HTML {
    guard let evaluation = run.evaluation else { return .group([]) }
    func tile(_ name: String, _ value: String, _ detail: String) -> HTML {
      tag(
        "div", [:], tag("dt", [:], .text(name)),
        tag("dd", [:], tag("strong", [:], .text(value)), tag("span", [:], .text(detail))))
    }
    func accuracy(_ name: String, _ report: ClassificationReport) -> HTML {
      tile(
        name, percentage(report.accuracy),
        "± \(percentage(1.96 * report.accuracyStandardError)), macro-F1 \(fixed(report.macroF1, 3))")
    }
    let (low, high) = interval(evaluation.difference)
    return tag(
      "dl", ["class": "tiles"], accuracy("accuracy, CPT", evaluation.tuned.report),
      accuracy("accuracy, ICL", evaluation.untrained.report),
      tile(
        "difference", "\(points(evaluation.difference.accuracy)) points", "95\u{A0}%: \(points(low)) to \(points(high))"),
      tile(
        "loss, CPT", number(evaluation.tuned.report.loss), "nats; ICL \(number(evaluation.untrained.report.loss))"))
  }

  /// What was trained over what.
  private var facts: HTML {
    let configuration = run.configuration, data = configuration.data
    var facts = [("method", "context-aware prompt tuning (CPT)")]
    facts.append(("model", configuration.baseModel.map(lastComponent) ?? "not named"))
    if let context = run.context {
      facts.append(
        ("context", "\(counted(context.tokens.count, "token")), \(counted(context.examples.count, "example"))"))
    }
    if let labels = data.labelWords { facts.append(("labels", labels.map(\.label).joined(separator: ", "))) }
    facts.append(("trained on", data.train.map(lastComponent) ?? "not named"))
    if let file = run.split == .test ? data.test : data.validation { facts.append(("evaluated on", lastComponent(of: file))) }
    let training = configuration.training
    facts.append(
      (
        "settings",
        "batch \(training.batchSize * training.accumulationSteps), learning rate \(scientific(training.learningRate)), "
          + "seed \(training.seed), radius \(number(configuration.projection.input)) "
          + "(templates \(number(configuration.projection.format)))"
      ))
    return tag("dl", ["class": "facts"], facts.flatMap { [tag("dt", [:], .text($0)), tag("dd", [:], .text($1))] })
  }

  /// Why parts of the report are missing.
  private var gaps: [String] {
    if run.adapterFolder == nil {
      return ["The run has written no adapter yet, so context, map and predictions are missing."]
    }
    if run.evaluation == nil {
      return [
        run.split == nil
          ? "The run’s configuration names no test or validation rows, so predictions are missing."
          : "The report was made without evaluating rows (--no-eval), so predictions are missing."
      ]
    }
    let split: [String] =
      run.split == .validation
      ? ["There are no test rows: predictions are on validation rows, which have chosen the checkpoint and look better than new rows."]
      : []
    let isOld = !run.isFinished || run.adapterStep < run.history.lastStep
    return split + (isOld ? ["The adapter shown is that of step \(run.adapterStep) of \(run.history.lastStep)."] : [])
  }
}
