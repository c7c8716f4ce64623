import Runs

/// The training curves: loss, accuracy, learning rate and gradient over the steps.
struct CurvesSection {
  private let history: RunHistory
  private let id: String
  private let level: Int
  /// The step of the best checkpoint.
  private let bestStep: Int?
  private let maxGradientNorm: Double?

  init(_ run: RunRecord, id: String, level: Int) {
    history = run.history
    self.id = id
    self.level = level
    bestStep = history.evaluations.isEmpty ? nil : run.bestStep
    maxGradientNorm = run.configuration.training.maxGradientNorm
  }

  var html: HTML {
    if history.lastStep == 0 {
      return tag("section", [:], heading(level, "Training"), paragraph("No step was taken, so there are no curves."))
    }
    let hasValidation = !history.evaluations.isEmpty
    let best = bestStep.map { (step: $0, name: "best on validation: " + ($0 == 0 ? "untrained" : "step \($0)")) }
    let clipping = maxGradientNorm.map { "Before clipping to \($0)." } ?? "Not clipped."
    let charts = [
      LineChart(
        id: id + "-loss", title: "Loss (nats)",
        series: measured(\.loss, "training") + validation(\.loss, "validation"), scale: .logarithmicIfWide,
        event: best,
        note:
          "Training: weighted mean over all label tokens, including the context’s. Validation: whole labels, unweighted."
      ),
      LineChart(
        id: id + "-accuracy", title: "Accuracy",
        series: measured(\.labelAccuracy, "training label tokens") + validation(\.accuracy, "validation rows"),
        arePercentages: true, reaching: [0, 1], event: best),
      LineChart(
        id: id + "-rate", title: "Learning rate",
        series: [
          .init(name: "learning rate", colour: 0, look: .line, points: thinned(history[\StepMetrics.learningRate]))
        ]),
      LineChart(
        id: id + "-gradient", title: "Gradient norm", series: measured(\.gradientNorm, "gradient"),
        scale: .logarithmicIfWide, note: clipping),
    ]
    return tag(
      "section", [:], heading(level, "Training"),
      hasValidation
        ? .group([]) : paragraph("The run has no validation rows, so there are no validation curves."),
      tag("div", ["class": "charts"], charts.map(\.html)), details("The numbers behind the curves", numbers))
  }

  /// A noisy metric: its measurements as dots, and their running mean.
  private func measured(_ quantity: KeyPath<StepMetrics, Double>, _ name: String) -> [LineChart.Series] {
    let points = history[quantity]
    let width = runningMeanWidth(of: points.count)
    if width < 3 { return [.init(name: name, colour: 0, look: .line, points: points)] }
    return [
      .init(name: "\(name), single steps", colour: 0, look: .dots, points: thinned(points)),
      .init(
        name: "\(name), mean of \(width) steps", colour: 0, look: .line,
        points: thinned(runningMean(of: points, width: width))),
    ]
  }

  private func validation(_ quantity: KeyPath<EvaluationMetrics, Double>, _ name: String) -> [LineChart.Series] {
    let points = history[quantity]
    return points.isEmpty ? [] : [.init(name: name, colour: 1, look: .dashed, points: thinned(points))]
  }

  /// The steps with an evaluation, or some spread evenly over the run.
  private var numbers: HTML {
    let columns = [
      ("loss", history[\StepMetrics.loss]), ("label accuracy", history[\StepMetrics.labelAccuracy]),
      ("learning rate", history[\StepMetrics.learningRate]), ("gradient norm", history[\StepMetrics.gradientNorm]),
      ("validation loss", history[\EvaluationMetrics.loss]),
      ("validation accuracy", history[\EvaluationMetrics.accuracy]),
      ("validation macro-F1", history[\EvaluationMetrics.macroF1]),
    ].map { name, points in
      (name: name, values: Dictionary(points.map { ($0.step, $0.value) }) { $1 })
    }.filter { !$0.values.isEmpty }
    let evaluated = history.evaluations.map(\.step)
    // Every run evaluates before its first step and after its last one.
    let all = evaluated.count > 2 ? evaluated : Set(evaluated + history.steps.map(\.step)).sorted()
    let steps = Set(thinned(all, to: 30) + [history.lastStep]).sorted()
    return table(
      steps.count < all.count ? "Metrics at some of the steps" : "Metrics by step",
      header: ["step"] + columns.map { .text($0.name) },
      rows: steps.map { step in
        [.text(String(step))] + columns.map { .text($0.values[step].map(number) ?? "") }
      }, text: [])
  }
}

/// The width of a running mean: a twenty-fifth of the points, an odd number; none below 3.
func runningMeanWidth(of count: Int) -> Int { count / 25 / 2 * 2 + 1 }

/// The mean of `width` points around each point; fewer at the ends.
package func runningMean(of points: [(step: Int, value: Double)], width: Int) -> [(step: Int, value: Double)] {
  var sums = [0.0], sum = 0.0
  for point in points {
    sum += point.value
    sums.append(sum)
  }
  return points.indices.map { index in
    let first = max(0, index - width / 2), end = min(points.count, index + width / 2 + 1)
    return (points[index].step, (sums[end] - sums[first]) / Double(end - first))
  }
}

/// At most `limit` elements, evenly spaced, including the first.
package func thinned<Element>(_ elements: [Element], to limit: Int = 800) -> [Element] {
  let every = (elements.count + limit - 1) / limit
  return every < 2 ? elements : stride(from: 0, to: elements.count, by: every).map { elements[$0] }
}
