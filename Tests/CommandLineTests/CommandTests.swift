import FileFormats
import Glibc
import System
import Testing
import TestSupport

@Suite struct CommandTests {
  @Test(arguments: [
    ([], "usage: cpt"), (["trian"], "did you mean \"train\"?"), (["train"], "--config: is missing"),
    (["train", "--confg", "x"], "did you mean --config?"), (["train", "--config"], "needs a value FILE"),
    (["train", "--config", "--resume"], "needs a value FILE"), (["train", "x"], "takes only flags"),
    (["train", "--config", "a", "--config", "b"], "appears twice"),
    (["train", "--resume=1", "--config", "a"], "takes no value"),
    (["eval", "--checkpoint", "x", "--threads", "0"], "x/adapter_config.json: not found"),
    (["export-prompt", "--checkpoint", "x", "--format", "pft"], "did you mean \"peft\"?"),
    (["train", "--config", "x", "--resume", "--overwrite"], "conflicts with --overwrite"),
    (["generate", "--prompt", "a"], "--checkpoint: is missing"),
    (["generate", "--checkpoint", "x", "--prompt", "a"], "x/adapter_config.json: not found"),
    (["generate", "--checkpoint", "x", "--max-tokens", "0"], "--max-tokens: must be a whole number of at least 1"),
    (["generate", "--checkpoint", "x", "--temperature", "-1"], "--temperature: must be a number of at least 0"),
    (["generate", "--checkpoint", "x", "--temperature", "nan"], "--temperature: must be a number of at least 0"),
    (["generate", "--checkpoint", "x", "--top-k", "1.5"], "--top-k: must be a whole number of at least 1"),
    (["generate", "--checkpoint", "x", "--top-p", "1.01"], "--top-p: must be a number above 0 and up to 1"),
    (["generate", "--checkpoint", "x", "--top-p", "0"], "--top-p: must be a number above 0 and up to 1"),
    (["generate", "--checkpoint", "x", "--top-k", "5"], "--top-k: needs a --temperature above 0"),
    (["generate", "--checkpoint", "x", "--top-p", "0.5", "--temperature", "0"], "--top-p: needs a --temperature"),
    (["generate", "--checkpoint", "x", "--seed", "x"], "--seed: must be a whole number"),
    (["generate", "--checkpoint", "x", "--stop", ""], "--stop: needs a value TEXT"),
  ])
  func wrongCommandLinesAreUsageErrors(arguments: [String], message: String) throws {
    let outcome = try Program.run(arguments)
    #expect(outcome.status == (message.contains("not found") ? 66 : 64))
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  /// Names with spaces, quotes, line breaks and escapes: nothing of them reaches the terminal, and what is printed to run
  /// next runs.
  @Test func namesAreShownAndQuoted() throws {
    try withTemporaryFolder { folder in
      let name = "it's a\n\u{1B}[31m\u{9B}\u{202E}run"
      var example = WorkingExample(in: folder)
      example.configuration["output_dir"] = .string(name)
      try example.write()
      let dry = try example.trainRun(["--dry-run"])
      #expect(dry.status == 0)
      let run = try example.trainRun()
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains(#"it's a \u{1B}[31m\u{9B}\u{202E}run"#), "\(run.output)")
      for output in [dry.output, run.output, run.errors] {
        #expect(!output.unicodeScalars.contains { ["\u{1B}", "\u{9B}", "\u{202E}"].contains($0) })
      }
      let command = try #require(run.output.split(separator: "next: cpt ").last)
      let next = try Program.run(
        ["-c", "\(Program.path) \(command)"], in: folder, executable: "/bin/bash")
      #expect(next.status == 0 && next.output.contains("accuracy"), "\(command) \(next.errors)")
    }
  }

  @Test func trainWritesWhatItSays() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "save_total_limit", .integer(2))
      try example.write()
      let outcome = try example.trainRun(["--json"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let summary = try outcome.json()
      #expect(summary["step"]?.integer == 6)
      #expect(
        names(inDirectory: folder + "/run") == [
          "adapter_config.json", "adapter_model.safetensors", "best", "checkpoint-4", "checkpoint-6", "config.json",
          "cpt.lock", "metrics.jsonl",
        ])
      let lines = try readBytes(of: folder + "/run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
        .map { try JSON(parsing: Array($0), file: "metrics") }
      let keys = [
        "step", "epoch", "loss", "label_accuracy", "learning_rate", "grad_norm", "examples_per_second",
        "elapsed_seconds",
      ]
      #expect(lines.filter { $0["loss"] != nil }.count == 6)
      #expect(lines.first { $0["loss"] != nil }?.object?.map(\.key) == keys)
      #expect(lines.filter { $0["eval_loss"] != nil }.compactMap { $0["step"]?.integer } == [0, 4, 6])
      // The resolved configuration is itself a configuration, and the adapter is PEFT's pair.
      let again = try Program.run(["train", "--config", "run/config.json", "--output", "again"], in: folder)
      #expect(again.status == 0, "\(again.errors)")
      let weights = "/adapter_model.safetensors"
      #expect(try readBytes(of: folder + "/run" + weights) == readBytes(of: folder + "/again" + weights))
      let adapter = try JSON.read(file: folder + "/run/adapter_config.json")
      #expect(adapter["peft_type"]?.string == "CPT" && adapter["task_type"]?.string == "CAUSAL_LM")
      #expect(adapter["num_virtual_tokens"]?.integer == adapter["cpt_token_ids"]?.array?.count)
      #expect(adapter["inference_mode"] == .bool(true))
      #expect(adapter["cpt_mask"]?.array?.allSatisfy { $0 == .integer(1) } == true)
      #expect(["data", "template", "training", "prompt_tuning", "model"].allSatisfy { adapter[$0] == nil })
      #expect(again.output.contains("best on validation at step") && again.errors.contains("validation: loss"))
      #expect(again.output.contains("next: cpt eval --checkpoint again/best\n"))
    }
  }

  /// The context before the first step says whether template and words suit the model: here with words that do, and with
  /// every word that of another label.
  @Test(arguments: [0, 1])
  func anUntrainedContextThatKnowsNothingIsNoted(shift: Int) throws {
    try withTemporaryFolder { folder in
      let labels = ["billing", "delivery", "returns", "technical"]
      let words = JSON.object(
        labels.indices.map { .init(labels[$0], .string(labels[($0 + shift) % labels.count])) })
      func train(_ flags: [String]) throws -> Program.Outcome {
        try Program.run(
          [
            "train", "--config", repository + "/configs/quickstart/quickstart.json", "--output", "run", "--json",
            "--set", "training.max_steps=1", "--set", "data.max_validation_examples=60", "--set",
            "data.label_words=" + words.compact,
          ] + flags, in: folder)
      }
      let outcome = try train([])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let first = try #require(metrics(in: folder + "/run", with: "eval_loss").first)
      #expect(first["step"] == .integer(0) && outcome.errors.contains("\nuntrained  validation: loss "))
      let accuracy = try #require(first["eval_accuracy"]?.number)
      #expect((accuracy > 0.37) == (shift == 0), "\(accuracy)")
      let note =
        "of the validation rows, no more than always answering \"delivery\" (36.7 %); the template or label words"
      let warnings = try outcome.json()["warnings"]?.array ?? []
      #expect(warnings.contains { $0.string?.contains(note) == true } == (shift == 1), "\(warnings)")
      #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("note: untrained, ") } == shift)
      let resumed = try train(["--resume"])
      #expect(resumed.status == 0 && !resumed.errors.contains("untrained"), "\(resumed.errors)")
    }
  }

  /// Rows of one label, methods that start from anything, and prompts that are trained already say nothing of the words.
  @Test(arguments: ["one label", "prompt_tuning", "initial_adapter", "no validation"])
  func otherStartsAreNotNoted(kind: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set(
        "data", "label_words",
        .object([.init("delivery", .string("billing")), .init("billing", .string("delivery"))]))
      try example.write()
      switch kind {
      case "one label":
        try writeAtomically("text\tlabel\nmy parcel is late\tdelivery\n", to: folder + "/one.tsv")
        example.set("data", "validation", .string("one.tsv"))
      case "prompt_tuning": example.set("training", "method", .string(kind))
      case "initial_adapter":
        #expect(try example.trainRun(["--output", "first", "--stop-after", "1"]).status == 0)
        example.configuration["initial_adapter"] = .string("first/checkpoint-1")
      default: example.set("data", "validation", .null)
      }
      try example.write()
      let outcome = try example.trainRun()
      #expect(outcome.status == 0 && !outcome.errors.contains("note: untrained"), "\(outcome.errors)")
      #expect(outcome.errors.contains("untrained  validation") == (kind == "one label" || kind == "prompt_tuning"))
      #expect(outcome.errors.contains("step 0  validation") == (kind == "initial_adapter"))
    }
  }

