import FileFormats
import Foundation
import Insights
import Runs
import System
import TestSupport
import Testing

@Suite struct StudyTests {
  /// A study over the working example: two tasks, two numbers of shots, two methods, one of them with a choice.
  private func write(in folder: String, _ change: (inout [String: JSON]) throws -> Void = { _ in }) throws {
    let example = WorkingExample(in: folder)
    try example.write()
    let words = #"{"label_words": {"delivery": "delivery", "billing": "billing"}}"#
    let swapped = #"{"label_words": {"delivery": "billing", "billing": "delivery"}}"#
    func json(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8), file: "study") }
    var base = example.configuration
    base["output_dir"] = nil
    base["data"] = try json(
      #"{"train": "train.tsv", "test": "train.tsv", "validation_fraction": 0.25, "context_examples_per_label": 2}"#)
    var study: [String: JSON] = [
      "output_dir": .string("cells"), "base": .object(base.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }),
      "tasks": try json(#"{"plain": {"data": \#(words)}, "swapped": {"data": \#(swapped)}}"#),
      "shots": try json("[3, 5]"),
      "methods": try json(#"{"cpt": {"training": {"learning_rate": [1e-9, 0.01]}}, "icl": {}}"#),
      "seeds": try json("[0, 1]"),
    ]
    try change(&study)
    let members = study.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }
    try writeAtomically(JSON.object(members).pretty, to: folder + "/study.json")
  }

  private func compare(_ flags: [String] = [], in folder: String) throws -> Program.Outcome {
    try Program.run(["compare", "--study", "study.json"] + flags, in: folder)
  }

  @Test func everyCombinationIsACell() throws {
    try withTemporaryFolder { folder in
      try write(in: folder)
      let outcome = try compare(["--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let comparison = try Comparison(folder: folder + "/cells")
      #expect(try outcome.json() == comparison.json)
      #expect(comparison.cells.count == 16 && comparison.conditions.count == 4)
      #expect(comparison.cells[0].folder == "plain-3-shots-cpt-seed-0")
      for cell in comparison.cells {
        let run = folder + "/cells/" + cell.folder
        let configuration = try Configuration(file: run + "/config.json")
        #expect(configuration.training.seed == cell.seed && configuration.training.method.rawValue == cell.method)
        #expect(configuration.data.trainExamplesPerLabel == cell.condition.shots)
        #expect(configuration.data.labelWords?[0].word == (cell.condition.task == "plain" ? "delivery" : "billing"))
        // Four rows of 16 validate; the others give at most 3 or 5 of each label.
        let most = 2 * (cell.method == "icl" ? 2 : cell.condition.shots ?? 0)
        #expect(cell.rowsLearntFrom <= most && cell.rowsLearntFrom >= 4)
        let chosen = comparison.chosen(cell.condition, cell.method)
        if cell.method == "cpt" {
          #expect(configuration.training.learningRate == chosen?.settings["training.learning_rate"]?.number)
          #expect(cell.trainingLoss != nil && cell.steps == 6 && cell.parameters > 0)
        } else {
          #expect(chosen == nil && cell.trainingLoss == nil && cell.parameters == 0)
        }
        // Checkpoints of finished cells are removed.
        #expect(!names(inDirectory: run).contains { $0.hasPrefix("checkpoint-") } && fileExists(run + "/best"))
      }
      #expect(comparison.candidates.count == 8 && comparison.candidates.allSatisfy { $0.method == "cpt" })
      // A step of 1e-9 changes nothing: it is the untrained prompt, which learns nothing of swapped words.
      for condition in comparison.conditions {
        let both = comparison.candidates(condition, "cpt")
        let better =
          both[1].accuracy > both[0].accuracy
          || (both[1].accuracy == both[0].accuracy && both[1].loss < both[0].loss)
        #expect(comparison.chosen(condition, "cpt") == both[better ? 1 : 0])
        #expect(both[0].loss != both[1].loss)
      }
      #expect(outcome.errors.contains("16/16"))
    }
  }

  /// Killed in a cell and continued, a study has the bytes of one that was not.
  @Test func resumedStudiesHaveTheSameBytes() throws {
    try withTemporaryFolder { folder in
      try write(in: folder) { $0["shots"] = .array([.integer(3)]) }
      #expect(try compare(in: folder).status == 0)
      let file = folder + "/cells/" + Comparison.file
      let whole = try readBytes(of: file)
      for folderOfFirstWait in ["plain-3-shots-cpt-candidate-2", "swapped-3-shots-cpt-seed-0"] {
        let status = try Program.interrupt(
          ["compare", "--study", "study.json", "--output", "killed"], in: folder, with: SIGKILL
        ) { fileExists(folder + "/killed/" + folderOfFirstWait + "/metrics.jsonl") }
        #expect(status == SIGKILL)
        let resumed = try compare(["--output", "killed", "--resume"], in: folder)
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try readBytes(of: folder + "/killed/" + Comparison.file) == whole)
        try removeRecursively(folder + "/killed")
      }
      try write(in: folder) { study in
        study["shots"] = .array([.integer(3)])
        study["methods"] = try JSON(
          parsing: Array(#"{"cpt": {"training": {"learning_rate": [1e-9, 0.02]}}, "icl": {}}"#.utf8), file: "methods")
      }
      let other = try compare(["--resume"], in: folder)
      #expect(other.status == 64 && other.errorLine.contains("chooses among differ"), "\(other.errors)")
      try write(in: folder) { $0["shots"] = .array([.integer(3)]) }
      // As if it had been stopped before its first cell, so that only candidates are there.
      let members = (try JSON.read(file: file).object ?? []).map { member in
        member.key == "cells" ? JSON.Member("cells", .array([])) : member
      }
      let early = folder + "/early"
      try FileManager.default.copyItem(atPath: folder + "/cells", toPath: early)
      for name in names(inDirectory: early) where name.contains("-seed-") { try removeRecursively(early + "/" + name) }
      try writeAtomically(JSON.object(members).pretty, to: early + "/" + Comparison.file)
      let changed = try compare(["--output", "early", "--resume", "--set", "cpt:training.max_steps=5"], in: folder)
      #expect(changed.status == 64 && changed.errorLine.contains("\"training.max_steps\" differs"), "\(changed.errors)")
      // A user's file in the way is said before anything is removed.
      let file2 = folder + "/cells/plain-3-shots-icl-seed-1/notes.txt"
      try writeAtomically("mine", to: file2)
      let refused = try compare(["--overwrite"], in: folder)
      #expect(
        refused.status == 64 && refused.errorLine.contains("notes.txt is not of a comparison"), "\(refused.errors)")
      #expect(try readBytes(of: file) == whole)
      try removeRecursively(file2)
      let notes = folder + "/cells/plain-3-shots-cpt-candidate-1/notes.txt"
      try writeAtomically("mine", to: notes)
      #expect(
        try compare(["--overwrite"], in: folder).errorLine.contains("candidate-1/notes.txt is not of a comparison"))
      try removeRecursively(notes)
      // Nor is what a link leads to.
      let cell = folder + "/cells/swapped-3-shots-icl-seed-0", elsewhere = folder + "/elsewhere"
      try FileManager.default.moveItem(atPath: cell, toPath: elsewhere)
      let files = names(inDirectory: elsewhere)
      try FileManager.default.createSymbolicLink(atPath: cell, withDestinationPath: elsewhere)
      let linked = try compare(["--overwrite"], in: folder)
      #expect(linked.status == 64 && linked.errorLine.contains("is a link"), "\(linked.errors)")
      #expect(names(inDirectory: elsewhere) == files && !files.isEmpty)
      try removeRecursively(cell)
      try FileManager.default.moveItem(atPath: elsewhere, toPath: cell)
      // A candidate that the study does not have.
      let text = String(decoding: whole, as: UTF8.self)
      let number = #""candidate": 2,"#
      #expect(text.contains(number))
      let wrong = text.replacing(number, with: #""candidate": 9,"#).replacing(
        #/"settings": {[^}]*}/#, with: #""settings": {}"#)
      try writeAtomically(wrong, to: file)
      let unknown = try compare(["--resume"], in: folder)
      #expect(unknown.status == 64 && unknown.errorLine.contains("chooses among differ"), "\(unknown.errors)")
      try writeAtomically(whole, to: file)
      // Nothing of it is left by --overwrite.
      let one = ["--overwrite", "--set", "training.max_steps=1"]
      #expect(try compare(one, in: folder).status == 0)
      #expect(names(inDirectory: folder + "/cells").count == 8 + 4 + 3)
    }
  }

  /// Finished cells count only with the rows that they were measured on, and with their folders.
  @Test func resumedStudiesNoticeChangedRowsAndMissingFolders() throws {
    try withTemporaryFolder { folder in
      try write(in: folder) { study in
        study["methods"] = try JSON(parsing: Array(#"["icl"]"#.utf8), file: "methods")
        study["shots"] = .array([.integer(3)])
      }
      #expect(try compare(in: folder).status == 0)
      #expect(try compare(["--resume"], in: folder).status == 0)
      let rows = try readBytes(of: folder + "/train.tsv")
      try writeAtomically(rows + Array("one more row\tbilling\n".utf8), to: folder + "/train.tsv")
      let changed = try compare(["--resume"], in: folder)
      #expect(changed.status == 64 && changed.errorLine.contains("train.tsv changed since plain-3-shots-icl-seed-0"))
      try writeAtomically(rows, to: folder + "/train.tsv")
      try removeRecursively(folder + "/cells/swapped-3-shots-icl-seed-1")
      let missing = try compare(["--resume"], in: folder)
      #expect(
        missing.status == 64
          && missing.errorLine.contains(
            "swapped-3-shots-icl-seed-1/config.json is missing, and comparison.json has its")
      )
    }
  }

  @Test func aSecondOneIsRefused() throws {
    try withTemporaryFolder { folder in
      try write(in: folder)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["compare", "--study", "study.json", "--set", "training.max_steps=100000"]
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      process.standardError = FileHandle.nullDevice
      try process.run()
      defer {
        process.terminate()
        process.waitUntilExit()
      }
      while process.isRunning, !fileExists(folder + "/cells/" + Comparison.file) { usleep(1000) }
      for flags in [[], ["--resume"], ["--overwrite"]] {
        let second = try compare(flags, in: folder)
        #expect(second.status == 64 && second.errorLine.contains("another cpt is training here"), "\(second.errors)")
      }
    }
  }

  /// With folds, settings are chosen on parts of the rows, and cells learn from all of them.
  @Test func foldsChooseAndCellsLearnFromAll() throws {
    try withTemporaryFolder { folder in
      try write(in: folder) { study in
        study["tasks"] = nil
        study["shots"] = .array([.integer(4)])
        study["seeds"] = .array([.integer(0)])
        let base = (study["base"]?.object ?? []).filter { $0.key != "data" }
        study["base"] = .object(
          base + [
            .init(
              "data",
              try JSON(
                parsing: Array(
                  #"{"train": "train.tsv", "test": "train.tsv", "validation_folds": 2, "context_examples_per_label": 1}"#
                    .utf8), file: "data"))
          ])
      }
      let outcome = try compare(in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let cells = folder + "/cells/"
      var validated: [Int] = []
      for fold in 1...2 {
        let text = try readBytes(of: cells + "4-shots-cpt-candidate-1-fold-\(fold)/config.json")
        let data = try JSON(parsing: text, file: "config")["data"]
        #expect(data?["validation_fold"] == .integer(fold - 1) && data?["validation_folds"] == .integer(2))
        let state = try TrainerState(file: cells + "4-shots-cpt-candidate-1-fold-\(fold)/best/" + TrainerState.file)
        validated.append(state.validationRows ?? 0)
        #expect(state.trainingRows == 2)
      }
      #expect(validated == [4, 4])
      let cell = try JSON.read(file: cells + "4-shots-cpt-seed-0/config.json")["data"]
      #expect(cell?["validation_folds"] == .null)
      #expect(try Comparison(folder: folder + "/cells").cells.map(\.rowsLearntFrom) == [8, 2])
    }
  }

  /// 400 different numbers.
  private static let many = (1...400).map(String.init).joined(separator: ", ")

  @Test(arguments: [
    (#"{"seeds": [], "methods": ["cpt"]}"#, "\"seeds\" is missing or empty"),
    (#"{"seeds": [0]}"#, "\"methods\" is missing or empty"),
    (#"{"seeds": [0, 0], "methods": ["cpt"]}"#, "a number twice"),
    (#"{"seeds": [0], "methods": ["cptt"]}"#, "\"methods\" must be a list of methods"),
    (#"{"seeds": [0], "methods": {"mine": {}}}"#, "\"methods.mine\" is not the name of a method"),
    (#"{"seeds": [0], "methods": {"a/b": {}}}"#, "\"methods\" has the name \"a/b\""),
    (#"{"seed": [0], "methods": ["cpt"]}"#, "\"seed\" is an unknown key; did you mean \"seeds\"?"),
    (#"{"seeds": [0], "methods": ["cpt"], "base": {"trainng": {}}}"#, "\"trainng\" is an unknown key"),
    (#"{"seeds": [0], "methods": ["cpt"], "base": {}}"#, "has no data.test to compare methods on"),
    (#"{"seeds": [0], "methods": ["cpt"], "tasks": {"a, b": {}}}"#, "\"tasks\" has the name \"a, b\"; names become"),
    (#"{"seeds": [0], "methods": ["cpt"], "tasks": {"a": 3}}"#, "\"tasks\" must be an object from different names"),
    (
      #"{"seeds": [0], "methods": {"cpt": {"training": {"learning_rate": [0.1, 0.2]}}}, "base": {"data": {"test": "t.tsv"}}}"#,
      "leaves \"training.learning_rate\" to validation rows, and there are none"
    ),
    (
      #"{"seeds": [0], "methods": ["cpt"], "tasks": {"y-z": {}, "z": {}}, "models": {"x": {}, "x-y": {}}, "base": {"data": {"test": "t"}}}"#,
      "give the folder"
    ),
    (
      #"{"seeds": [0], "methods": {"cpt": {"training": {"learning_rate": [\#(Self.many)], "max_steps": [\#(Self.many)]}}}}"#,
      "\"methods.cpt\" gives more than 100000 runs"
    ),
    (
      #"{"seeds": [\#(Self.many)], "methods": ["cpt"], "shots": [\#(Self.many)]}"#,
      "\"methods\" gives more than 100000 runs"
    ),
    (#"{"seeds": [0], "methods": {"cpt": {"training": {"learning_rate": []}}}}"#, "has an empty list"),
    (
      #"{"seeds": [0], "methods": ["cpt"], "base": {"training": {"seed": 3}}}"#,
      "\"base.training.seed\" is set by the study's \"seeds\"; remove it"
    ),
    (
      #"{"seeds": [0], "shots": [2], "methods": {"cpt": {"data": {"train_examples_per_label": 3}}}}"#,
      "\"methods.cpt.data.train_examples_per_label\" is set by the study's \"shots\""
    ),
    (
      #"{"seeds": [0], "methods": {"cpt": {"training": 3}}}"#,
      "\"methods.cpt.training\" must be an object, found 3"
    ),
    (
      #"{"seeds": [0], "methods": {"cpt": {"data": {"max_test_examples": [3, 4]}}}}"#,
      "\"methods.cpt.data.max_test_examples\" cannot be chosen on validation rows"
    ),
    (
      #"{"seeds": [0], "methods": {"cpt": {"data": {"max_test_examples": 5}}, "icl": {}}, "base": {"data": {"test": "t.tsv"}}}"#,
      "measures its methods on different rows"
    ),
    (#"[]"#, "the file must be an object"),
  ])
  func mistakesAreOneLine(study: String, message: String) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(study, to: folder + "/study.json")
      let outcome = try compare(["--output", "cells"], in: folder)
      #expect(outcome.status == 65 && outcome.errorLine.contains(message), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1 && !fileExists(folder + "/cells"))
    }
  }

  @Test(arguments: [
    ([], "compare: --config or --study is missing"),
    (["--study", "study.json", "--config", "config.json"], "conflicts with --study"),
    (["--study", "study.json", "--seeds", "2"], "conflicts with --study"),
    (["--study", "study.json", "--set", "training.seed=4"], "\"training.seed\" is set by the study's \"seeds\""),
    (["--study", "study.json", "--set", "ptt:training.max_steps=1"], "\"ptt\" is not a method of this comparison"),
  ])
  func wrongFlags(flags: [String], message: String) throws {
    try withTemporaryFolder { folder in
      try write(in: folder)
      let outcome = try Program.run(["compare", "--output", "other"] + flags, in: folder)
      #expect(outcome.status == 64 && outcome.errorLine.contains(message), "\(outcome.errors)")
    }
  }
}
