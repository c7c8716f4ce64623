import Collectives
import Diagnostics
import Kernels
import Method
import Runs
import System

/// A tuned prompt with its model and its labels, ready to label texts.
package struct Classifier: Sendable {
  /// The labels, in the order of the scores.
  package var labels: [String] { encoder.labelNames }
  package let prompted: PromptedModel
  private let encoder: RowEncoder
  private let head: ClassifierHead?
  /// Whether a classifier head predicts, and not the words of labels.
  package var hasHead: Bool { head != nil }
  private let team: ThreadTeam
  private let ranks: Ranks

  /// Opens the model, adapter and labels of a configuration; if it lists no labels, they come from its training rows.
  ///
  /// - Throws: `InputError` for anything missing or wrong.
  package init(_ configuration: Configuration, adapter: Adapter, team: ThreadTeam, ranks: Ranks = .sole) throws {
    let labels = try configuration.data.labels(seed: configuration.training.seed)
    guard !labels.isEmpty else {
      throw InputError.badData(
        "data.label_words", "is missing, and the training rows hold tokens; expected a word for each label of a text")
    }
    prompted = try PromptedModel(configuration, adapter: adapter, team: team, ranks: ranks)
    encoder = prompted.rowEncoder(labels: labels, truncation: configuration.data.truncation)
    head = try adapter.head(
      for: configuration.training.method, labels: encoder.labelNames, decoder: prompted.model.decoder)
    self.team = team
    self.ranks = ranks
    try encoder.refuseLabelsThatBeginOthers(in: encoder.candidates(of: "any text", at: adapter.folder).candidates)
  }

  /// A hash of the model, the prompt and the labels.
  package var fingerprint: String {
    var fingerprint = Fingerprint()
    fingerprint.add(prompted.model.fingerprint)
    for label in labels { fingerprint.add(label) }
    for value in prompted.prompt.embeddings { fingerprint.add(value) }
    return fingerprint.text
  }

  private var evaluator: Evaluator {
    Evaluator(decoder: prompted.model.decoder, workspace: Workspace(), team: team, ranks: ranks, head: head)
  }

  /// The texts of a row, as ``InputColumns`` has them, as tokens, once with each label.
  ///
  /// - Throws: `InputError.badData` naming its place, when it does not fit the model.
  package func candidates(of texts: (text: String, columns: [String]), at place: String) throws -> CandidateRow {
    try encoder.candidates(of: texts.text, columns: texts.columns, at: place)
  }

  /// Computes the context and calls `body` with an empty pack and a function that scores packs by log probability.
  package func withScorer(
    _ body: (_ emptyPack: CandidatePack, _ scores: (CandidatePack) throws -> [CandidateScores]) -> Void
  ) {
    evaluator.withContext(of: prompted.prompt) { scorer in body(scorer.emptyPack, scorer.scores) }
  }

  /// Computes the context and calls `body` with an empty pack and a function that scores packs by a scoring; with several
  /// ranks, all call it with the same packs.
  ///
  /// - Throws: what `body` throws; the function throws `InputError` for a scoring that does not suit the template.
  package func withScorer(
    _ scoring: Scoring,
    _ body: (_ emptyPack: CandidatePack, _ scores: ([CandidatePack]) throws -> [CandidateScores]) throws -> Void
  ) throws {
    try evaluator.withContext(of: prompted.prompt) { scorer in
      let priors = scorer.priors(of: encoder)
      try body(scorer.emptyPack) { packs in
        try scorer.scores(of: packs).map { row in
          guard let scores = priors.scores(of: row, by: scoring) else { throw scoring.unavailable }
          return scores
        }
      }
    }
  }
}
