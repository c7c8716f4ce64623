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

  /// A rank with other rows, or another model, is named before anything is written.
  @Test(arguments: ["the rows", "the model", "the configuration"])
  func ranksWithOtherFilesAreNamed(what: String) throws {
    try withTemporaryFolder { folder in
      let example = try Example(llama, in: folder)
      let messages = try ThreadRanks.run(3) { world in
        var configuration = try Configuration(file: example.folder + "/config.json")
        if world.rank == 2 {
          switch what {
          case "the rows":
            try writeAtomically(readBytes(of: folder + "/rows.jsonl").dropLast(200), to: folder + "/other.jsonl")
            let text = try String(decoding: readBytes(of: folder + "/other.jsonl"), as: UTF8.self)
            let lines = text.split(separator: "\n").dropLast().joined(separator: "\n")
            try writeAtomically(lines, to: folder + "/other.jsonl")
            configuration.data.validation = folder + "/other.jsonl"
          case "the model": configuration.baseModel = fixtures + "/families/llama-yarn"
          default: configuration.training.learningRate = 0.5
          }
        }
        let ranks = try Ranks(world)
        do {
          var trainer = try Trainer(
            TrainingSetup(configuration, team: ThreadTeam(threads: 1), ranks: ranks), run: RunDirectory(folder + "/run")
          )
          try trainer.begin(.refuse)
          return "no error"
        } catch let error as InputError { return error.description }
      }
      for message in messages {
        // Paths and models are part of the configuration.
        #expect(message.hasPrefix("the configuration: rank 2") || message.hasPrefix(what + ": rank 2"), "\(message)")
      }
      #expect(!fileExists(folder + "/run/metrics.jsonl"))
    }
  }

  @Test func moreRanksThanRowsOfAStepAreAnError() throws {
    try withTemporaryFolder { folder in
      let example = try Example(llama, in: folder)
      let messages = try ThreadRanks.run(6) { world in
        let setup = try TrainingSetup(
          Configuration(file: example.folder + "/config.json"), team: ThreadTeam(threads: 1), ranks: Ranks(world))
        do {
          _ = try Trainer(setup, run: RunDirectory(folder + "/run"))
          return "no error"
        } catch let error as InputError { return error.description }
      }
      for message in messages { #expect(message.contains("training.batch_size") && message.contains("6 ranks")) }
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
