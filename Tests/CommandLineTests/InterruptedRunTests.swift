import FileFormats
import Foundation
import Runs
import System
import Testing
import TestSupport

/// Runs that were killed, that start twice, that go on elsewhere or under other limits.
@Suite struct InterruptedRunTests {
  private static let results = [
    "adapter_model.safetensors", "adapter_config.json", "best/adapter_model.safetensors", "best/trainer_state.json",
    "checkpoint-6/cpt_state.safetensors",
  ]

  /// Trains the example to its end in `whole`, and to a step in `run`, and hands over its folder.
  private func withStoppedRun(
    at step: Int = 3, _ flags: [String] = ["--threads", "1"],
    _ body: (WorkingExample) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun(["--output", "whole"] + flags).status == 0)
      #expect(try example.trainRun(["--stop-after", "\(step)"] + flags).status == 0)
      try body(example)
    }
  }

  private func expectSameResults(_ one: String, _ other: String, place: SourceLocation = #_sourceLocation) throws {
    for file in Self.results {
      // The place of a moved model is the only difference that may be.
      if file.hasSuffix("config.json"), folder(of: one) != folder(of: other) { continue }
      #expect(
        try readBytes(of: one + "/" + file) == readBytes(of: other + "/" + file), "\(file)", sourceLocation: place)
    }
  }

  /// What a kill at some file system call leaves.
  @Test(arguments: [
    "nothing but the lock", "nothing", "a partial configuration", "no metrics", "a half-removed checkpoint",
    "a partial checkpoint", "a best that is not in place", "a best that was moved aside", "half a line of metrics",
  ])
  func aKillLeavesARunThatGoesOn(kind: String) throws {
    try withStoppedRun { example in
      let run = example.folder + "/run"
      func keep(only kept: [String]) throws {
        for name in names(inDirectory: run) where !kept.contains(name) { try removeRecursively(run + "/" + name) }
      }
      switch kind {
      case "nothing but the lock": try keep(only: ["cpt.lock"])
      case "nothing": try keep(only: [])
      case "a partial configuration":
        try keep(only: ["cpt.lock"])
        try writeAtomically("{", to: run + "/config.json.partial-7")
      case "no metrics": try keep(only: ["cpt.lock", "config.json"])
      case "a half-removed checkpoint":
        try removeRecursively(run + "/checkpoint-3/trainer_state.json")
        try removeRecursively(run + "/checkpoint-3/adapter_config.json")
      case "a partial checkpoint":
        try makeDirectory(run + "/checkpoint-4.partial")
        try writeAtomically("{", to: run + "/checkpoint-4.partial/adapter_config.json")
      case "a best that is not in place", "a best that was moved aside":
        #expect(try example.trainRun(["--resume", "--stop-after", "5", "--threads", "1"]).status == 0)
        #expect(move(run + "/best", to: run + (kind.hasSuffix("place") ? "/best.partial" : "/best.old")))
        if kind.hasSuffix("place") { try makeDirectory(run + "/best") }
      default:
        let metrics = try AppendingFile(path: run + "/metrics.jsonl")
        try metrics.append(Array(#"{"step": 4, "loss"#.utf8))
      }
      let outcome = try example.trainRun(["--resume", "--threads", "1"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      try expectSameResults(run, example.folder + "/whole")
      let expected = names(inDirectory: example.folder + "/whole") + (kind.contains("line") ? ["checkpoint-3"] : [])
      #expect(
        Set(names(inDirectory: run)).subtracting(["checkpoint-3", "checkpoint-5"])
          == Set(expected).subtracting(["checkpoint-3"]))
      if kind == "a half-removed checkpoint" { #expect(!fileExists(run + "/checkpoint-3")) }
      let steps = try RunHistory(RunDirectory(run))
      #expect(steps.steps.map(\.step) == Array(1...6) && steps.evaluations.map(\.step) == [0, 4, 6])
    }
  }

  /// A folder in which a run was killed before its first file is free for a plain start, and for --overwrite.
  @Test(arguments: [[], ["--overwrite"]])
  func afterAKillARunStartsPlainly(flags: [String]) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      try makeDirectory(folder + "/run")
      for name in ["cpt.lock", "config.json.partial-1"] { try writeAtomically("", to: folder + "/run/" + name) }
      let outcome = try example.trainRun(flags)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }

  /// --overwrite was killed while it removed a run.
  @Test func halfARunCanBeOverwritten() throws {
    try withStoppedRun { example in
      try writeAtomically("mine", to: example.folder + "/run/notes.txt")
      for name in ["best", "checkpoint-2", "checkpoint-3", "metrics.jsonl"] {
        try removeRecursively(example.folder + "/run/" + name)
      }
      #expect(try example.trainRun(["--overwrite", "--threads", "1"]).status == 0)
      try expectSameResults(example.folder + "/run", example.folder + "/whole")
      #expect(fileExists(example.folder + "/run/notes.txt"))
    }
  }

  /// Other programs have folders with these names; and users keep notes in ours.
  @Test func filesOfOthersStay() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let theirs = [
        "metrics.jsonl": #"{"loss": 1}"#, "config.json": #"{"model_type": "bert"}"#, "cpt.lock": "",
        "checkpoint-500/optimizer.pt": "w", "best/model.bin": "w",
      ]
      for (name, text) in theirs {
        try makeDirectory(System.folder(of: folder + "/run/" + name))
        try writeAtomically(text, to: folder + "/run/" + name)
      }
      for flags in [["--overwrite"], ["--resume"], []] {
        let outcome = try example.trainRun(flags)
        #expect(outcome.status == 64, "\(outcome.errors)")
      }
      for (name, text) in theirs { #expect(try readBytes(of: folder + "/run/" + name) == Array(text.utf8), "\(name)") }
      #expect(try example.trainRun(["--output", "own", "--set", "training.save_total_limit=1"]).status == 0)
      for name in ["best", "checkpoint-6", "checkpoint-99", "tensorboard"] {
        try makeDirectory(folder + "/own/" + name)
        try writeAtomically("mine", to: folder + "/own/\(name)/notes.txt")
      }
      for flags in [["--resume"], ["--overwrite"]] {
        let outcome = try example.trainRun(["--output", "own", "--set", "training.save_total_limit=1"] + flags)
        #expect(outcome.status == 0, "\(outcome.errors)")
        for name in ["best", "checkpoint-6", "checkpoint-99", "tensorboard"] {
          #expect(fileExists(folder + "/own/\(name)/notes.txt"), "\(name)")
        }
      }
    }
  }

  /// One of two trains; the other one changes nothing.
  @Test(arguments: [["--resume"], ["--overwrite"], []])
  func twoProcessesAtOnce(flags: [String]) throws {
    try withStoppedRun { example in
      var example = example
      example.set("training", "max_steps", .integer(400))
      try example.write()
      if flags.isEmpty { try removeRecursively(example.folder + "/run") }
      if flags == ["--resume"] {
        try removeRecursively(example.folder + "/run")
        #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      }
      let processes = try (0..<2).map { _ in
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = ["train", "--config", "config.json", "--threads", "1"] + flags
        process.currentDirectoryURL = URL(fileURLWithPath: example.folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
      }
      for process in processes { process.waitUntilExit() }
      #expect(processes.map(\.terminationStatus).sorted() == [0, 64])
      let history = try RunHistory(RunDirectory(example.folder + "/run"))
      #expect(history.steps.map(\.step) == Array(1...400))
    }
  }

  /// A limit that allows less than the run began with: the same numbers, or a refusal.
  @Test func aResumedRunComputesAsItBegan() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "batch_size", .integer(12))
      try example.write()
      let whole = try example.trainRun(["--output", "whole", "--json", "--set", "training.memory_limit=40MB"])
      let planned = try #require(whole.json()["planned_memory_bytes"]?.integer)
      let least = try example.trainRun(["--output", "least", "--set", "training.memory_limit=1MB"])
      #expect(least.status == 65, "\(least.errors)")
      let words = least.errorLine.split(separator: " ")
      let index = try #require(words.firstIndex(of: "about"))
      let smallest = try #require(Int(words[index + 1]))
      #expect(
        try example.trainRun(["--stop-after", "3", "--set", "training.memory_limit=\(smallest)MB"]).status == 0)
      let recorded = try JSON.read(file: folder + "/run/checkpoint-3/trainer_state.json")["computation"]
      #expect(recorded?["recompute_activations"]?.bool == true)
      #expect(try example.trainRun(["--resume"]).status == 0)
      #expect(
        try example.trainRun(["--output", "small", "--set", "training.memory_limit=\(smallest)MB"]).status == 0)
      try expectSameResults(folder + "/run", folder + "/small")
      // Of the larger plan, less memory than it takes.
      #expect(
        try example.trainRun(["--stop-after", "3", "--output", "large", "--set", "training.memory_limit=\(planned)"])
          .status == 0)
      let refused = try example.trainRun(
        ["--resume", "--output", "large", "--set", "training.memory_limit=\(smallest)MB"])
      #expect(refused.status == 64 && refused.errorLine.contains("training.memory_limit is"), "\(refused.errors)")
      #expect(try example.trainRun(["--resume", "--output", "large"]).status == 0)
      try expectSameResults(folder + "/large", folder + "/whole")
    }
  }

  /// Without --threads, a run goes on with the number it began with.
  @Test func aResumedRunHasItsThreads() throws {
    try withStoppedRun(["--threads", "3"]) { example in
      let outcome = try example.trainRun(["--resume"])
      #expect(outcome.status == 0 && !outcome.errors.contains("--threads"), "\(outcome.errors)")
      try expectSameResults(example.folder + "/run", example.folder + "/whole")
      let states = try ["run", "whole"].map {
        try JSON.read(file: example.folder + "/\($0)/checkpoint-6/trainer_state.json")["computation"]?["threads"]
      }
      #expect(states == [.integer(3), .integer(3)])
      #expect(try example.trainRun(["--overwrite", "--stop-after", "3", "--threads", "3"]).status == 0)
      let other = try example.trainRun(["--resume", "--threads", "1"])
      #expect(other.status == 0 && other.errors.contains("note: --threads: the run used 3 so far"), "\(other.errors)")
    }
  }

  @Test func anUntrainedRunHasOneEvaluation() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      for flags in [[], ["--resume"], ["--resume"]] {
        #expect(try example.trainRun(["--set", "training.method=icl"] + flags).status == 0)
      }
      #expect(try RunHistory(RunDirectory(folder + "/run")).evaluations.count == 1)
    }
  }

  /// The whole project moves, and then only the model.
  @Test func runsMove() throws {
    try withTemporaryFolder { folder in
      let old = folder + "/old/place", new = folder + "/new"
      try makeDirectory(old)
      var example = WorkingExample(in: old)
      try makeDirectory(old + "/model")
      for name in names(inDirectory: repository + "/configs/quickstart/model") {
        try writeAtomically(
          readBytes(of: repository + "/configs/quickstart/model/" + name), to: old + "/model/" + name)
      }
      example.configuration["base_model_name_or_path"] = .string("model")
      example.configuration["tokenizer_name_or_path"] = .string("model")
      try example.write()
      #expect(try example.trainRun(["--output", "whole"]).status == 0)
      #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      func eval(_ flags: [String], in folder: String) throws -> Program.Outcome {
        try Program.run(["eval", "--checkpoint", "whole", "--json", "--no-icl"] + flags, in: folder)
      }
      func accuracy(_ outcome: Program.Outcome) throws -> JSON? {
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try outcome.json()["cpt"]?["loss"]
      }
      let before = try accuracy(eval([], in: old))
      #expect(move(old, to: new))
      #expect(try accuracy(eval([], in: new)) == before)
      let resumed = try Program.run(["train", "--config", "config.json", "--resume"], in: new)
      #expect(resumed.status == 0, "\(resumed.errors)")
      for file in Self.results where !file.hasSuffix("config.json") {
        #expect(try readBytes(of: new + "/run/" + file) == readBytes(of: new + "/whole/" + file), "\(file)")
      }
      #expect(move(new + "/model", to: folder + "/elsewhere"))
      #expect(try eval([], in: new).status == 66)
      #expect(try accuracy(eval(["--model", "../elsewhere"], in: new)) == before)
      let text = try Program.run(
        ["generate", "--checkpoint", "whole", "--model", "../elsewhere", "--prompt", "my parcel"], in: new)
      #expect(text.status == 0, "\(text.errors)")
      let page = try Program.run(["report", "whole", "--model", "../elsewhere", "--output", "page.html"], in: new)
      #expect(page.status == 0, "\(page.errors)")
      let map = try Program.run(["inspect", "--checkpoint", "whole", "--model", "../elsewhere"], in: new)
      #expect(map.status == 0, "\(map.errors)")
    }
  }

  /// The rows and the model may lie elsewhere, but must be the same.
  @Test func resumingComparesContents() throws {
    try withStoppedRun { example in
      #expect(move(example.folder + "/train.tsv", to: example.folder + "/rows.tsv"))
      let rows = ["data.train", "data.validation", "data.test"].flatMap { ["--set", $0 + "=rows.tsv"] }
      let moved = try example.trainRun(["--resume", "--threads", "1"] + rows)
      #expect(moved.status == 0, "\(moved.errors)")
      try expectSameResults(example.folder + "/run", example.folder + "/whole")
      // A model with the same word embeddings, and one other number in a block.
      let source = repository + "/configs/quickstart/model", copy = example.folder + "/model"
      try makeDirectory(copy)
      for name in names(inDirectory: source) {
        try writeAtomically(readBytes(of: source + "/" + name), to: copy + "/" + name)
      }
      let weights = copy + "/model.safetensors"
      let file = try SafetensorsFile(path: weights)
      let tensor = try #require(
        file.tensors.first { $0.name.contains("h.0.") && $0.name.hasSuffix("c_fc.weight") })
      let offset = try #require(tensor.bytes.baseAddress) - #require(tensor.file.bytes.baseAddress)
      var bytes = try readBytes(of: weights)
      bytes[offset] ^= 1
      try writeAtomically(bytes, to: weights)
      #expect(try example.trainRun(["--overwrite", "--stop-after", "3"] + rows).status == 0)
      let other = try example.trainRun(["--resume", "--set", "base_model_name_or_path=model"] + rows)
      #expect(other.status == 65 && other.errorLine.contains("was made with another model"), "\(other.errors)")
    }
  }
}
