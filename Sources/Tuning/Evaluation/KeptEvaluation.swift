import Diagnostics
import FileFormats
import Method
import Runs
import System

/// What an evaluation in a run's folder is of, and its results; its predictions are in a file of `PredictionRecord`s
/// beside it.
package struct KeptEvaluation: Sendable {
  /// The folder of the adapter: "best", "checkpoint-7"; "last" is the adapter after the last step.
  package fileprivate(set) var checkpoint = ""
  /// Optimiser steps before it; nil if its folder does not say.
  package fileprivate(set) var step: Int?
  /// The evaluated split; with `data`, the file in place of the test rows.
  package fileprivate(set) var split = Split.test
  /// The absolute path of the evaluated file, if it is in place of a split.
  package fileprivate(set) var data: String?
  /// What ranks the labels of the predictions.
  package fileprivate(set) var scoring = Scoring.acc
  package fileprivate(set) var rows = 0
  /// `EvaluationSetup.fingerprint`.
  package fileprivate(set) var fingerprint = ""
  /// What `cpt eval --json` printed; nil if a report made the predictions.
  package fileprivate(set) var results: JSON?

  /// An evaluation of an adapter; the folder it belongs to fills in the checkpoint.
  package init(
    of setup: EvaluationSetup, split: Split, data: String? = nil, scoring: Scoring = .acc, results: JSON? = nil
  ) {
    self.split = split
    self.data = data.map(absolutePath)
    self.scoring = scoring
    rows = setup.examples.count
    fingerprint = setup.fingerprint
    self.results = results
  }

  /// The name of its files, without their extensions.
  fileprivate var name: String {
    let rows = data.map { "data-\(Fingerprint(of: $0).text)" } ?? split.rawValue
    return "\(checkpoint)-\(rows)-\(scoring.rawValue)"
  }
}

extension KeptEvaluation: Record {
  package init() {}

  package static let fields: [Field<KeptEvaluation>] = [
    Field(
      "checkpoint", \.checkpoint, .text, "folder of the adapter inside the run's; \"last\": that after the last step"),
    .optional("step", \.step, .integer(from: 0), "optimiser steps before it"),
    Field("split", \.split, .choice, "the evaluated rows"),
    .optional("data", \.data, .text, "the file of --data, evaluated in place of a split"),
    Field("scoring", \.scoring, .choice, "what ranks the labels of the predictions"),
    Field("rows", \.rows, .integer(from: 0), "number of rows"),
    Field(
      "fingerprint", \.fingerprint, .text,
      "hash of the rows' tokens and labels, the prompt, the classifier and the model: another one makes the file out of "
        + "date"),
    .optional("results", \.results, .anything, "what cpt eval --json printed"),
  ]
}

/// The evaluations that a run's folder keeps, in its folder `evaluations`: one for each checkpoint, rows and scoring.
package struct KeptEvaluations {
  private let run: RunDirectory
  private let checkpoint: String
  private let step: Int?

  /// Those of an adapter's run; nil if it is not in the folder of a run.
  package init?(of adapter: Adapter) {
    let folder = absolutePath(adapter.folder)
    let owner = RunDirectory.ofCheckpoint(folder)
    run = RunDirectory(owner)
    guard run.holdsRun else { return nil }
    checkpoint = owner == folder ? "last" : lastComponent(of: folder)
    step = (try? run.state(of: folder))?.step
  }

  private func file(_ name: String, _ kind: String) -> String { "\(run.evaluations)/\(name).\(kind)" }

  /// Writes an evaluation and its predictions, in place of an earlier one of the same name.
  ///
  /// - Throws: `InputError.failure` when the folder cannot be written.
  package func keep(_ evaluation: KeptEvaluation, _ predictions: [PredictionRecord]) throws {
    var evaluation = evaluation
    evaluation.checkpoint = checkpoint
    evaluation.step = step
    let name = evaluation.name
    if evaluation.results == nil, let earlier = try? KeptEvaluation(file: file(name, "json")),
      earlier.fingerprint == evaluation.fingerprint
    {
      evaluation.results = earlier.results
    }
    try makeDirectory(run.evaluations)
    // Without the first of the files, the second counts for nothing.
    try removeRecursively(file(name, "json"))
    try writeAtomically(predictions.map { $0.json.compact + "\n" }.joined(), to: file(name, "jsonl"))
    try writeAtomically(evaluation.json.pretty + "\n", to: file(name, "json"))
  }

  /// The predictions for the rows of a setup, if they are kept; those with the untrained prompt's, if there are any.
  package func predictions(of setup: EvaluationSetup) -> [PredictionRecord]? {
    let fingerprint = setup.fingerprint
    var found: [PredictionRecord]?
    for name in names(inDirectory: run.evaluations) where name.hasSuffix(".json") {
      // A file that cannot be read is as good as none: the rows are predicted again.
      guard let evaluation = try? KeptEvaluation(file: run.evaluations + "/" + name),
        evaluation.fingerprint == fingerprint,
        let records = try? PredictionRecord.read(file: run.evaluations + "/" + name + "l"),
        records.count == setup.examples.count,
        records.allSatisfy({ $0.tuned.logProbabilities.labels == setup.encoder.labelNames })
      else { continue }
      if found == nil || records.allSatisfy({ $0.baselineLogProbabilities != nil }) { found = records }
    }
    return found
  }
}

extension EvaluationSetup {
  /// A hash of all that predictions depend on: the rows' tokens with every label, the prompt before and after training,
  /// the classifier, the model.
  package var fingerprint: String {
    var fingerprint = Fingerprint()
    func add(_ values: [Float]) {
      fingerprint.add(values.count)
      for value in values { fingerprint.add(value) }
    }
    func add(_ tokens: TypedTokens) {
      for value in tokens.ids + tokens.types + [-1] { fingerprint.add(value) }
    }
    fingerprint.add(model.fingerprint)
    for label in encoder.labelNames { fingerprint.add(label) }
    add(prompt.context.tokens)
    add(prompt.initial)
    add(prompt.embeddings)
    for values in head.map({ [$0.weight, $0.bias, $0.mean, $0.deviation, [Float($0.fit.temperature)]] }) ?? [] {
      add(values)
    }
    for example in examples {
      fingerprint.add(example.label)
      for candidate in example.candidates { add(candidate) }
    }
    return fingerprint.text
  }

  /// A row's prediction from its kept log probabilities.
  package func prediction(of row: Int, _ logProbabilities: LabelScores) -> Prediction {
    let example = examples[row]
    return Prediction(
      place: example.place, text: example.row.text,
      candidates: CandidateScores(
        logProbabilities: logProbabilities.values, tokenCounts: example.candidates.map { $0.labelPositions.count }),
      label: example.label)
  }
}
