import Diagnostics
import FileFormats
import Glibc
import Kernels
import LanguageModel
import Method
import Runs
import System
import Testing
import TestSupport
import Tuning

private let cases = ["batch1-decay", "batch1-none", "batch3-decay", "batch3-none"]

/// Same tokens, same settings: the numbers of Hugging Face PEFT.
@Suite struct ParityTests {
  @Test(arguments: cases)
  func lossesAndPromptOfTwentySteps(name: String) throws {
    let goldens = try ParityGoldens()
    let expected = try #require(goldens.recorded(name)["losses"]?.array).compactMap(\.number)
    try withTemporaryFolder { folder in
      let setup = try goldens.setup(name, in: folder)
      let before = setup.model.decoder.embedding.words.row(3)
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      let summary = try trainer.train { _ in }
      #expect(summary.step == 20)
      let losses = try metrics(in: folder + "/run", with: "loss").compactMap { $0["loss"]?.number }
      #expect(losses.count == expected.count)
      for (loss, golden) in zip(losses, expected) { #expect(abs(loss / golden - 1) < 1e-4) }

      let adapter = try Adapter(folder: folder + "/run")
      let prompt = try goldens.tensors.floats(name + ".prompt", shape: [goldens.context.count, 42])
      for (ours, theirs) in zip(adapter.embeddings, prompt) { #expect(abs(ours - theirs) < 1e-4) }
      #expect(setup.model.decoder.embedding.words.row(3) == before)
    }
  }

  @Test(arguments: cases)
  func gradientOfTheFirstStep(name: String) throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup(name, in: folder)
      let batch = try #require(goldens.recorded(name)["batch"]?.integer)
      let prompt = setup.startingPrompt
      var gradient = step(of: setup).run(
        prompt: prompt.embeddings, examples: Array(goldens.rows.prefix(batch)), plan: PackPlan(examples: batch)
      ).gradient
      prompt.maskGradient(&gradient)
      let golden = try goldens.tensors.floats(name + ".gradient", shape: [goldens.context.count, 42])
      #expect(relativeDifference(gradient, golden) < 1e-4)
    }
  }

