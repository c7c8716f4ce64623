import FileFormats
import System
import Testing
import TestSupport

@Suite struct InspectTests {
  private func inspect(_ arguments: [String], in folder: String = repository) throws -> Program.Outcome {
    try Program.run(["inspect"] + arguments, in: folder)
  }

  @Test func aRunBeforeItStarts() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      // Letters that take two columns, letters with marks, and what must not reach a terminal as it is.
      example.train = example.train.map { ("包裹 👩‍👩‍👧 e\u{301} \u{1B}[31m " + $0.0, $0.1 == "billing" ? "请款请款请款" : $0.1) }
      try example.write()
      let outcome = try inspect(["--config", "config.json"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(outcome.output.contains("train.tsv:") && outcome.output.contains("more tokens of the context"))
      #expect(outcome.output.contains("input template") && !outcome.output.contains("\u{1B}"))
      #expect(outcome.output.contains("label         tokens"))
      #expect(outcome.output.contains("\ndelivery      delivery "))
      #expect(outcome.output.contains("\n请款请款请款  <0x"))
      #expect(!fileExists(folder + "/run"))

      let json = try inspect(["--config", "config.json", "--json", "--row", "2"], in: folder).json()
      let dry = try example.trainRun(["--dry-run", "--json"]).json()
      // The same facts, without the time in a dry run.
      let facts = try #require(json["forecast"]?.object)
      let known = try #require(dry.object).dropLast()
      #expect(dry.object?.last?.key == "configuration")
      #expect(known.map(\.key) == facts.prefix(known.count).map(\.key))
      // What the process holds beside the run differs a little.
      for (one, other) in zip(known, facts) where one.key != "memory_bytes" { #expect(one == other) }
      #expect(
        facts.dropFirst(known.count).map(\.key) == [
          "operations", "step_seconds", "evaluations", "evaluation_seconds", "total_seconds",
        ])
      let steps = 6 * (facts.first { $0.key == "step_seconds" }?.value.number ?? 0)
      let evaluations = 3 * (facts.first { $0.key == "evaluation_seconds" }?.value.number ?? 0)
      #expect(steps > 0 && evaluations > 0 && abs((facts.last?.value.number ?? 0) - steps - evaluations) < 1e-9)
      let spoken = outcome.output.split { $0.isWhitespace }.joined(separator: " ")
      #expect(spoken.contains(" for 6 steps and 3 evaluations, by the time that parts of them took"))
      let words = try #require(example.trainRun(["--dry-run"]).output.split(separator: "\n\n").last)
      for part in words.split(separator: "\n") where part.hasPrefix("context") || part.hasPrefix("steps") {
        #expect(outcome.output.contains(part), "\(words)")
      }
      #expect(json["context"]?.array?.count == dry["context_tokens"]?.integer)
      #expect((json["forecast"]?["step_seconds"]?.number ?? 0) > 0)
      // Rows are counted from 1 to 12.
      let last = try inspect(["--config", "config.json", "--json", "--row", "12"], in: folder).json()
      #expect(last["example"]?["row"] != nil && last["example"]?["row"] != json["example"]?["row"])
      let labels = try #require(json["labels"]?.array)
      #expect(labels.compactMap { $0["label"]?.string } == ["delivery", "请款请款请款"])
      #expect(labels.compactMap { $0["validation_rows"]?.integer } == [8, 8])
      // --all shows every token: the context, the example, two lines of heading.
      let tokens = try #require(json["example"]?["tokens"]?.array?.count)
      let all = try inspect(["--config", "config.json", "--all", "--row", "2"], in: folder).output
      let table = all.split(separator: "\n\n")[0]
      #expect(table.split(separator: "\n").count == tokens + (dry["context_tokens"]?.integer ?? 0) + 2)
    }
  }

