import FileFormats
import System
import Testing
import TestSupport

/// What a run is planned with against what its process takes at its peak.
@Suite struct MemoryTests {
  /// A model of 60 layers, a context of 20 tokens, and rows of up to 24 tokens, of which 72 make a batch.
  private func write(
    _ golden: FamilyGoldens.Case, in folder: String, limit: Int? = nil
  ) throws {
    try makeDirectory(folder + "/model")
    try DeepModel.write(golden, layers: 60, to: folder + "/model")
    var generator = TestGenerator(seed: 3)
    func row(_ count: Int) -> JSON {
      let ids = (0..<count).map { _ in Int.random(in: 5..<60, using: &generator) }
      let types = (0..<count).map { $0 == count - 2 ? 4 : $0 == count - 1 ? 0 : 2 }
      return .object([
        .init("input_ids", .array((ids.dropLast(2) + [3 + ids[0] % 2, 1]).map(JSON.integer))),
        .init("input_type_mask", .array(types.map(JSON.integer))),
      ])
    }
    let rows = (0..<144).map { row(12 + $0 % 13).compact }
    try writeAtomically(rows.joined(separator: "\n"), to: folder + "/train.jsonl")
    let configuration: JSON = .object([
      .init("base_model_name_or_path", .string("model")),
      .init("cpt_token_ids", .array((0..<20).map { .integer(5 + $0) })),
      .init("cpt_tokens_type_mask", .array((0..<20).map { .integer($0 % 10 == 9 ? 4 * (1 + $0 / 10) : 2) })),
      .init("data", .object([.init("train", .string("train.jsonl"))])),
      .init(
        "training",
        .object([
          .init("batch_size", .integer(72)), .init("max_steps", .integer(2)),
          .init("memory_limit", limit.map(JSON.integer) ?? .null),
        ])),
      .init("output_dir", .string("run")),
    ])
    try writeAtomically(configuration.pretty, to: folder + "/config.json")
  }

  /// The bytes a run is planned with, and those its process held at its peak.
  private func planAndPeak(in folder: String) throws -> (plan: Double, peak: Double) {
    let outcome = try Program.run(["train", "--config", "config.json", "--json", "--overwrite"], in: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let run = try outcome.json()
    return (
      try #require(run["planned_memory_bytes"]?.number), try #require(run["peak_memory_bytes"]?.number)
    )
  }

  @Test(arguments: try FamilyGoldens().cases)
  func thePlanIsWhatTheProcessTakes(golden: FamilyGoldens.Case) throws {
    try withTemporaryFolder { folder in
      try write(golden, in: folder)
      let (plan, peak) = try planAndPeak(in: folder)
      #expect(peak > 60e6, "activations are most of it")
      #expect(abs(plan / peak - 1) < 0.1, "planned \(plan / 1e6), took \(peak / 1e6) MB")
      // With half of that: fewer rows a pack, blocks recomputed.
      try write(golden, in: folder, limit: Int(peak / 2))
      let (less, lessPeak) = try planAndPeak(in: folder)
      #expect(less < peak / 2)
      #expect(abs(less / lessPeak - 1) < 0.1, "planned \(less / 1e6), took \(lessPeak / 1e6) MB")
    }
  }

  /// Evaluations between steps may take more than the steps; a limit makes their packs smaller.
  @Test func evaluationsArePlanned() throws {
    try withTemporaryFolder { folder in
      func planAndPeak(_ settings: [String]) throws -> (plan: Double, peak: Double) {
        let all = ["training.max_steps=1", "training.batch_size=1", "data.context_examples=2"] + settings
        let outcome = try Program.run(
          [
            "train", "--config", "configs/quickstart/quickstart.json", "--output", folder + "/run", "--overwrite",
            "--json",
          ]
            + all.flatMap { ["--set", $0] })
        #expect(outcome.status == 0, "\(outcome.errors)")
        let run = try outcome.json()
        return (
          try #require(run["planned_memory_bytes"]?.number), try #require(run["peak_memory_bytes"]?.number)
        )
      }
      let alone = try planAndPeak(["data.validation=null"]), both = try planAndPeak([])
      #expect(both.peak > alone.peak + 3e6, "\(both.peak / 1e6), \(alone.peak / 1e6) MB")
      // Of 33 MB, most is the program itself.
      #expect(abs(both.plan - both.peak) < 5e6, "planned \(both.plan / 1e6), took \(both.peak / 1e6) MB")
      let limit = (alone.plan + both.plan) / 2
      let limited = try planAndPeak(["training.memory_limit=\(Int(limit))"])
      #expect(limited.plan <= limit && limited.peak < both.peak - 1e6, "\(limited.peak / 1e6) MB")
    }
  }
}
