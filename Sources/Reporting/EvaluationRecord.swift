import Kernels
import Method
import Runs
import Tuning

/// The predictions of a run's tuned prompt for the rows of a split, and of the untrained prompt if anything was tuned.
package struct EvaluationRecord: Sendable {
  /// The predictions of one prompt.
  package struct Method: Sendable {
    /// Its short name: "CPT".
    let name: String
    let predictions: [Prediction]
    package let report: ClassificationReport
    package let reliability: Reliability

    init(_ name: String, _ predictions: [Prediction], labels: [String]) {
      self.name = name
      self.predictions = predictions
      report = ClassificationReport(predictions, labels: labels)
      reliability = Reliability(predictions)
    }
  }

  let split: Split
  let labels: [String]
  package let tuned: Method
  /// The same context before training: for CPT, in-context learning.
  package let untrained: Method?
  /// The difference of the accuracies, tuned minus untrained.
  package let difference: PairedDifference?

  /// - Precondition: both predict the same rows.
  package init(
    split: Split, labels: [String], method: TuningMethod, tuned: [Prediction], untrained: [Prediction]?
  ) {
    self.split = split
    self.labels = labels
    self.tuned = Method(method.abbreviation, tuned, labels: labels)
    self.untrained = untrained.map {
      Method(
        method == .cpt || method == .head ? TuningMethod.icl.abbreviation : "untrained", $0, labels: labels)
    }
    difference = untrained.map { PairedDifference(tuned, minus: $0) }
  }

  /// Takes the kept predictions of a split, or predicts its rows with the adapter's prompt and with the untrained one.
  ///
  /// - Throws: `InputError.badData` naming a row.
  init(
    _ setup: EvaluationSetup, split: Split, kept: [PredictionRecord]?, progress: (RunRecord.Activity) -> Void
  ) throws {
    let examples = setup.examples
    var isAnnounced = false
    func predict(
      _ name: String, _ prompt: TunedPrompt, _ head: ClassifierHead?, kept: (PredictionRecord) -> LabelScores?
    ) throws -> [Prediction] {
      if let scores = keptScores(kept) { return scores.indices.map { setup.prediction(of: $0, scores[$0]) } }
      if !isAnnounced { progress(.predicts(rows: examples.count)) }
      isAnnounced = true
      let evaluator = Evaluator(decoder: setup.model.decoder, workspace: Workspace(), team: setup.team, head: head)
      return try evaluator.predict(examples, prompt: prompt) { progress(.rows(name, done: $0, of: examples.count)) }
    }
    /// The scores of every row; nil if one has none.
    func keptScores(_ scores: (PredictionRecord) -> LabelScores?) -> [LabelScores]? {
      kept.flatMap { lines in
        let found = lines.compactMap(scores)
        return found.count == examples.count ? found : nil
      }
    }
    let method = setup.configuration.training.method, prompt = setup.prompt
    self.init(
      split: split, labels: setup.encoder.labelNames, method: method,
      tuned: try predict(method.abbreviation, prompt, setup.head) { $0.tuned.logProbabilities },
      untrained: method.takesSteps || setup.hasInContextLearning
        ? try predict("untrained", prompt.untrained, nil) { $0.baselineLogProbabilities } : nil)
  }

  /// Its predictions as they are kept.
  var lines: [PredictionRecord] {
    tuned.predictions.indices.map { row in
      PredictionRecord(tuned.predictions[row], baseline: untrained?.predictions[row], labels: labels)
    }
  }

  /// Whether kept predictions lack some of its own.
  func hasMore(than kept: [PredictionRecord]?) -> Bool {
    guard let kept else { return true }
    return untrained != nil && kept.contains { $0.baselineLogProbabilities == nil }
  }

  /// The untrained prompt's, if there is one, then the tuned prompt's.
  var methods: [Method] { (untrained.map { [$0] } ?? []) + [tuned] }

  /// The indices of the rows that tuning corrected, and of those it got wrong.
  var changes: (toRight: [Int], toWrong: [Int]) {
    guard let untrained else { return ([], []) }
    func isRight(_ method: Method, _ index: Int) -> Bool {
      method.predictions[index].predicted == method.predictions[index].label
    }
    let changed = tuned.predictions.indices.filter { isRight(tuned, $0) != isRight(untrained, $0) }
    return (changed.filter { isRight(tuned, $0) }, changed.filter { !isRight(tuned, $0) })
  }
}
