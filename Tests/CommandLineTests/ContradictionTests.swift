import FileFormats
import Glibc
import System
import Testing
import TestSupport

/// What would give one thing the name or the numbers of another is refused.
@Suite struct ContradictionTests {
  @Test func aRunStandsForItsBestAdapter() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      // The first evaluation is the best, the last is not.
      example.set("training", "metric_for_best_model", .string("loss"))
      example.set("training", "learning_rate", .number(20))
      example.set("training", "eval_steps", .integer(1))
      try example.write()
      #expect(try example.trainRun().status == 0)
      func loss(_ checkpoint: String) throws -> Double? {
        try Program.run(["eval", "--checkpoint", checkpoint, "--json", "--no-icl"], in: folder)
          .json()["cpt"]?["loss"]?.number
      }
      let best = try loss("run/best")
      #expect(try loss("run") == best && loss("run/checkpoint-6") != best)
    }
  }

  @Test func aFolderHasOneRunAtATime() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "max_steps", .integer(4000))
      try example.write()
      var second: Program.Outcome?
      let status = try Program.interrupt(["train", "--config", "config.json"], in: folder, with: SIGINT) {
        guard fileExists(folder + "/run/checkpoint-2") else { return false }
        second = try? example.trainRun(["--overwrite"])
        return true
      }
      #expect(status == 130 && fileExists(folder + "/run/metrics.jsonl"))
      #expect(second?.status == 64 && second?.errorLine.contains("run: another cpt is training here") == true)
      #expect(try example.trainRun(["--overwrite", "--stop-after", "1"]).status == 0)
    }
  }

  @Test func exportsKeepOutOfRuns() throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      #expect(try WorkingExample(in: folder).trainRun().status == 0)
      for target in ["run", "run/best"] {
        let outcome = try Program.run(
          ["export-prompt", "--checkpoint", "run", "--output", target, "--overwrite"], in: folder)
        #expect(outcome.status == 64 && outcome.errorLine.contains("\(target): contains a run"), "\(outcome.errors)")
      }
      let outcome = try Program.run(["export-prompt", "--checkpoint", "run", "--output", "run/adapter"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }

  @Test(arguments: ["icl", "prompt_tuning", "instruction_prompt_tuning", "head"])
  func onlyCPTContinuesAnAdapter(method: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.configuration["initial_adapter"] = .string("adapter")
      example.set("training", "method", .string(method))
      try example.write()
      let outcome = try example.trainRun()
      #expect(outcome.status == 65 && outcome.errorLine.contains("\"initial_adapter\" is for"), "\(outcome.errors)")
      let comparison = try Program.run(
        ["compare", "--config", "config.json", "--methods", method, "--output", "cells"], in: folder)
      #expect(comparison.status == 65 && !fileExists(folder + "/cells"), "\(comparison.errors)")
    }
  }

  @Test(arguments: [
    (["training.method=icl"], "is for training.method \"cpt\", found \"icl\""),
    (["data.train_on=rest"], "needs \"data.train_on\" \"context\" or \"all\""),
    (["cpt_token_ids=[5, 6, 7]"], "needs a context built from examples; remove it, or \"cpt_token_ids\""),
    (["initial_adapter=adapter"], "needs a context built from examples; remove it, or \"initial_adapter\""),
    (["training.batch_size=4"], "lower training.batch_size"),
  ])
  func leavingOutWhatIsNotThere(settings: [String], message: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "leave_one_out", .bool(true))
      example.set("data", "train_on", .string("all"))
      try example.write()
      let outcome = try example.trainRun(settings.flatMap { ["--set", $0] })
      #expect(outcome.status == 65 && outcome.errorLine.contains("training.leave_one_out"), "\(outcome.errors)")
      #expect(outcome.errorLine.contains(message) && !fileExists(folder + "/run"), "\(outcome.errors)")
    }
  }

  @Test(arguments: [
    (["--methods", "icl", "--set", "cpt:training.seed=1"], 64, "is not a method of this comparison"),
    (["--set", "training.method=icl"], 64, "cannot override training.method; use --methods"),
    (["--set", "prompt_tuning.prompt_tuning_init_text=a"], 65, "needs \"prompt_tuning_init\" \"text\""),
    (
      ["--methods", "prompt_tuning", "--set", "prompt_tuning.num_virtual_tokens=600"], 65,
      "prompt_tuning.num_virtual_tokens: is 600, the model has 512 positions"
    ),
  ])
  func settingsThatWouldNotCount(flags: [String], status: Int32, message: String) throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      let outcome = try Program.run(["compare", "--config", "config.json", "--output", "cells"] + flags, in: folder)
      #expect(outcome.status == status && outcome.errors.contains(message), "\(outcome.errors)")
      #expect(!fileExists(folder + "/cells"))
    }
  }

  @Test func oneSeedHasNoSpread() throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      let outcome = try Program.run(
        [
          "compare", "--config", "config.json", "--output", "cells", "--methods", "icl", "--seeds", "1", "--set",
          "data.context_examples=2", "--set", "training.seed=3", "--json",
        ], in: folder)
      let summary = try #require(try outcome.json()["summary"]?.array?.first)
      #expect(summary["accuracy"]?["sd"] == .null)
      #expect(
        try outcome.json()["settings"] == .array(["data.context_examples=2", "training.seed=3"].map(JSON.string)))
      #expect(try outcome.json()["seeds"] == .array([.integer(3)]))
    }
  }

  /// The lines of mistakes, whatever field they stand in.
  @Test func badBytesAreNamedByTheirLine() throws {
    try withTemporaryFolder { folder in
      for (name, bytes) in [
        ("a.jsonl", Array("{\"a\": 1}\n".utf8) + [0xFF, 0x0A]), ("a.csv", Array("a,b\n1,".utf8) + [0xFF, 0x0A]),
      ] {
        try writeAtomically(bytes, to: folder + "/" + name)
        let outcome = try Program.run(["init", "--data", name], in: folder)
        #expect(outcome.errorLine.contains("\(name):2: expected UTF-8"), "\(outcome.errors)")
      }
    }
  }
}
