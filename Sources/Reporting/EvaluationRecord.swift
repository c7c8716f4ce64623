import ContextTuning
import Kernels

/// What a run's prompt says of the rows of a split, tuned and untrained.
public struct EvaluationRecord: Sendable {
  /// What one prompt says of the rows.
  public struct Method: Sendable {
    let predictions: [Prediction]
    public let report: ClassificationReport
    public let reliability: Reliability

    package init(_ predictions: [Prediction], labels: [String]) {
      self.predictions = predictions
      report = ClassificationReport(predictions, labels: labels)
      reliability = Reliability(predictions)
    }
  }

  let split: Dataset.Split
  let labels: [String]
  /// The rows' texts; nil for rows that are tokens.
  let texts: [String?]
  /// Context-aware prompt tuning.
  public let tuned: Method
  /// In-context learning: the same context, untrained.
  public let untrained: Method
  public let difference: PairedDifference

  /// - Precondition: both predict the same rows, whose texts these are.
  package init(
    split: Dataset.Split, labels: [String], texts: [String?], tuned: [Prediction], untrained: [Prediction]
  ) {
    precondition(texts.count == tuned.count)
    self.split = split
    self.labels = labels
    self.texts = texts
    self.tuned = Method(tuned, labels: labels)
    self.untrained = Method(untrained, labels: labels)
    difference = PairedDifference(tuned, minus: untrained)
  }

  /// Predicts the rows of a split with the experiment's prompt and with the untrained one.
  ///
  /// - Throws: `InputError.badData` naming a row.
  init(_ experiment: Experiment, split: Dataset.Split, progress: (String) -> Void) throws {
    let examples = try experiment.examples(of: split)
    let evaluator = Evaluator(decoder: experiment.model.decoder, workspace: Workspace(), team: experiment.team)
    func predict(_ name: String, _ prompt: TunedPrompt) throws -> [Prediction] {
      try evaluator.predict(examples, prompt: prompt) { progress("\(name), \($0) of \(examples.count) rows") }
    }
    let texts = experiment.dataset[split].map { row -> String? in
      if case .text(let text, _) = row.content { text } else { nil }
    }
    self.init(
      split: split, labels: experiment.encoder.labelNames, texts: texts,
      tuned: try predict("CPT", experiment.startingPrompt),
      untrained: try predict("ICL", experiment.startingPrompt.untrained))
  }

  /// The rows whose side changed: their indices, first those that tuning put right.
  var changes: (toRight: [Int], toWrong: [Int]) {
    func isRight(_ method: Method, _ index: Int) -> Bool {
      method.predictions[index].predicted == method.predictions[index].label
    }
    let changed = texts.indices.filter { isRight(tuned, $0) != isRight(untrained, $0) }
    return (changed.filter { isRight(tuned, $0) }, changed.filter { !isRight(tuned, $0) })
  }
}