  /// Prompt tuning, alone and before a context that stays: the numbers of PEFT's PROMPT_TUNING.
  @Test(arguments: ["prompt_tuning", "instruction_prompt_tuning"])
  func lossesAndPromptOfVirtualTokens(name: String) throws {
    let goldens = try ParityGoldens()
    let recorded = try #require(goldens.json["virtual_cases"]?.array?.first { $0["name"]?.string == name })
    let losses = try #require(recorded["losses"]?.array).compactMap(\.number)
    let virtual = try #require(goldens.json["virtual_tokens"]?.array).compactMap(\.integer)
    try withTemporaryFolder { folder in
      let configuration = try Configuration(
        file: goldens.write("batch3-decay", in: folder, training: ["method": .string(name)]),
        overrides: [(path: "prompt_tuning.num_virtual_tokens", value: .integer(virtual.count))])
      let setup = try TrainingSetup(configuration, team: ThreadTeam(threads: 2))
      let fixed = name == "prompt_tuning" ? [] : goldens.context.ids
      #expect(setup.context.tokens.ids == virtual + fixed)
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let found = try metrics(in: folder + "/run", with: "loss").compactMap { $0["loss"]?.number }
      #expect(found.count == losses.count)
      for (loss, golden) in zip(found, losses) { #expect(abs(loss / golden - 1) < 1e-4) }
      let adapter = try Adapter(folder: folder + "/run")
      let prompt = try goldens.tensors.floats(name + ".prompt", shape: [virtual.count, 42])
      for (ours, theirs) in zip(adapter.embeddings, prompt) { #expect(abs(ours - theirs) < 1e-4) }
      #expect(
        Array(adapter.embeddings.dropFirst(prompt.count)) == setup.model.decoder.embedding.rows(of: fixed))
    }
  }

  /// In-context learning: no step, the examples' own embeddings.
  @Test func inContextLearningTrainsNothing() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder, training: ["method": .string("icl")])
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      let summary = try trainer.train { _ in }
      #expect(summary.step == 0 && !summary.wasInterrupted)
      #expect(
        try Adapter(folder: folder + "/run").embeddings
          == setup.model.decoder.embedding.rows(of: goldens.context.ids))
    }
  }

  /// The three invariants: label rows stay, every row stays in its ball, and rows on the surface exist at all.
  @Test func theBallHolds() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder, training: ["learning_rate": .number(0.1)])
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let prompt = try Adapter(folder: folder + "/run").prompt(over: setup.model.decoder)
      var onSurface = 0
      for (index, distance) in prompt.distances.enumerated() {
        let role = TokenRole(type: goldens.context.types[index])
        if role.isTrained {
          #expect(distance <= prompt.radii[index] * 1.001)
          if distance > prompt.radii[index] * 0.99 { onSurface += 1 }
        } else {
          #expect(distance == 0)
        }
      }
      #expect(onSurface > 10)
    }
  }

  /// Virtual tokens have balls if they are asked for, and only then; the adapter says so to PEFT.
  @Test(arguments: [nil, 0.05], ["prompt_tuning", "instruction_prompt_tuning"])
  func virtualTokensMayHaveBalls(epsilon: Double?, method: String) throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let file = try goldens.write(
        "batch3-decay", in: folder, training: ["learning_rate": .number(0.1), "method": .string(method)])
      let configuration = try Configuration(
        file: file,
        overrides: [(path: "prompt_tuning.projection_epsilon", value: epsilon.map(JSON.number) ?? .null)])
      var trainer = try Trainer(
        TrainingSetup(configuration, team: ThreadTeam(threads: 2)), run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let adapter = try Adapter(folder: folder + "/run")
      let width = 42.0, radius = (epsilon ?? 0.05) * (width / 2048).squareRoot()
      let distances = try adapter.prompt(over: FrozenModel(path: ParityGoldens.folder + "/model").decoder).distances
        .prefix(20).map(Double.init)
      #expect(distances.count == 20 && distances.allSatisfy { ($0 < radius * 1.001) == (epsilon != nil) })
      if epsilon != nil { #expect(distances.contains { $0 > radius * 0.99 }) }
      #expect(adapter.configuration.projection.format == epsilon ?? 1e30)
      #expect(adapter.configuration.projection.input == epsilon ?? 1e30)
    }
  }

  /// The adapter PEFT saved gives the logits PEFT computed with it.
  @Test func peftsAdapterGivesPeftsLogits() throws {
    let goldens = try ParityGoldens()
    let adapter = try Adapter(folder: ParityGoldens.folder + "/adapter-batch3-decay")
    #expect(adapter.context.tokens == goldens.context)
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder)
      let decoder = setup.model.decoder
      let row = goldens.rows[0]
      let logits = try goldens.tensors.floats("adapter-logits", shape: [row.count, decoder.vocabularySize])
      let found = setup.logProbabilities(after: adapter.embeddings, of: row.ids)
      for position in 0..<row.count {
        let line = logits[(position * decoder.vocabularySize)..<((position + 1) * decoder.vocabularySize)].map(
          Double.init)
        let largest = line.max() ?? 0
        let logSum = largest + log(line.reduce(0) { $0 + exp($1 - largest) })
        for token in 0..<decoder.vocabularySize {
          #expect(abs(Double(found[position][token]) - (line[token] - logSum)) < 1e-4)
        }
      }
    }
  }

  /// A PEFT adapter can be continued from: its tokens, its prompt, the ball around the tokens' own embeddings.
  @Test func trainingGoesOnFromPeftsAdapter() throws {
    let goldens = try ParityGoldens()
    let folder = ParityGoldens.folder + "/adapter-batch3-decay"
    let adapter = try Adapter(folder: folder)
    try withTemporaryFolder { temporary in
      let file = try goldens.write("batch3-decay", in: temporary)
      let ours = ["cpt_token_ids", "cpt_tokens_type_mask"].map { (path: $0, value: JSON.null) }
      let configuration = try Configuration(
        file: file, overrides: ours + [(path: "initial_adapter", value: .string(folder))])
      let setup = try TrainingSetup(configuration, team: ThreadTeam(threads: 2))
      #expect(setup.context.tokens == goldens.context)
      #expect(relativeDifference(setup.startingPrompt.embeddings, adapter.embeddings) < 1e-6)
      #expect(
        setup.startingPrompt.initial
          == goldens.context.ids.flatMap { setup.model.decoder.embedding.words.row($0) })
      var trainer = try Trainer(setup, run: RunDirectory(temporary + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let losses = try metrics(in: temporary + "/run", with: "loss").compactMap { $0["loss"]?.number }
      let fresh = try #require(goldens.recorded("batch3-decay")["losses"]?.array).compactMap(\.number)
      // The adapter was trained on these rows: it starts where the recorded run was going.
      #expect(losses[0] < fresh[0] - 0.001)
    }
  }

  private func step(of setup: TrainingSetup) -> TrainingStep {
    TrainingStep(
      decoder: setup.model.decoder, context: setup.context.tokens, loss: setup.configuration.loss,
      workspace: Workspace(), team: setup.team)
  }

  /// Packed, in packs of one, and in packs of two: one mathematical batch.
  @Test(arguments: [1, 2, 3, 5, 8], [Retention.everything, .inputs])
  func packsDoNotChangeTheStep(packSize: Int, retention: Retention) throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder)
      let examples = Array(goldens.rows.prefix(8))
      let prompt = setup.startingPrompt.embeddings
      let whole = step(of: setup).run(prompt: prompt, examples: examples, plan: PackPlan(examples: 8))
      let plan = PackPlan(examples: packSize, retention: retention)
      let packed = step(of: setup).run(prompt: prompt, examples: examples, plan: plan)
      #expect(abs(packed.loss / whole.loss - 1) < 1e-5)
      #expect(relativeDifference(packed.gradient, whole.gradient) < 1e-5)
      #expect(packed.labelAccuracy == whole.labelAccuracy)
    }
  }

  /// Less memory: fewer examples a pack, or blocks computed again; and an error when nothing fits.
  @Test func plansStayWithinTheLimit() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder)
      let planner = PackPlanner(
        step(of: setup), examples: goldens.rows, batches: [Array(0..<8)], evaluation: nil, held: 0)
      var (plan, bytes) = try #require(planner.fastest(within: .max, largest: 8))
      #expect(plan == PackPlan(examples: 8, retention: .everything))
      // Recomputing all of a pack costs more than one more pack does.
      #expect(planner.fastest(within: bytes - 1, largest: 8)?.plan == PackPlan(examples: 4, retention: .everything))
      var plans = [plan]
      while let next = planner.fastest(within: bytes - 1, largest: 8) {
        #expect(next.bytes < bytes)
        (plan, bytes) = next
        plans.append(plan)
      }
      #expect(plans.contains { $0.retention == .inputs } && plans.contains { $0.examples < 8 })
      #expect(planner.fastest(within: bytes / 2, largest: 8) == nil)
      #expect(planner.smallest(largest: 8).bytes == bytes)
    }
  }

  /// A row of tokens without a label is the one that is named, not the rows that are scored with its label.
  @Test func aRowOfTokensWithoutALabelIsNamed() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let file = try goldens.write("batch1-none", in: folder)
      let rows = [
        #"{"input_ids": [7, 8, 9], "input_type_mask": [2, 2, 4]}"#,
        #"{"input_ids": [7, 8], "input_type_mask": [2, 2]}"#,
      ]
      try writeAtomically(rows.joined(separator: "\n"), to: folder + "/validation.jsonl")
      let configuration = try Configuration(
        file: file, overrides: [(path: "data.validation", value: .string("validation.jsonl"))])
      let setup = try TrainingSetup(configuration, team: ThreadTeam(threads: 1))
      let error = #expect(throws: InputError.self) { try Trainer(setup, run: RunDirectory(folder + "/run")) }
      #expect(error?.place.hasSuffix("validation.jsonl:2") == true, "\(String(describing: error))")
    }
  }

  /// Of two batches, the one with the longer examples counts.
  @Test func plansAreOfTheLargestBatch() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder)
      let lengths = goldens.rows.map(\.computedCount)
      let ranked = lengths.indices.sorted { lengths[$0] < lengths[$1] }
      let short = Array(ranked.prefix(6)), long = Array(ranked.suffix(6))
      func bytes(_ batches: [[Int]]) -> Int {
        PackPlanner(step(of: setup), examples: goldens.rows, batches: batches, evaluation: nil, held: 0)
          .bytes(PackPlan(examples: 6))
      }
      #expect(bytes([long]) > bytes([short]) && bytes([short, long]) == bytes([long]))
    }
  }

  /// Weights that lie in a mapped file come into memory as steps read them.
  @Test func plansCountTheWeights() throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-decay", in: folder)
      let planner = PackPlanner(
        step(of: setup), examples: goldens.rows, batches: [[0]], evaluation: nil, held: 1000)
      let prompt = 10 * 4 * setup.context.count * setup.model.decoder.width
      let measured = step(of: setup).measure(examples: [goldens.rows[0]], plan: PackPlan(examples: 1)).bytes
      // GPT-2 of 3 blocks, 42 and 100 wide, 101 words: queries, keys, values, output, up, down; the head.
      let weights = 4 * (3 * (4 * 42 * 42 + 2 * 42 * 100) + 101 * 42)
      #expect(planner.bytes(PackPlan(examples: 1)) == 1000 + weights + prompt + measured)
      // An evaluation uses the workspace of the steps.
      let evaluation = Measurement(threads: 1) { workspace, _ in _ = workspace.matrix(measured, 3) }
      let other = PackPlanner(
        step(of: setup), examples: goldens.rows, batches: [[0]], evaluation: evaluation, held: 1000)
      #expect(other.bytes(PackPlan(examples: 1)) == 1000 + weights + prompt + evaluation.bytes)
    }
  }

  /// The first label token of an example without template is predicted by the context's last token, in any pack.
  @Test(arguments: [1, 3])
  func aLabelMayOpenAnExample(packSize: Int) throws {
    let goldens = try ParityGoldens()
    try withTemporaryFolder { folder in
      let setup = try goldens.setup("batch3-none", in: folder)
      let examples = [[7, 9], [5], [7, 9, 11]].map { TypedTokens(ids: $0, types: $0.map { _ in 4 }) }
      let context = setup.context.tokens
      let found = step(of: setup).run(
        prompt: setup.startingPrompt.embeddings, examples: examples, plan: PackPlan(examples: packSize))
      var total = 0.0
      for example in examples {
        var row = context
        row.append(example.raisingTypes(by: 16))
        let first = TypedTokens(ids: Array(row.ids.dropFirst()), types: Array(row.types.dropFirst()))
        let start = Context(tokenIDs: [row.ids[0]], mask: nil, types: [1])
        total -= setup.plainLogProbability(of: first, after: start)
      }
      let labels = 3 * context.labelPositions.count + 6
      #expect(abs(found.loss / (total / Double(labels)) - 1) < 1e-5)
    }
  }

  @Test func batchOfEightIsBatchOfTwoAccumulatedFourTimes() throws {
    let goldens = try ParityGoldens()
    func losses(_ batch: Int, _ accumulation: Int) throws -> [Double] {
      try withTemporaryFolder { folder in
        let settings: [String: JSON] = [
          "batch_size": .integer(batch), "gradient_accumulation_steps": .integer(accumulation),
        ]
        let setup = try goldens.setup("batch3-decay", in: folder, training: settings)
        var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
        try trainer.begin(.refuse)
        _ = try trainer.train { _ in }
        return try metrics(in: folder + "/run", with: "loss").compactMap { $0["loss"]?.number }
      }
    }
    let whole = try losses(8, 1), accumulated = try losses(2, 4)
    #expect(whole.count == 8 && accumulated.count == 8)
    for (a, b) in zip(whole, accumulated) { #expect(abs(a / b - 1) < 1e-5) }
  }
}

extension TrainingSetup {
  /// log softmax of the logits at each of the tokens, after a prompt.
  fileprivate func logProbabilities(after prompt: [Float], of ids: [Int]) -> [[Float]] {
    let decoder = model.decoder
    var tree = TokenTree()
    let root = tree.append(
      .embeddings(Matrix(rows: prompt.count / decoder.width, columns: decoder.width, values: prompt)))
    let leaf = tree.append(.tokens(ids), parent: root)
    let targets = tree.segments[leaf].rows.flatMap { row in
      (0..<decoder.vocabularySize).map { Target(row: row, token: $0) }
    }
    let pass = decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
    let scores = pass.scores.map(\.logProbability)
    return ids.indices.map { Array(scores[($0 * decoder.vocabularySize)..<(($0 + 1) * decoder.vocabularySize)]) }
  }
}
