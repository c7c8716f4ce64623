import Diagnostics
import FileFormats
import System
import Tuning

/// The part of a report on one run.
struct RunSection {
  let run: RunRecord
  let id: String
  let version: String
  /// The level of the run's own heading; its sections are one level below.
  let level: Int

  var html: HTML {
    let context: HTML =
      run.context.map {
        .group([
          ContextSection(context: $0, level: level + 1).html, MapSection(context: $0, id: id, level: level + 1).html,
        ])
      }
      ?? .group([])
    let evaluation: HTML =
      run.evaluation.map {
        .group([
          EvaluationSection(evaluation: $0, id: id, level: level + 1).html,
          ChangesSection(evaluation: $0, level: level + 1).html,
          PredictionsSection(evaluation: $0, id: id, level: level + 1).html,
        ])
      } ?? .group([])
    return tag(
      "article", ["id": id], heading(level, run.name), tag("p", ["class": "lead"], .text(sentence)), tiles, facts,
      .group(gaps.map { tag("p", ["class": "gap"], .text($0)) }), evaluation,
      CurvesSection(run, id: id, level: level + 1).html, context,
      ProvenanceSection(run: run, version: version, level: level + 1).html)
  }

  /// The result, in words.
  private var sentence: String {
    var sentences: [String] = []
    if let evaluation = run.evaluation {
      let report = evaluation.tuned.report
      sentences.append(
        "\(evaluation.tuned.name) predicts the right label for \(percentage(report.accuracy)) of "
          + counted(report.rows, "\(evaluation.split.rawValue) row") + comparison(evaluation))
    }
    let steps = run.history.lastStep
    let best = run.history.evaluations.last { $0.step == run.bestStep }
    sentences.append(
      (run.isFinished
        ? "Training took \(counted(steps, "step"))"
        : "Training was interrupted after \(counted(steps, "step"))")
        + " in \(duration(run.history.elapsedSeconds))"
        + (run.stagnantEvaluations.map { ", and ended after \(counted($0, "evaluation")) without a better one" } ?? "")
        + (best.map {
          "; the best on validation rows is "
            + ($0.step == 0 ? "the prompt before training" : "the checkpoint of step \($0.step)")
            + " with \(percentage($0.accuracy))"
        } ?? "")
        + ".")
    return sentences.joined(separator: " ")
  }

  /// The comparison with the untrained context, in words.
  private func comparison(_ evaluation: EvaluationRecord) -> String {
    guard let untrained = evaluation.untrained, let difference = evaluation.difference else { return "." }
    let (low, high) = interval(difference)
    let gain = fixed(100 * abs(difference.accuracy), 1)
    let verdict =
      low > 0
      ? "tuning gained \(gain) points"
      : high < 0 ? "tuning cost \(gain) points" : "no clear difference, \(points(difference.accuracy)) points"
    let changes = evaluation.changes
    return ", the same context untrained for \(percentage(untrained.report.accuracy)): \(verdict) "
      + "(95\u{A0}% interval \(points(low)) to \(points(high))). \(counted(changes.toRight.count, "row")) went from "
      + "wrong to right, \(changes.toWrong.count) from right to wrong."
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
    let accuracies = evaluation.methods.reversed().map { method in
      let bounds = method.report.accuracyInterval
      let interval = "95\u{A0}%: \(fixed(100 * bounds.lowerBound, 1)) to \(fixed(100 * bounds.upperBound, 1))"
      return tile(
        "accuracy, \(method.name)", percentage(method.report.accuracy),
        "\(interval), macro-F1\u{A0}\(fixed(method.report.macroF1, 3))")
    }
    let differences = evaluation.difference.map { difference in
      let (low, high) = interval(difference)
      return [
        tile(
          "difference in points", points(difference.accuracy), "95\u{A0}%: \(points(low)) to \(points(high))")
      ]
    }
    let loss = tile(
      "loss, \(evaluation.tuned.name)", "\(number(evaluation.tuned.report.loss)) nats",
      evaluation.untrained.map { "\($0.name) \(number($0.report.loss))" } ?? "")
    return tag("dl", ["class": "tiles"], accuracies + (differences ?? []) + [loss])
  }

  /// The settings: model, context, data, training.
  private var facts: HTML {
    let configuration = run.configuration, data = configuration.data
    var facts = [("method", configuration.training.method.name)]
    facts.append(("model", configuration.baseModel.map(lastComponents) ?? "not named"))
    if let context = run.context {
      let examples = context.examples.count { $0.contains { context.tokens[$0].role == .label } }
      let holds = examples == 0 ? "" : ", " + counted(examples, "example")
      facts.append(("context", counted(context.tokens.count, "token") + holds))
    }
    if let labels = data.classes { facts.append(("labels", labels.map(\.label).joined(separator: ", "))) }
    facts.append(("trained on", data.train.map(lastComponent) ?? "not named"))
    if let file = run.split == .test ? data.test : data.validation {
      facts.append(("evaluated on", lastComponent(of: file)))
    }
    let training = configuration.training, radii = configuration.projection
    let balls = training.method == .cpt ? ", epsilon \(radii.input), of templates \(radii.format)" : ""
    facts.append(
      (
        "settings",
        "batch \(training.batchSize * training.accumulationSteps), learning rate \(training.learningRate), "
          + "seed \(training.seed)\(balls)"
      ))
    return tag("dl", ["class": "facts"], facts.flatMap { [tag("dt", [:], .text($0)), tag("dd", [:], .text($1))] })
  }

  /// The last two components of a path: models are often in a folder called "model".
  private func lastComponents(of path: String) -> String {
    path.split(separator: "/").suffix(2).joined(separator: "/")
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
      ? [
        "There are no test rows: predictions are on validation rows, which also selected the checkpoint, so the numbers are optimistic."
      ]
      : []
    let isOld = !run.isFinished || run.adapterStep < run.history.lastStep
    return split + (isOld ? ["The adapter shown is from step \(run.adapterStep) of \(run.history.lastStep)."] : [])
  }
}
