import Diagnostics
import FileFormats
import Glibc
import Insights
import Kernels
import Method
import Runs
import System
import Testing
import TestSupport
import Tuning

@Suite struct PromptGeometryTests {
  private func prompt(delta: [Float]) -> TunedPrompt {
    var radii = ProjectionRadii()
    radii.input = 0.2
    radii.format = 0.1
    return TunedPrompt(
      context: Context(tokenIDs: [1, 2, 3, 4, 5, 6], mask: nil, types: [1, 2, 2, 3, 4, 0]),
      initial: [Float](repeating: 1, count: 24), delta: delta, radii: radii, width: 4)
  }

  /// NumPy 2.4.6: d = (0.005 * np.sin(np.arange(24.0) ** 2)).reshape(6, 4); d[4:] = 0; each row scaled to at most 0.1
  /// (rows 1 and 2: 0.2) times sqrt(4 / 2048); np.linalg.norm, np.linalg.svd; p = s / s.sum(), exp(-sum(p log p)).
  @Test func equalsNumPy() throws {
    let delta = (0..<24).map { $0 < 16 ? 0.005 * Float(sin(Double($0 * $0))) : 0 }
    let geometry = try #require(PromptGeometry(prompt(delta: delta).projected))
    #expect(relativeDifference(geometry.singularValues, [0.00896576, 0.00682475, 0.00493552, 0.00011798]) < 1e-5)
    #expect(abs(geometry.effectiveRank / 3.0007237937 - 1) < 1e-5)
    #expect(geometry.drifts.map(\.role) == [.none, .inputTemplate, .input, .outputTemplate, .label])
    let input = geometry.drifts[2]
    #expect(input.tokens == 2 && input.onSurface == 0 && input.outside == 0)
    #expect(abs(input.mean / ((0.00705988 + 0.00790134) / 2) - 1) < 1e-5)
    #expect(abs(input.largest / 0.00790134 - 1) < 1e-5)
    #expect(try abs(#require(input.radius) / 0.00883883 - 1) < 1e-5)
    for drift in [geometry.drifts[1], geometry.drifts[3]] {
      #expect(drift.onSurface == 1 && abs((drift.shareOfRadius ?? 0) - 1) < 1e-5)
    }
    for drift in [geometry.drifts[0], geometry.drifts[4]] {
      #expect(drift.radius == nil && drift.largest == 0 && drift.outside == 0)
    }
  }

  @Test func whatDidNotMoveHasNoRank() throws {
    let geometry = try #require(PromptGeometry(prompt(delta: [Float](repeating: 0, count: 24))))
    #expect(geometry.effectiveRank == 0 && geometry.drifts.allSatisfy { $0.mean == 0 && $0.onSurface == 0 })
  }

  /// One direction only; the input token 1 is beyond its radius, and the label has moved.
  @Test func tokensOutsideTheirBalls() throws {
    var delta = [Float](repeating: 0, count: 24)
    delta[4] = 0.01
    delta[16] = 0.001
    let geometry = try #require(PromptGeometry(prompt(delta: delta)))
    #expect(geometry.drifts.map(\.outside) == [0, 0, 1, 0, 1])
    #expect(abs(geometry.effectiveRank - 1) < 1e-6)
    delta[4] = .nan
    #expect(PromptGeometry(prompt(delta: delta)) == nil)
  }
}

