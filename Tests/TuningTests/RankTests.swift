import Collectives
import Diagnostics
import FileFormats
import Kernels
import Runs
import System
import Testing
import TestSupport
import Tuning

/// Runs that ranks share: their numbers are those of one rank, but for rounding.
@Suite struct RankTests {
  /// A run of 20 steps of 5 rows of tokens; of 12 rows, an epoch's last step has 2.
  private struct Example: Sendable {
    let folder: String
    let model: String

    init(_ golden: FamilyGoldens.Case, in folder: String) throws {
      self.folder = folder
      model = golden.folder
      let rows = (0..<12).map { index in
        let row = golden.rows[index % golden.rows.count]
        let ids = row.ids.enumerated().map { $0 < 4 ? ($1 * (index + 2) + 3) % 60 : $1 }
        return JSON.object([
          .init("input_ids", .array(ids.map(JSON.integer))),
          .init("input_type_mask", .array(row.types.map(JSON.integer))),
        ]).compact
      }
      try writeAtomically(rows.joined(separator: "\n"), to: folder + "/rows.jsonl")
      let training = """
        {"max_steps": 20, "batch_size": 5, "learning_rate": 1e-3, "eval_steps": 10, "save_steps": 8,
         "lr_scheduler_type": "linear", "warmup_steps": 2}
        """
      let configuration = JSON.object([
        .init("base_model_name_or_path", .string(model)),
        .init("cpt_token_ids", .array(golden.context.ids.map(JSON.integer))),
        .init("cpt_tokens_type_mask", .array(golden.context.types.map(JSON.integer))),
        .init("opt_weighted_loss_type", .string("decay")), .init("opt_loss_decay_factor", .number(0.9)),
        .init("opt_projection_epsilon", .number(0.5)), .init("opt_projection_format_epsilon", .number(0.5)),
        .init("data", try JSON(parsing: Array(#"{"train": "rows.jsonl", "validation": "rows.jsonl"}"#.utf8), file: "")),
        .init("training", try JSON(parsing: Array(training.utf8), file: "")),
      ])
      try writeAtomically(configuration.pretty, to: folder + "/config.json")
    }

    func train(
      _ name: String, data: Int, tensor: Int, earlier: EarlierRun = .refuse, stopAfter: Int? = nil
    ) throws -> [Double] {
      _ = try ThreadRanks.run(data * tensor) { world in
        let ranks = try Ranks(world, tensorParallel: tensor)
        let setup = try TrainingSetup(
          Configuration(file: folder + "/config.json"), team: ThreadTeam(threads: 1), ranks: ranks)
        var trainer = try Trainer(setup, run: RunDirectory(folder + "/" + name))
        try trainer.begin(earlier)
        return try trainer.train(stopAfter: stopAfter) { _ in }.step
      }
      return try ["loss", "eval_loss"].flatMap { key in
        try metrics(in: folder + "/" + name, with: key).map { try #require($0[key]?.number) }
      }
    }

    func adapter(_ name: String) throws -> [UInt8] { try readBytes(of: "\(folder)/\(name)/adapter_model.safetensors") }
  }

  /// GPT-2 is the parity model; of the others some have grouped heads, or one key-value head for all.
  private static let families = ["llama", "gemma3_text", "bloom", "falcon-7b", "opt-350m"]

  private var llama: FamilyGoldens.Case {
    get throws {
      let cases = try FamilyGoldens().cases
      return try #require(cases.first { $0.name == "llama" })
    }
  }

  @Test(arguments: try FamilyGoldens().cases.filter { families.contains($0.name) }, [(2, 1), (4, 1), (1, 2), (2, 2)])
  func lossesAreThoseOfOneRank(golden: FamilyGoldens.Case, ranks: (data: Int, tensor: Int)) throws {
    try withTemporaryFolder { folder in
      let example = try Example(golden, in: folder)
      let expected = try example.train("one", data: 1, tensor: 1)
      let found = try example.train("many", data: ranks.data, tensor: ranks.tensor)
      #expect(expected.count == 23 && found.count == 23)
      for (one, other) in zip(expected, found) { #expect(abs(other / one - 1) < 1e-5) }
      #expect(Set(expected).count > 20, "the losses differ from step to step")
      // Again the same bytes; and only the first rank has written.
      #expect(try example.train("again", data: ranks.data, tensor: ranks.tensor) == found)
      #expect(try example.adapter("again") == example.adapter("many"))
      #expect(names(inDirectory: folder + "/many") == names(inDirectory: folder + "/one"))
    }
  }

  /// A run resumes on as many ranks with the same bytes, and on others with the same numbers but for rounding.
  @Test(arguments: [(2, 1), (1, 1), (1, 2)])
  func runsResume(data: Int, tensor: Int) throws {
    try withTemporaryFolder { folder in
      let example = try Example(llama, in: folder)
      let expected = try example.train("whole", data: 2, tensor: 1)
      _ = try example.train("parts", data: 2, tensor: 1, stopAfter: 11)
      let state = try #require(try RunDirectory(folder + "/parts").newestState())
      #expect(state.computation?.dataRanks == 2 && state.computation?.tensorRanks == nil && state.step == 11)
      let found = try example.train("parts", data: data, tensor: tensor, earlier: .resume)
      for (one, other) in zip(expected, found) { #expect(abs(other / one - 1) < 1e-5) }
      #expect(try (example.adapter("parts") == example.adapter("whole")) == ((data, tensor) == (2, 1)))
      let last = try #require(try RunDirectory(folder + "/parts").newestState()?.computation)
      #expect((last.dataRanks ?? 1, last.tensorRanks ?? 1) == (data, tensor))
    }
  }

  /// What ranks are told when they open and begin the run; the last opens it after the others, once the files or its
  /// configuration have changed.
  private func refusals(
    _ ranks: Int, of example: Example, _ change: @escaping @Sendable (inout Configuration) throws -> Void = { _ in }
  ) throws -> [String] {
    try ThreadRanks.run(ranks) { world in
      let ranks = try Ranks(world), isLast = world.rank == world.size - 1
      var configuration = try Configuration(file: example.folder + "/config.json")
      func open() throws -> TrainingSetup {
        try TrainingSetup(configuration, team: ThreadTeam(threads: 1), ranks: ranks)
      }
      let early = isLast ? nil : try open()
      _ = world.all(true)
      if isLast { try change(&configuration) }
      let setup = try early ?? open()
      do {
        var trainer = try Trainer(setup, run: RunDirectory(example.folder + "/run"))
        try trainer.begin(.refuse)
        return "no error"
      } catch let error as InputError { return error.description }
    }
  }

  /// A rank with other rows, another model or other settings is named before anything is written.
  @Test(arguments: ["the rows", "the model", "the configuration"])
  func ranksWithOtherFilesAreNamed(what: String) throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model"
      try makeDirectory(model)
      for file in ["config.json", "model.safetensors"] {
        try writeAtomically(readBytes(of: llama.folder + "/" + file), to: model + "/" + file)
      }
      let example = try Example(llama, in: folder)
      var configuration = try #require(JSON.read(file: folder + "/config.json").object)
      configuration[0] = .init("base_model_name_or_path", .string(model))
      try writeAtomically(JSON.object(configuration).pretty, to: folder + "/config.json")
      let messages = try refusals(3, of: example) { configuration in
        switch what {
        case "the rows":
          let rows = try readBytes(of: folder + "/rows.jsonl").split(separator: UInt8(ascii: "\n"))
          try writeAtomically(
            Array(rows.dropLast().joined(separator: [UInt8(ascii: "\n")])), to: folder + "/rows.jsonl")
        case "the model":
          var bytes = try readBytes(of: model + "/model.safetensors")
          // The lowest byte of each number.
          for index in stride(from: bytes.count % 4 + 8192, to: bytes.count, by: 4) { bytes[index] ^= 1 }
          try writeAtomically(bytes, to: model + "/model.safetensors")
        default: configuration.training.learningRate = 0.5
        }
      }
      for message in messages { #expect(message.hasPrefix(what + ": rank 2 has"), "\(message)") }
      #expect(!fileExists(folder + "/run/metrics.jsonl"))
    }
  }

  @Test func moreRanksThanRowsOfAStepAreAnError() throws {
    try withTemporaryFolder { folder in
      for message in try refusals(6, of: Example(llama, in: folder)) {
        #expect(message.contains("training.batch_size") && message.contains("6 ranks"))
      }
    }
  }

  /// A signal that only one rank has got ends the run on all of them after the same step.
  @Test func oneRankStopsAll() throws {
    try withTemporaryFolder { folder in
      let example = try Example(llama, in: folder)
      let summaries = try ThreadRanks.run(3) { world in
        let setup = try TrainingSetup(
          Configuration(file: example.folder + "/config.json"), team: ThreadTeam(threads: 1), ranks: Ranks(world))
        var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
        try trainer.begin(.refuse)
        var steps = 0
        return try trainer.train(
          shouldStop: {
            steps += 1
            return world.rank == 1 && steps == 4
          }
        ) { _ in }
      }
      for summary in summaries { #expect(summary.wasInterrupted && summary.step == 4) }
      #expect(RunDirectory(folder + "/run").checkpointSteps.last == 4)
    }
  }
}
