import FileFormats
import Method
import Runs
import System
import Testing
import TestSupport
import Tuning

/// Which rows a step sees, and at which learning rate.
@Suite struct TrainerTests {
  /// The losses of steps of one row whose prompt stays as it is: each names its row.
  private func losses(shuffles: Bool, seed: Int = 0) throws -> [[Double]] {
    try withTemporaryFolder { folder in
      let setup = try ParityGoldens().setup(
        "batch1-none", in: folder,
        training: [
          "shuffle": .bool(shuffles), "seed": .integer(seed), "num_train_epochs": .integer(3), "optim": .string("sgd"),
          "learning_rate": .number(1e-30),
        ])
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let all = try metrics(in: folder + "/run", with: "loss").compactMap { $0["loss"]?.number }
      #expect(all.count == 60)
      return stride(from: 0, to: 60, by: 20).map { Array(all[$0..<($0 + 20)]) }
    }
  }

  @Test func everyEpochHasAllRowsInAnOrderOfItsOwn() throws {
    let epochs = try losses(shuffles: true), inOrder = try losses(shuffles: false)
    #expect(inOrder == [inOrder[0], inOrder[0], inOrder[0]])
    #expect(Set(epochs + [inOrder[0]]).count == 4)
    for epoch in epochs { #expect(epoch.sorted() == inOrder[0].sorted()) }
    #expect(try losses(shuffles: true) == epochs)
    #expect(try losses(shuffles: true, seed: 1) != epochs)
  }

  /// As transformers: rounded up. Of 20 steps.
  @Test(arguments: ["warmup_ratio", "warmup_steps"], [(0.25, 5), (0.26, 6), (0.01, 1), (0.99, 20)])
  func theWarmUpIsAShareOfTheSteps(key: String, case: (ratio: Double, steps: Int)) throws {
    let (ratio, steps) = `case`
    try withTemporaryFolder { folder in
      let setup = try ParityGoldens().setup("batch1-none", in: folder, training: [key: .number(ratio)])
      #expect(try Trainer(setup, run: RunDirectory(folder + "/run")).plan.warmupSteps == steps)
    }
  }

  /// Rates are those of the schedule, from the first step on.
  @Test func learningRatesFollowTheSchedule() throws {
    try withTemporaryFolder { folder in
      let setup = try ParityGoldens().setup(
        "batch1-none", in: folder,
        training: [
          "warmup_steps": .integer(3), "max_steps": .integer(12), "lr_scheduler_type": .string("cosine"),
          "learning_rate": .number(0.5),
        ])
      var trainer = try Trainer(setup, run: RunDirectory(folder + "/run"))
      try trainer.begin(.refuse)
      _ = try trainer.train { _ in }
      let schedule = LearningRateSchedule(kind: .cosine, warmupSteps: 3, totalSteps: 12)
      let rates = try metrics(in: folder + "/run", with: "learning_rate").compactMap { $0["learning_rate"]?.number }
      #expect(rates == (0..<12).map { 0.5 * schedule.factor(atStep: $0) })
    }
  }

  /// Of the validations before the first step and after steps 2, 4, … 20, with a rate that makes the prompt worse in the end.
  @Test(arguments: ["accuracy", "macro_f1", "loss"])
  func theBestCheckpointIsTheBestOfItsMetric(metric: String) throws {
    try withTemporaryFolder { folder in
      let goldens = try ParityGoldens()
      let file = try goldens.write(
        "batch1-none", in: folder,
        training: [
          "learning_rate": .number(0.3), "eval_steps": .integer(2), "metric_for_best_model": .string(metric),
        ])
      let configuration = try Configuration(
        file: file,
        overrides: [
          (path: "data.validation", value: .string("train.jsonl")),
          (path: "opt_projection_epsilon", value: .number(1e3)),
          (path: "opt_projection_format_epsilon", value: .number(1e3)),
        ])
      let setup = try TrainingSetup(configuration, team: .init(threads: 1))
      let run = RunDirectory(folder + "/run")
      var trainer = try Trainer(setup, run: run)
      try trainer.begin(.refuse)
      let summary = try trainer.train { _ in }
      let values = try metrics(in: run.path, with: "eval_loss").map { try #require($0["eval_" + metric]?.number) }
      #expect(values.count == 11 && Set(values).count > 1, "\(values)")
      let best = try #require(metric == "loss" ? values.min() : values.max())
      #expect(summary.bestMetric == best)
      // Of equals, the one of the lowest loss.
      let losses = try metrics(in: run.path, with: "eval_loss").map { try #require($0["eval_loss"]?.number) }
      let equals = values.indices.filter { values[$0] == best }
      let lowest = try #require(equals.map { losses[$0] }.min())
      #expect(summary.bestStep == 2 * (try #require(equals.first { losses[$0] == lowest })))
      #expect(try run.state(of: run.best)?.step == summary.bestStep)
    }
  }
}