@Suite struct RunInspectionTests {
  /// Weights 1, f, f², … from the example backwards, radii where tokens are trained, types above the context's.
  @Test func tokensOfAStep() throws {
    let goldens = try ParityGoldens()
    let factor = try #require(goldens.recorded("batch1-decay")["opt_loss_decay_factor"]?.number)
    try withTemporaryFolder { folder in
      let inspection = try RunInspection(goldens.setup("batch1-decay", in: folder), row: 0)
      let context = inspection.listing.context, example = inspection.listing.example
      #expect(context.map(\.id) == goldens.context.ids && context.map(\.type) == goldens.context.types)
      #expect(inspection.listing.firstExampleCount == 10)
      // Four examples; the label of the third has two tokens.
      let powers = [4.0, 3, 2, 2, 1], weights = context.compactMap(\.weight)
      #expect(weights.count == 5)
      for (weight, power) in zip(weights, powers) { #expect(abs(weight - pow(factor, power)) < 1e-6) }
      for entry in context { #expect((entry.radius != nil) == entry.role.isTrained) }
      #expect(abs((context[2].radius ?? 0) - 0.2 * (42.0 / 2048).squareRoot()) < 1e-7)
      #expect(example.map(\.id) == goldens.rows[0].ids && example.first?.position == 41)
      #expect(example.map(\.type) == goldens.rows[0].types.map { $0 == 0 ? 0 : $0 + 16 })
      for entry in example { #expect(entry.radius == nil && (entry.role == .label) == (entry.weight != nil)) }
      for weight in example.compactMap(\.weight) { #expect(abs(weight - 1) < 1e-6) }
      // Rows of tokens: a label is what tokens occur as one.
      #expect(inspection.labels.entries.allSatisfy { $0.word == nil && $0.training > 0 })
      #expect(inspection.labels.entries.reduce(0) { $0 + $1.training } == 20)
      #expect(try RunInspection(goldens.setup("batch1-decay", in: folder), row: 1).place.hasSuffix(".jsonl:2"))
      #expect(throws: InputError.self) { try RunInspection(goldens.setup("batch1-decay", in: folder), row: 20) }
    }
  }

  private func inspection(
    words: [(String, String)], in folder: String, template: [JSON.Member] = [], profile: Profile? = nil
  ) throws -> (inspection: RunInspection, setup: TrainingSetup) {
    let rows = (0..<18).map { "my parcel \($0) is late\t\(words[$0 % words.count].0)" }
    try writeAtomically((["text\tlabel"] + rows).joined(separator: "\n"), to: folder + "/train.tsv")
    let json: JSON = .object([
      .init("base_model_name_or_path", .string(repository + "/configs/quickstart/model")),
      .init("template", .object(template)),
      .init(
        "data",
        .object([
          .init("train", .string("train.tsv")), .init("validation", .string("train.tsv")),
          .init("context_examples", .integer(6)),
          .init("label_words", .object(words.map { .init($0.0, .string($0.1)) })),
        ])),
      .init(
        "training", .object([.init("batch_size", .integer(5)), .init("num_train_epochs", .integer(2))])),
    ])
    try writeAtomically(json.compact, to: folder + "/config.json")
    let setup = try TrainingSetup(
      Configuration(file: folder + "/config.json"), team: ThreadTeam(threads: 1, profile: profile))
    return (try RunInspection(setup, row: 0), setup)
  }

  @Test func oddLabels() throws {
    try withTemporaryFolder { folder in
      let labels = try inspection(
        words: [("a", "delivery"), ("b", "delivery team"), ("c", " team")], in: folder
      ).inspection.labels
      #expect(labels.entries.map(\.tokens) == [["delivery"], ["delivery", " team"], [" team"]])
      #expect(labels.entries.map(\.context) == [2, 2, 2] && labels.entries.map(\.training) == [4, 4, 4])
      #expect(labels.entries.map(\.validation) == [6, 6, 6] && labels.entries.map(\.test) == [0, 0, 0])
      guard case .missingSpace(let lacking, let tokens, let behindSpace) = labels.findings.last else {
        Issue.record("\(labels.findings)")
        return
      }
      #expect(lacking == ["a", "b"] && tokens == ["delivery"] && behindSpace.joined() == " delivery")
      #expect(
        labels.findings.dropLast() == [
          .beginsOthers("a", longer: ["b"]), .sharedFirstToken(["a", "b"], token: "delivery"), .severalTokens(["b"]),
        ])
    }
  }

  /// What training would refuse is said in its words.
  @Test func aRunThatCannotBeginSaysWhy() throws {
    try withTemporaryFolder { folder in
      let (inspection, setup) = try inspection(words: [("a", "one"), ("b", "one two")], in: folder)
      let refusal = #expect(throws: InputError.self) { try Trainer(setup, run: RunDirectory("")) }
      guard case .failure(let error) = inspection.forecast else {
        Issue.record("there is a forecast")
        return
      }
      #expect("\(error)" == refusal?.description)
    }
  }

  /// Tokenized whole, words take the space before them.
  @Test func wordsWithTheirSpace() throws {
    try withTemporaryFolder { folder in
      let findings = try inspection(
        words: [("a", "delivery"), ("b", "team")], in: folder,
        template: [.init("tokenization", .string("whole"))]
      ).inspection.labels.findings
      #expect(!findings.contains { if case .missingSpace = $0 { true } else { false } }, "\(findings)")
    }
  }

  @Test func timesFollowFromWorkAndRates() {
    let work = RunWork(operationsOfStep: 600, operationsOfEvaluation: 4000)
    let time = TimeEstimate(
      work, steps: 10, evaluations: 3, rates: RunRates(step: 100, evaluation: 200), isBound: true)
    #expect(time.operations == 18_000 && time.stepSeconds == 6 && time.evaluationSeconds == 20)
    #expect(time.totalSeconds == 120 && time.isBound)
    let alone = TimeEstimate(
      RunWork(operationsOfStep: 0, operationsOfEvaluation: 4000), steps: 0, evaluations: 1,
      rates: RunRates(step: nil, evaluation: 200), isBound: false)
    #expect(alone.stepSeconds == 0 && alone.totalSeconds == 20)
    let blind = TimeEstimate(
      RunWork(operationsOfStep: 600, operationsOfEvaluation: 0), steps: 10, evaluations: 0,
      rates: RunRates(step: 100, evaluation: nil), isBound: false)
    #expect(blind.totalSeconds == 60)
  }

  /// Operations of the steps and evaluations of a run, as its own profile counts them.
  @Test func estimatedOperationsAreThoseOfTheRun() throws {
    try withTemporaryFolder { folder in
      let profile = Profile()
      let (inspection, setup) = try inspection(
        words: [("a", "delivery"), ("b", "quick team"), ("c", "team")], in: folder, profile: profile)
      let forecast = try inspection.forecast.get()
      #expect(forecast.run.plan.totalSteps == 6)
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      let before = profile.entries.reduce(0) { $0 + $1.entry.operations }
      _ = try trainer.train { _ in }
      let counted = profile.entries.reduce(0) { $0 + $1.entry.operations } - before
      #expect(abs(forecast.time.operations / counted - 1) < 0.05, "\(forecast.time.operations) of \(counted)")
    }
  }
}