  /// It says so, is finished, and has nothing left to do.
  @Test func aRunThatStopsEarlyIsFinished() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      for (key, value) in [
        ("metric_for_best_model", JSON.string("loss")), ("learning_rate", .number(20)), ("eval_steps", .integer(1)),
        ("early_stopping_patience", .integer(2)),
      ] { example.set("training", key, value) }
      try example.write()
      let outcome = try example.trainRun()
      #expect(outcome.status == 0, "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n")
      let again = try example.trainRun(["--resume"])
      #expect(again.status == 0 && again.output.split(separator: "\n").first == lines.first, "\(again.errors)")
      let json = try example.trainRun(["--resume", "--json"]).json()
      let step = try #require(json["step"]?.integer), best = try #require(json["best_step"]?.integer)
      #expect(json["stopped_early"] == .bool(true) && json["interrupted"] == .bool(false) && step == best + 2)
      #expect(lines.first == "stopped early at step \(step): no better validation loss for 2 evaluations")
      #expect(lines[1].hasPrefix("trained \(step) of 6 steps in "))
      #expect(fileExists(folder + "/run/adapter_config.json") && fileExists(folder + "/run/checkpoint-\(step)"))
      let page = try Program.run(["report", "run", "--output", "r.html"], in: folder)
      #expect(page.status == 0, "\(page.errors)")
      let text = try String(decoding: readBytes(of: folder + "/r.html"), as: UTF8.self)
      #expect(text.contains("ended after 2 evaluations without a better one; the best on validation rows is "))
      // More patience is another run; without the key, the steps of evaluations are free.
      let other = try example.trainRun(["--resume", "--set", "training.early_stopping_patience=3"])
      #expect(other.status == 64 && other.errorLine.contains("early_stopping_patience"), "\(other.errors)")
      let rarer = try example.trainRun(["--resume", "--set", "training.eval_steps=2"])
      #expect(rarer.status == 64 && rarer.errorLine.contains("eval_steps"), "\(rarer.errors)")
    }
  }

  /// 40 steps with a stop after step 17 end as 40 steps without.
  @Test func aResumedRunEqualsOneThatWasNotStopped() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "max_steps", .integer(40))
      example.set("training", "save_steps", .integer(10))
      try example.write()
      let whole = try example.trainRun(["--output", "whole"])
      #expect(whole.status == 0, "\(whole.errors)")
      let stopped = try example.trainRun(["--output", "parts", "--stop-after", "17"])
      #expect(stopped.status == 0 && stopped.output.contains("--resume"))
      #expect(fileExists(folder + "/parts/checkpoint-17"))
      #expect(!fileExists(folder + "/parts/adapter_model.safetensors"))
      // Steps after the checkpoint that a killed run has written are forgotten.
      try AppendingFile(path: folder + "/parts/metrics.jsonl").append(line: #"{"step": 18, "loss": 5}"#)
      let resumed = try example.trainRun(["--output", "parts", "--resume"])
      #expect(resumed.status == 0, "\(resumed.errors)")
      for file in [
        "adapter_model.safetensors", "best/adapter_model.safetensors", "checkpoint-40/cpt_state.safetensors",
      ] {
        #expect(try readBytes(of: folder + "/whole/" + file) == readBytes(of: folder + "/parts/" + file), "\(file)")
      }
      #expect(try untimed(folder + "/whole/metrics.jsonl") == untimed(folder + "/parts/metrics.jsonl"))
    }
  }

  /// The metrics without what depends on the clock.
  private func untimed(_ file: String) throws -> [JSON] {
    try readBytes(of: file).split(separator: UInt8(ascii: "\n")).map { line in
      let members = try JSON(parsing: Array(line), file: file).object ?? []
      return .object(members.filter { !["examples_per_second", "elapsed_seconds"].contains($0.key) })
    }
  }

  @Test func resumeRefusesAnotherConfiguration() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      let other = try example.trainRun(["--resume", "--set", "training.learning_rate=0.5"])
      #expect(other.status == 64 && other.errorLine.contains("\"training.learning_rate\" differs"), "\(other.errors)")
      let refused = try example.trainRun()
      #expect(refused.status == 64 && refused.errorLine.contains("is not empty"), "\(refused.errors)")
      #expect(try example.trainRun(["--overwrite"]).status == 0)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsARunWithACheckpoint(signal: Int32) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "max_steps", .integer(5000))
      example.set("training", "save_steps", .null)
      try example.write()
      let metrics = folder + "/run/metrics.jsonl"
      let found = try Program.interrupt(["train", "--config", "config.json"], in: folder, with: signal) {
        (try? readBytes(of: metrics).isEmpty) == false
      }
      #expect(found == 128 + signal)
      let checkpoints = names(inDirectory: folder + "/run").filter { $0.hasPrefix("checkpoint-") }
      #expect(checkpoints.count == 1)
      #expect(try JSON.read(file: folder + "/run/\(checkpoints.first ?? "")/trainer_state.json")["step"]?.integer != 0)
    }
  }

  @Test func overwriteReplacesOnlyRuns() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      try makeDirectory(folder + "/run/best")
      try writeAtomically("precious", to: folder + "/run/best/precious")
      let refused = try example.trainRun(["--overwrite"])
      #expect(refused.status == 64 && refused.errorLine.contains("holds files but no run"), "\(refused.errors)")
      #expect(fileExists(folder + "/run/best/precious"))
      let missing = try example.trainRun(["--resume", "--output", "elsewhere"])
      #expect(missing.status == 64 && missing.errorLine.contains("there is no run"), "\(missing.errors)")
    }
  }

  /// When to validate and to save, and where to, may change under a run.
  @Test func resumeAllowsWhatChangesNoNumber() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      let settings = [
        "training.save_steps=5", "training.eval_steps=5", "training.save_total_limit=2", "training.memory_limit=4GB",
        "data.test=null",
      ].flatMap { ["--set", $0] }
      let outcome = try example.trainRun(["--resume"] + settings)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(names(inDirectory: folder + "/run").filter { $0.hasPrefix("check") } == ["checkpoint-5", "checkpoint-6"])
    }
  }

  @Test func resumeRefusesOtherData() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      example.train = example.train.map { ($0.0 + " now", $0.1) }
      try example.write()
      let outcome = try example.trainRun(["--resume"])
      #expect(outcome.status == 65 && outcome.errorLine.contains("was made with other data"), "\(outcome.errors)")
    }
  }

  @Test func resumeRefusesOtherValidationRows() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("data", "validation", .string("validation.tsv"))
      try example.write()
      try writeAtomically("text\tlabel\nrefund me\tbilling\n", to: folder + "/validation.tsv")
      #expect(try example.trainRun(["--stop-after", "3"]).status == 0)
      try writeAtomically("text\tlabel\nrefund now\tbilling\n", to: folder + "/validation.tsv")
      let outcome = try example.trainRun(["--resume"])
      #expect(outcome.status == 65 && outcome.errorLine.contains("was made with other data"), "\(outcome.errors)")
    }
  }

  @Test func predictionsDoNotReplaceFiles() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      let evaluate = { try Program.run(["eval", "--checkpoint", "run/best", "--predictions"] + $0, in: folder) }
      #expect(try evaluate(["train.tsv"]).status == 64)
      #expect(try evaluate(["nowhere/p.jsonl"]).status == 64)
      #expect(try evaluate(["/dev/null"]).status == 0)
      #expect(try evaluate(["p.jsonl"]).status == 0)
      #expect(try evaluate(["p.jsonl", "--overwrite"]).status == 0)
      // Standard output is the predictions' then.
      let printed = try evaluate(["-"])
      #expect(printed.status == 0 && printed.errors.contains("accuracy"))
      #expect(try Array(printed.output.utf8) == readBytes(of: folder + "/p.jsonl"))
    }
  }

  @Test func dryRunComputesAndWritesNothing() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let outcome = try example.trainRun(["--dry-run", "--json"])
      let facts = try outcome.json()
      #expect(facts["total_steps"]?.integer == 6)
      #expect(facts["training_examples"]?.integer == 12)
      #expect((facts["memory_bytes"]?.integer ?? 0) > 1_000_000)
      #expect(facts["configuration"]?["training"]?["batch_size"]?.integer == 3)
      #expect(!fileExists(folder + "/run"))
    }
  }

  @Test func evaluatesAndExports() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      let evaluation = try Program.run(
        ["eval", "--checkpoint", "run/best", "--json", "--predictions", "p.jsonl"], in: folder)
      let json = try evaluation.json()
      #expect(json["rows"]?.integer == 16)
      let accuracy = try #require(json["cpt"]?["accuracy"]?.number)
      #expect(json["icl"]?["accuracy"]?.number != nil && json["cpt"]?["accuracy_stderr"]?.number != nil)
      // The baseline is another prompt.
      #expect(json["icl"]?["loss"] != json["cpt"]?["loss"])
      let interval = try #require(json["cpt"]?["accuracy_interval"]?.array).compactMap(\.number)
      #expect(interval.count == 2 && interval[0] < accuracy && accuracy <= interval[1])
      // Each scoring decides once more; the first is the one above.
      let scorings = try #require(json["scorings"]?.object)
      #expect(scorings.map(\.key) == ["acc", "acc_norm", "acc_per_token", "pmi_dc", "calibrated", "batch_calibrated"])
      #expect(scorings[0].value["cpt"]?["accuracy"]?.number == accuracy)
      #expect(scorings.allSatisfy { $0.value["icl"]?["macro_f1"]?.number != nil })
      let other = try Program.run(
        ["eval", "--checkpoint", "run/best", "--json", "--scoring", "calibrated"], in: folder
      ).json()
      #expect(other["cpt"]?["accuracy"] == scorings[4].value["cpt"]?["accuracy"])
      let lines = try readBytes(of: folder + "/p.jsonl").split(separator: UInt8(ascii: "\n"))
        .map { try JSON(parsing: Array($0), file: "p") }
      #expect(lines.count == 16)
      let correct = lines.count { $0["label"] == $0["prediction"] }
      #expect(abs(Double(correct) / 16 - accuracy) < 1e-9)
      // A table for people.
      let table = try Program.run(["eval", "--checkpoint", "run/best"], in: folder)
      #expect(table.output.contains("CPT by label") && table.output.contains("label \\ CPT predicted"))

      let export = { try Program.run(["export-prompt", "--checkpoint", "run/best"] + $0, in: folder) }
      #expect(try export(["--output", "peft"]).status == 0)
      #expect(
        names(inDirectory: folder + "/peft") == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
      #expect(try export(["--output", "peft"]).status == 64)
      // What was exported evaluates the same: only the configuration has to be said.
      let exported = try Program.run(
        ["eval", "--checkpoint", "peft", "--config", "config.json", "--json", "--no-icl"], in: folder)
      #expect(try exported.json()["cpt"] == json["cpt"])
      #expect(try export(["--format", "safetensors", "--output", "p.safetensors"]).status == 0)
      #expect(try export(["--format", "npy", "--output", "p.npy"]).status == 0)
      let printed = try Program.run(
        ["-c", "\"$0\" export-prompt --checkpoint run/best --format npy --output - | cmp - p.npy", Program.path],
        in: folder, executable: "/bin/bash")
      #expect(printed.status == 0 && printed.errors.isEmpty, "\(printed)")
      #expect(try export(["--output", "-"]).errorLine.contains("--output: expected a folder"))
      let tensor = try #require(SafetensorsFile(path: folder + "/p.safetensors")["prompt_embeddings"])
      let numpy = try readBytes(of: folder + "/p.npy")
      #expect(
        Array(numpy.suffix(tensor.bytes.count)) == Array(tensor.bytes) && numpy.count % 64 == tensor.bytes.count % 64)
      for neighbours in [0, 2] {
        let listing = try export(["--format", "text", "--neighbours", "\(neighbours)", "--json"]).json()
        #expect(listing.array?.allSatisfy { $0["nearest"]?.array?.count == neighbours } == true)
      }
      let text = try export(["--format", "text"])
      #expect(text.output.split(separator: "\n").count == tensor.shape[0] + 1)
      #expect(text.output.contains("input template") && text.output.contains("label"))
    }
  }
}
