import FileFormats
import Kernels
import Runs
import System
import Testing
import TestSupport
import Tuning

/// Runs that end when evaluations get no better.
@Suite struct EarlyStoppingTests {
  private func setup(in folder: String, validates: Bool, _ training: [String: JSON]) throws -> TrainingSetup {
    let file = try ParityGoldens().write(
      "batch1-none", in: folder, training: ["num_train_epochs": .integer(8)].merging(training) { $1 })
    let overrides = [
      (path: "data.validation", value: validates ? JSON.string("train.jsonl") : .null),
      (path: "opt_projection_epsilon", value: .number(1e3)),
      (path: "opt_projection_format_epsilon", value: .number(1e3)),
    ]
    return try TrainingSetup(Configuration(file: file, overrides: overrides), team: ThreadTeam(threads: 1))
  }

  @discardableResult
  private func train(
    _ setup: TrainingSetup, in run: String, stopAfter: Int? = nil, _ earlier: EarlierRun = .refuse
  ) throws -> TrainingSummary {
    var trainer = try Trainer(setup, run: RunDirectory(run))
    try trainer.begin(earlier)
    return try trainer.train(stopAfter: stopAfter) { _ in }
  }

  private func values(_ key: String, of run: String) throws -> [Double] {
    try metrics(in: run, with: key).compactMap { $0[key]?.number }
  }

  /// The number of values after which `patience` in a row were not lower than the lowest before.
  private func index(ofTheEndOf values: [Double], patience: Int) -> Int? {
    values.indices.first { end in
      end >= patience
        && (values[...(end - patience)].min() ?? 0) <= (values[(end - patience + 1)...end].min() ?? 0)
    }
  }

  /// Whole, and in two parts around every step: the same files; and a run that has ended has nothing left to do.
  private func expectTheSameInParts(_ setup: TrainingSetup, _ whole: TrainingSummary, in folder: String) throws {
    let last = whole.step
    let files = [
      "adapter_model.safetensors", "checkpoint-\(last)/trainer_state.json", "checkpoint-\(last)/cpt_state.safetensors",
    ]
    func expectSame(_ run: String) throws {
      for file in files {
        #expect(try readBytes(of: run + "/" + file) == readBytes(of: folder + "/whole/" + file), "\(file)")
      }
    }
    for step in Set([1, last / 2, last - 1, last]) where step > 0 {
      let run = folder + "/parts-\(step)"
      try train(setup, in: run, stopAfter: step)
      #expect(RunDirectory(run).isFinished == (step == last))
      for _ in 0..<2 {
        let summary = try train(setup, in: run, .resume)
        #expect(
          summary.step == last && !summary.wasInterrupted && summary.stagnation?.measure == whole.stagnation?.measure)
        #expect(summary.stagnation?.evaluations == whole.stagnation?.evaluations)
        try expectSame(run)
      }
      #expect(try values("loss", of: run) == values("loss", of: folder + "/whole"))
      #expect(try values("eval_loss", of: run) == values("eval_loss", of: folder + "/whole"))
    }
  }

  @Test(arguments: [1, 3], ["loss", "accuracy"])
  func validationsThatGetNoBetterEndARun(patience: Int, metric: String) throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        in: folder, validates: true,
        [
          "early_stopping_patience": .integer(patience), "eval_steps": .integer(2), "learning_rate": .number(0.3),
          "metric_for_best_model": .string(metric),
        ])
      let summary = try train(setup, in: folder + "/whole")
      let found = try values("eval_" + metric, of: folder + "/whole").map { metric == "loss" ? $0 : -$0 }
      let end = try #require(index(ofTheEndOf: found, patience: patience), "\(found)")
      #expect(end == found.count - 1 && summary.step == 2 * end && summary.step < summary.totalSteps)
      #expect(summary.stagnation?.measure == "validation \(metric)" && summary.stagnation?.evaluations == patience)
      #expect(summary.bestStep == 2 * (end - patience))
      try expectTheSameInParts(setup, summary, in: folder)
    }
  }

  /// By the mean training loss of every epoch, or of eval_steps.
  @Test(arguments: [nil, 7])
  func trainingLossesThatGetNoLowerEndARun(interval: Int?) throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        in: folder, validates: false,
        [
          "early_stopping_patience": .integer(1), "eval_steps": interval.map(JSON.integer) ?? .null,
          // Epochs of a prompt that does not move are equal.
          "optim": .string("sgd"), "learning_rate": .number(interval == nil ? 1e-30 : 1),
        ])
      let summary = try train(setup, in: folder + "/whole")
      let losses = try values("loss", of: folder + "/whole")
      let width = interval ?? 20
      let means = stride(from: 0, to: losses.count, by: width).map { start in
        losses[start..<min(start + width, losses.count)].reduce(0, +) / Double(min(width, losses.count - start))
      }
      let end = try #require(index(ofTheEndOf: means, patience: 1), "\(means)")
      #expect(summary.step == width * (end + 1) && summary.step < summary.totalSteps, "\(means)")
      #expect(summary.stagnation?.measure == "training loss" && summary.stagnation?.evaluations == 1)
      try expectTheSameInParts(setup, summary, in: folder)
    }
  }

  /// Without the key nothing ends early, nor with patience to spare.
  @Test(arguments: [nil, 1000])
  func withPatienceARunTakesAllSteps(patience: Int?) throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        in: folder, validates: true,
        [
          "early_stopping_patience": patience.map(JSON.integer) ?? .null, "learning_rate": .number(0.3),
          "num_train_epochs": .integer(2),
        ])
      let trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      let summary = try train(setup, in: folder + "/run")
      #expect(summary.step == 40 && summary.stagnation == nil)
      // With patience, evaluations after every epoch.
      let steps = try metrics(in: folder + "/run", with: "eval_loss").compactMap { $0["step"]?.integer }
      #expect(steps == (patience == nil ? [0, 40] : [0, 20, 40]) && trainer.evaluations == steps.count)
      let state = try JSON.read(file: folder + "/run/checkpoint-40/trainer_state.json")
      #expect((state["early_stopping"] != nil) == (patience != nil))
    }
  }
}