  @Test func whatWouldStopTrainingIsSaid() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set(
        "data", "label_words", .object([.init("delivery", .string("one")), .init("billing", .string("one two"))]))
      try example.write()
      let outcome = try inspect(["--config", "config.json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("! The tokens of \"delivery\" are a prefix of those of \"billing\""))
      #expect(outcome.output.contains("! cpt train would stop: data.label_words: the tokens"))
      let json = try inspect(["--config", "config.json", "--json"], in: folder).json()
      #expect(json["error"]?.string?.contains("never win") == true && json["forecast"] == nil)
    }
  }

  /// The same findings by inspect and train, as text and as JSON.
  @Test func findingsAboutRowsAreSaid() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.train.append(("refund me 1 please", "delivery"))
      example.set("data", "validation", .null)
      example.set("data", "train_on", .string("all"))
      try example.write()
      let findings = [
        "1 row to learn from has the same text as another one and another label: lines 3 and 18 of",
        "the same file is data.train and data.test",
      ]
      let text = try inspect(["--config", "config.json"], in: folder).output.replacing("\n  ", with: " ")
      let json = try inspect(["--config", "config.json", "--json"], in: folder).json()
      let dry = try example.trainRun(["--dry-run"])
      let run = try example.trainRun(["--json"])
      #expect(run.status == 0, "\(run.errors)")
      let warnings = try #require(run.json()["warnings"]?.array).compactMap(\.string)
      #expect(warnings.count == findings.count, "\(warnings)")
      for (finding, warning) in zip(findings, warnings) {
        #expect(text.contains("! " + finding.prefix(1).uppercased() + finding.dropFirst()), "\(text)")
        #expect(json["warnings"]?.array?.contains { $0.string?.contains(finding.dropFirst()) == true } == true)
        #expect(dry.errors.contains("note: " + finding) && run.errors.contains("note: " + finding), "\(run.errors)")
        #expect(warning.hasPrefix(finding))
      }
    }
  }

  /// Texts that were truncated are counted.
  @Test func truncatedRowsAreCounted() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.train.append((Array(repeating: "parcel", count: 800).joined(separator: " "), "billing"))
      example.set("data", "train_on", .string("all"))
      example.set("data", "context_examples", .integer(2))
      example.set("data", "truncate_text", .bool(true))
      try example.write()
      let outcome = try example.trainRun(["--dry-run", "--set", "training.seed=1"])
      #expect(
        outcome.errors.contains(
          "note: 1 of 17 validation rows are truncated at the end to fit the model's window: train.tsv:18\n"),
        "\(outcome.errors)")
      let middle = try inspect(
        ["--config", "config.json", "--set", "training.seed=1", "--set", "data.truncate_text=middle"], in: folder)
      #expect(
        middle.output.replacing(/\n +/, with: " ").contains("1 of 17 train rows are truncated in the middle to fit"),
        "\(middle.output)")
    }
  }

  @Test func aModel() throws {
    let outcome = try inspect(["--model", "configs/quickstart/model"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    for fact in [
      "family             gpt2", "heads              4 of 32", "parameters         989952", "BPE, 1024 tokens",
    ] {
      #expect(outcome.output.contains(fact), "\(fact)")
    }
    let json = try inspect(["--model", fixtures + "/families/llama", "--json"]).json()
    #expect(json["key_value_heads"]?.integer == 2 && json["heads"]?.integer == 4, "\(json.compact)")
    #expect(json["tokenizer_error"]?.string?.contains("has no tokenizer") == true)
  }

  @Test func aTunedPrompt() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      let outcome = try inspect(["--checkpoint", "run/checkpoint-4"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("after step 4,") && outcome.output.contains("effective rank of"))
      #expect(outcome.output.split(separator: "\n\n").last?.split(separator: "\n").count == 11)
      #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(outcome.output)")

      // Step by step as the listing of export-prompt.
      let json = try inspect(["--checkpoint", "run/checkpoint-6", "--all", "--json"], in: folder).json()
      #expect(json["step"]?.integer == 6)
      let listing = try Program.run(
        ["export-prompt", "--checkpoint", "run/checkpoint-6", "--format", "text", "--json"], in: folder)
      #expect(try json["listing"] == listing.json())
      let drift = try #require(json["drift"]?.array)
      let tokens = drift.reduce(0) { $0 + ($1["tokens"]?.integer ?? 0) }
      #expect(tokens == json["listing"]?.array?.count)
      for entry in drift {
        let distances = json["listing"]?.array?.filter { $0["role"] == entry["role"] }.compactMap {
          $0["distance"]?.number
        }
        #expect(distances?.max() == entry["largest"]?.number)
      }
      let values = try #require(json["singular_values"]?.array).compactMap(\.number)
      #expect(values == values.sorted(by: >) && (values.first ?? 0) > 0)
    }
  }

  /// Virtual tokens have no ball; in-context learning has no steps.
  @Test func otherMethods() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "eval_steps", .null)
      try example.write()
      let method = "training.method=prompt_tuning"
      let before = try inspect(["--config", "config.json", "--set", method, "--json"], in: folder).json()
      let tokens = try #require(before["context"]?.array)
      #expect(tokens.count == 20 && tokens.compactMap { $0["radius"]?.number }.isEmpty)
      #expect(try example.trainRun(["--set", method]).status == 0)
      let after = try inspect(["--checkpoint", "run"], in: folder)
      #expect(after.status == 0 && !after.output.contains("surface of their ball"), "\(after.errors)")
      #expect(after.output.contains("effective rank"))
      let icl = try inspect(["--config", "config.json", "--set", "training.method=icl"], in: folder)
      #expect(icl.status == 0 && icl.output.contains("for the evaluation"), "\(icl.errors)")
    }
  }

  /// The prompt of a model over another one of the same sizes; and over one of another width.
  @Test func aPromptOverAnotherModel() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      let other = try inspect(["--checkpoint", "run", "--model", fixtures + "/families/llama"], in: folder)
      #expect(other.status == 65 && other.errorLine.contains("the model"), "\(other.errors)")
      let source = repository + "/configs/quickstart/model"
      try makeDirectory(folder + "/model")
      for name in names(inDirectory: source) {
        try writeAtomically(readBytes(of: source + "/" + name), to: folder + "/model/" + name)
      }
      // A model whose embeddings are another's: the file's bytes turned by a page.
      let weights = folder + "/model/model.safetensors"
      var bytes = try readBytes(of: weights)
      let tensor = try #require(SafetensorsFile(path: weights)["transformer.wte.weight"])
      let start = try #require(tensor.bytes.baseAddress) - #require(tensor.file.bytes.baseAddress)
      bytes[start..<(start + 4096)].reverse()
      let turned = Array(bytes[(start + 256)..<(start + tensor.bytes.count)] + bytes[start..<(start + 256)])
      bytes.replaceSubrange(start..<(start + tensor.bytes.count), with: turned)
      try writeAtomically(bytes, to: weights)
      let moved = try inspect(["--checkpoint", "run", "--model", "model"], in: folder)
      #expect(moved.status == 0 && moved.output.contains("lie outside their balls"), "\(moved.errors)")
    }
  }

  @Test(arguments: [
    ([], 64, "expected --config FILE"), (["--json"], 64, "expected --config FILE"),
    (["--config", "a", "--model", "b"], 64, "--model: conflicts with --config"),
    (["--config", "a", "--checkpoint", "b"], 64, "--checkpoint: conflicts with --config"),
    (["--checkpoint", "b", "--set", "a=1"], 64, "--set: conflicts with --checkpoint"),
    (["--model", "b", "--all"], 64, "--all: conflicts with --model"),
    (["--config", "a"], 66, "a: cannot be opened"), (["--model", "nowhere"], 66, "nowhere: no such file or folder"),
    (["--checkpoint", "nowhere"], 66, "nowhere/adapter_config.json: not found"),
    (["--config", "configs/quickstart/quickstart.json", "--row", "0"], 64, "--row: must be a whole number"),
    (["--config", "configs/quickstart/quickstart.json", "--row", "999"], 64, "--row: must be at most 200"),
  ])
  func mistakes(arguments: [String], status: Int32, message: String) throws {
    let outcome = try inspect(arguments)
    #expect(outcome.status == status && outcome.errorLine.contains(message), "\(outcome.errors)")
    #expect(outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1)
  }
}
