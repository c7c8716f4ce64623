import Diagnostics
import FileFormats
import Kernels
import Method
import Runs
import System
import Testing
import TestSupport
import Tuning

/// The parts of the context that steps compute over.
@Suite struct StepContextTests {
  /// Writes rows, the last of which repeats the first, and a configuration that moves nothing, so that every loss is that
  /// of the untrained prompt.
  private func configuration(
    in folder: String, data: [String: JSON] = [:], training: [String: JSON] = [:], template: [String: JSON] = [:]
  ) throws -> Configuration {
    let texts = (0..<9).map { "parcel \($0 == 8 ? 0 : $0)\t\($0 % 2 == 0 ? "billing" : "delivery")" }
    try writeAtomically((["text\tlabel"] + texts).joined(separator: "\n"), to: folder + "/train.tsv")
    func section(_ members: [String: JSON], _ changes: [String: JSON]) -> JSON {
      .object(members.merging(changes) { $1 }.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
    }
    let json: JSON = .object([
      .init("base_model_name_or_path", .string(repository + "/configs/quickstart/model")),
      .init("opt_weighted_loss_type", .string("decay")), .init("opt_loss_decay_factor", .number(0.5)),
      .init("template", section(["emit_inter_separator": .bool(true)], template)),
      .init(
        "data",
        section(
          ["train": .string("train.tsv"), "context_examples": .integer(4), "train_on": .string("all")], data)),
      .init(
        "training",
        section(
          [
            "optim": .string("sgd"), "learning_rate": .number(1e-30), "max_grad_norm": .null, "shuffle": .bool(false),
            "num_train_epochs": .integer(2), "batch_size": .integer(2),
          ], training)),
    ])
    try writeAtomically(json.pretty, to: folder + "/config.json")
    return try Configuration(file: folder + "/config.json")
  }

  private func train(_ setup: TrainingSetup, in run: String, stopAfter: Int? = nil, resume: Bool = false) throws {
    var trainer = try Trainer(setup, run: RunDirectory(run))
    try trainer.begin(resume ? .resume : .refuse)
    _ = try trainer.train(stopAfter: stopAfter) { _ in }
  }

  private func values(_ key: String, of run: String) throws -> [Double] {
    try metrics(in: run, with: key).compactMap { $0[key]?.number }
  }

  /// The batches of an epoch without shuffling.
  private func batches(of setup: TrainingSetup, size: Int) -> [[Int]] {
    stride(from: 0, to: setup.rows.training.count, by: size).map {
      Array($0..<min($0 + size, setup.rows.training.count))
    }
  }

  /// A step's loss and gradient are those over a context made without its examples, also where a row repeats one of them.
  @Test(arguments: [1, 2], [false, true])
  func aStepIsThatOfAContextWithoutItsExamples(size: Int, begins: Bool) throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(
        configuration(
          in: folder, training: ["leave_one_out": .bool(true), "batch_size": .integer(size)],
          template: ["beginning_of_text": .bool(begins)]),
        team: ThreadTeam(threads: 2))
      try train(setup, in: folder + "/run")
      let beginning = begins ? [try #require(setup.context.tokens.ids.first)] : []
      let shown = try setup.encoder.examples(of: setup.rows.context).map(\.tokens)
      let examples = try setup.encoder.examples(of: setup.rows.training).map(\.tokens)
      let losses = try values("loss", of: folder + "/run"), norms = try values("grad_norm", of: folder + "/run")
      let batches = batches(of: setup, size: size)
      #expect(losses.count == 2 * batches.count)
      var sizes: Set<Int> = []
      for (index, batch) in batches.enumerated() {
        let own = batch.map { setup.rows.training[$0].content }
        let left = shown.indices.filter { !own.contains(setup.rows.context[$0].content) }
        sizes.insert(left.count)
        let context = Context(examples: left.map { shown[$0] }, beginning: beginning)
        let prompt = TunedPrompt(context: context, decoder: setup.model.decoder, radii: ProjectionRadii())
        let step = TrainingStep(
          decoder: setup.model.decoder, context: context.tokens, loss: setup.configuration.loss,
          workspace: Workspace(), team: setup.team)
        let result = step.run(
          prompt: prompt.embeddings, examples: batch.map { examples[$0] }, plan: PackPlan(examples: size))
        var gradient = result.gradient
        prompt.maskGradient(&gradient)
        let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(abs(losses[index] / result.loss - 1) < 1e-6, "step \(index + 1)")
        #expect(abs(norms[index] / norm - 1) < 1e-5, "step \(index + 1)")
      }
      // Steps over all of the context, and over less of it.
      #expect(sizes.contains(4) && sizes.contains(3))
    }
  }

