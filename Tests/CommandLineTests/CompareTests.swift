import Insights
import Method
import Tuning
import FileFormats
import Foundation
import Runs
import System
import Testing
import TestSupport

@Suite struct CompareTests {
  private func compare(_ flags: [String], in folder: String) throws -> Program.Outcome {
    try Program.run(["compare", "--config", "config.json", "--output", "cells"] + flags, in: folder)
  }

  @Test func everyMethodOverSeedsCellByCell() throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      let outcome = try compare(["--seeds", "2", "--json", "--set", "prompt_tuning:training.max_steps=3"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let comparison = try Comparison(folder: folder + "/cells")
      #expect(try outcome.json() == comparison.json)
      let names = TuningMethod.allCases.map(\.rawValue)
      #expect(comparison.methods == names && comparison.seeds == [0, 1])
      #expect(comparison.cells.map(\.method) == names.flatMap { [$0, $0] })
      for cell in comparison.cells {
        let run = folder + "/cells/" + cell.folder
        let metrics = try readBytes(of: run + "/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
          .map { try JSON(parsing: Array($0), file: "metrics") }.filter { $0["loss"] != nil }
        let steps = ["icl": 0, "head": 0, "prompt_tuning": 3][cell.method] ?? 6
        #expect(metrics.count == steps && cell.steps == steps)
        #expect((cell.parameters == 0) == (cell.method == "icl"))
        // The cell's numbers are those of `cpt eval` on its best checkpoint.
        let evaluation = try Program.run(["eval", "--checkpoint", run + "/best", "--no-icl", "--json"])
        #expect(
          try evaluation.json()[cell.method]?["accuracy"]?.number == cell.accuracy, "\(evaluation.errors)")
        let records = try PredictionRecord.read(file: run + "/" + Comparison.predictionsFile)
        #expect(records.map { $0.label == $0.tuned.prediction } == cell.hits)
        #expect(cell.accuracy == Double(cell.hits.count { $0 }) / 16)
      }
      let spread = try #require(comparison.summaries.first?.accuracy)
      let values = comparison.cells.prefix(2).map(\.accuracy)
      #expect(abs(spread.mean - (values[0] + values[1]) / 2) < 1e-12)
      #expect(abs((spread.standardDeviation ?? 0) - abs(values[0] - values[1]) / 2.0.squareRoot()) < 1e-12)
      #expect(spread.worst == values.min() && spread.best == values.max())
    }
  }

  /// A cell's numbers are those of its best checkpoint, here the first, not of its last.
  @Test func cellsAreMeasuredAtTheirBest() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "metric_for_best_model", .string("loss"))
      example.set("training", "learning_rate", .number(20))
      example.set("training", "eval_steps", .integer(1))
      try example.write()
      #expect(try compare(["--seeds", "1", "--methods", "cpt"], in: folder).status == 0)
      let cell = try #require(Comparison(folder: folder + "/cells").cells.first)
      let run = folder + "/cells/cpt-seed-0"
      let best = try Program.run(["eval", "--checkpoint", run + "/best", "--json", "--no-icl"]).json()
      let last = try RunHistory(RunDirectory(run)).evaluations.last
      #expect(best["cpt"]?["loss"]?.number == cell.loss && last?.loss != cell.loss && last?.step == 6)
    }
  }

  /// A cell has the steps that were taken.
  @Test func cellsThatStopEarly() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "learning_rate", .number(1e-12))
      example.set("training", "eval_steps", .integer(1))
      example.set("training", "early_stopping_patience", .integer(2))
      try example.write()
      #expect(try compare(["--seeds", "1", "--methods", "cpt"], in: folder).status == 0)
      #expect(try Comparison(folder: folder + "/cells").cells.map(\.steps) == [2])
    }
  }

  @Test func finishedCellsAreNotRunAgain() throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      #expect(try compare(["--seeds", "1", "--methods", "cpt,icl"], in: folder).status == 0)
      let file = folder + "/cells/cpt-seed-0/metrics.jsonl"
      let before = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
      #expect(try compare(["--seeds", "2"], in: folder).status == 64)
      let more = try compare(["--seeds", "2", "--methods", "cpt", "--resume"], in: folder)
      #expect(more.status == 0, "\(more.errors)")
      #expect(more.errors.contains("  kept"))
      let after = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
      #expect(before == after)
      let cells = try Comparison(folder: folder + "/cells").cells
      #expect(cells.map(\.folder) == ["cpt-seed-0", "cpt-seed-1", "icl-seed-0"])
      let other = try compare(["--seeds", "1", "--resume", "--set", "training.learning_rate=0.5"], in: folder)
      #expect(other.status == 64 && other.errors.contains("\"training.learning_rate\" differs"), "\(other.errors)")
      #expect(try compare(["--seeds", "1", "--methods", "icl", "--overwrite"], in: folder).status == 0)
      #expect(names(inDirectory: folder + "/cells") == ["comparison.json", "cpt.lock", "icl-seed-0", "times.json"])
      // A user's notes stay, as does a comparison.json of another program.
      try writeAtomically("mine", to: folder + "/cells/icl-seed-0/notes.txt")
      try makeDirectory(folder + "/cells/cpt-seed-of-mine")
      #expect(try compare(["--seeds", "1", "--methods", "cpt", "--overwrite"], in: folder).status == 0)
      #expect(names(inDirectory: folder + "/cells/icl-seed-0") == ["notes.txt"])
      #expect(fileExists(folder + "/cells/cpt-seed-of-mine"))
      try writeAtomically("{}", to: folder + "/cells/comparison.json")
      #expect(try compare(["--seeds", "1", "--methods", "cpt", "--overwrite"], in: folder).status == 64)
    }
  }

  @Test func anInterruptedCellGoesOn() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "max_steps", .integer(4000))
      try example.write()
      let flags = ["compare", "--config", "config.json", "--output", "cells", "--seeds", "1", "--methods", "cpt"]
      let status = try Program.interrupt(flags, in: folder, with: SIGINT) {
        fileExists(folder + "/cells/cpt-seed-0/checkpoint-2")
      }
      #expect(status == 130)
      let steps = names(inDirectory: folder + "/cells/cpt-seed-0").filter { $0.hasPrefix("checkpoint-") }
      let unfinished = try Comparison(folder: folder + "/cells").cells
      #expect(!steps.isEmpty && unfinished.isEmpty)
    }
  }

  @Test(arguments: [
    (["--methods", "cpt,itl"], 64, "\"itl\" is not a method; did you mean \"icl\"?"),
    (["--methods", "cpt,cpt"], 64, "must list each method once"), (["--methods", ","], 64, "must list each method"),
    (["--seeds", "0"], 64, "--seeds: must be a whole number of at least 1"),
    (["--set", "ptt:training.seed=1"], 64, "\"ptt\" is not a method of this comparison"),
    (["--set", "data.test=null", "--set", "data.validation=null"], 65, "has no data.test to compare methods on"),
    (["--resume"], 64, "there is no comparison"), (["--resume", "--overwrite"], 64, "conflicts with --overwrite"),
    (["--set", "prompt_tuning.prompt_tuning_init=text"], 65, "\"prompt_tuning.prompt_tuning_init_text\" is missing"),
  ])
  func wrongCommandLines(flags: [String], status: Int32, message: String) throws {
    try withTemporaryFolder { folder in
      try WorkingExample(in: folder).write()
      let outcome = try compare(flags, in: folder)
      #expect(outcome.status == status && outcome.errors.contains(message), "\(outcome.errors)")
      #expect(!fileExists(folder + "/cells"))
    }
  }
}