  /// Tokens that are left out have no gradient; the others have that of a context of them alone.
  @Test func tokensLeftOutHaveNoGradient() throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(configuration(in: folder), team: ThreadTeam(threads: 1))
      let context = setup.context.tokens, width = setup.model.decoder.width
      let examples = try setup.encoder.examples(of: Array(setup.rows.training.prefix(3))).map(\.tokens)
      func step(_ context: TypedTokens) -> TrainingStep {
        TrainingStep(
          decoder: setup.model.decoder, context: context, loss: setup.configuration.loss, workspace: Workspace(),
          team: setup.team)
      }
      let prompt = setup.startingPrompt.embeddings, plan = PackPlan(examples: 2)
      let kept = context.ids.indices.filter { $0 % 3 != 1 }
      let found = step(context).run(prompt: prompt, examples: examples, plan: plan, keeping: kept)
      let alone = step(context.keeping(kept)).run(
        prompt: kept.flatMap { prompt[($0 * width)..<(($0 + 1) * width)] }, examples: examples, plan: plan)
      #expect(found.loss == alone.loss && found.labelAccuracy == alone.labelAccuracy)
      for token in context.ids.indices {
        let row = Array(found.gradient[(token * width)..<((token + 1) * width)])
        let expected = kept.firstIndex(of: token).map { Array(alone.gradient[($0 * width)..<(($0 + 1) * width)]) }
        #expect(row == expected ?? [Float](repeating: 0, count: width), "token \(token)")
      }
      let all = step(context).run(prompt: prompt, examples: examples, plan: plan, keeping: Array(context.ids.indices))
      let whole = step(context).run(prompt: prompt, examples: examples, plan: plan)
      #expect(all.loss == whole.loss && all.gradient == whole.gradient && all.loss != found.loss)
    }
  }

  /// Of 4 examples that a batch of 4 may hold; with train_on "all" and 9 rows as well.
  @Test(arguments: [("all", 4, 1), ("context", 4, 1), ("context", 2, 2), ("context", 100, 1)])
  func aBatchMayNotHoldTheWholeContext(trainOn: String, size: Int, accumulation: Int) throws {
    try withTemporaryFolder { folder in
      func setup(_ size: Int) throws -> TrainingSetup {
        try TrainingSetup(
          configuration(
            in: folder, data: ["train_on": .string(trainOn)],
            training: [
              "leave_one_out": .bool(true), "batch_size": .integer(size),
              "gradient_accumulation_steps": .integer(accumulation),
            ]),
          team: ThreadTeam(threads: 1))
      }
      let error = #expect(throws: InputError.self) { try Trainer(setup(size), run: RunDirectory(folder + "/run")) }
      let message = try "\(#require(error))"
      #expect(
        message.contains("lower training.batch_size times training.gradient_accumulation_steps"))
      #expect(throws: Never.self) { try Trainer(setup(3 / accumulation), run: RunDirectory(folder + "/run")) }
    }
  }

  /// Examples that are never trained on always stay, so any batch is small enough.
  @Test func examplesThatAreNotTrainedOnStay() throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(
        configuration(
          in: folder, data: ["max_train_examples": .integer(3), "train_on": .string("context")],
          training: ["leave_one_out": .bool(true), "batch_size": .integer(8)]), team: ThreadTeam(threads: 1))
      let kept = try StepContext(setup).tokens(forStep: 0, batch: [0, 1, 2])
      #expect(setup.context.exampleRanges.contains { Array($0) == kept })
    }
  }

  /// Labels and separators stay; of the other tokens, the share 1 - p.
  @Test func dropoutLeavesOutTrainedTokens() throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(
        configuration(in: folder, training: ["context_dropout": .number(0.3)]), team: ThreadTeam(threads: 1))
      let context = try StepContext(setup), types = setup.context.tokens.types
      let trained = types.indices.filter { TokenRole(type: types[$0]).isTrained }
      var kept = 0
      for step in 0..<400 {
        let tokens = context.tokens(forStep: step, batch: [0])
        #expect(tokens == tokens.sorted() && tokens == context.tokens(forStep: step, batch: [1]))
        #expect(types.indices.filter { !trained.contains($0) }.allSatisfy(tokens.contains))
        kept += trained.count(where: tokens.contains)
      }
      #expect(abs(Double(kept) / Double(400 * trained.count) - 0.7) < 0.02)
      #expect(context.tokens(forStep: 0, batch: [0]) != context.tokens(forStep: 1, batch: [0]))
      var other = setup.configuration
      other.training.seed = 1
      let seeded = try StepContext(TrainingSetup(other, team: setup.team))
      #expect(seeded.tokens(forStep: 0, batch: [0]) != context.tokens(forStep: 0, batch: [0]))
    }
  }

  /// Of virtual tokens, all of which are trained, one is left.
  @Test func oneTokenStays() throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(
        configuration(
          in: folder, training: ["method": .string("prompt_tuning"), "context_dropout": .number(0.9999)]),
        team: ThreadTeam(threads: 1))
      let context = try StepContext(setup)
      let kept = (0..<50).map { context.tokens(forStep: $0, batch: [0]) }
      #expect(kept.allSatisfy { $0.count == 1 } && Set(kept).count > 5)
      try train(setup, in: folder + "/run", stopAfter: 3)
      #expect(try values("loss", of: folder + "/run").count == 3)
    }
  }

  /// Every epoch leaves out other tokens, a resumed run the same ones; and without either key nothing changes.
  @Test(arguments: [0.0, 0.4], [false, true])
  func resumedRunsLeaveOutTheSame(dropout: Double, leavesOneOut: Bool) throws {
    try withTemporaryFolder { folder in
      let setup = try TrainingSetup(
        configuration(
          in: folder,
          training: [
            "context_dropout": .number(dropout), "leave_one_out": .bool(leavesOneOut), "optim": .string("adamw"),
            "learning_rate": .number(0.01),
          ]), team: ThreadTeam(threads: 1))
      try train(setup, in: folder + "/whole")
      try train(setup, in: folder + "/parts", stopAfter: 3)
      try train(setup, in: folder + "/parts", resume: true)
      for key in ["loss", "grad_norm"] {
        #expect(try values(key, of: folder + "/parts") == values(key, of: folder + "/whole"))
      }
      let file = "/adapter_model.safetensors"
      #expect(try readBytes(of: folder + "/parts" + file) == readBytes(of: folder + "/whole" + file))
      try train(
        TrainingSetup(configuration(in: folder, training: ["context_dropout": .number(dropout)]), team: setup.team),
        in: folder + "/still")
      let losses = try values("loss", of: folder + "/still")
      #expect((losses.prefix(5) == losses.suffix(5)) == (dropout == 0))
    }
  }
}
