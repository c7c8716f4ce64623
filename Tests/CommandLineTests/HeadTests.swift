import FileFormats
import Insights
import Runs
import System
import Testing
import TestSupport

/// The method `head`: a classifier on hidden states.
@Suite struct HeadTests {
  /// Trains the working example with a head after a change to it, and hands its folder over.
  private func withHead(
    _ flags: [String] = [], change: (inout WorkingExample) -> Void = { _ in }, _ body: (String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "method", .string("head"))
      change(&example)
      try example.write()
      let outcome = try example.trainRun(flags)
      #expect(outcome.status == 0, "\(outcome.errors)")
      try body(folder)
    }
  }

  private func contextTokens(_ folder: String) throws -> Int? {
    try JSON.read(file: folder + "/run/adapter_config.json")["cpt_token_ids"]?.array?.count
  }

  @Test(arguments: ["ridge", "centroid"])
  func everyCommandUsesIt(classifier: String) throws {
    try withHead(["--set", "head.classifier=\(classifier)"]) { folder in
      for place in ["run", "run/best"] { #expect(fileExists(folder + "/\(place)/head.safetensors")) }
      #expect(try contextTokens(folder) == 1)
      #expect(names(inDirectory: folder + "/run").allSatisfy { !$0.hasPrefix("checkpoint-") })
      for place in ["run", "run/best"] {
        let evaluation = try Program.run(["eval", "--checkpoint", place, "--json"], in: folder)
        let json = try evaluation.json()
        #expect(json["head"]?["accuracy"]?.number == 1 && json["icl"] == nil, "\(evaluation.errors)")
        #expect(json["scorings"]?.object?.map(\.key) == ["acc", "acc_per_token", "batch_calibrated"])
      }
      let text = try Program.run(["eval", "--checkpoint", "run"], in: folder).output
      #expect(text.contains("\nHead ") && !text.contains("ICL"))
      let labelled = try Program.run(
        ["predict", "--checkpoint", "run", "--data", "-"], in: folder,
        input: Array("refund me 31 please\nmy parcel number 32 is late\n".utf8))
      #expect(labelled.status == 0, "\(labelled.errors)")
      #expect(
        labelled.output.split(separator: "\n").dropFirst().map { $0.prefix { $0 != "\t" } } == ["billing", "delivery"])
      let inspection = try Program.run(["inspect", "--checkpoint", "run"], in: folder).output
      #expect(inspection.hasPrefix("classifier head on 16 rows: \(classifier)"), "\(inspection)")
      #expect(inspection.contains("leave-one-out") && inspection.contains("1 untrained token,"))
      let head = try Program.run(["inspect", "--checkpoint", "run", "--json"], in: folder).json()["head"]
      #expect(head?["rows"]?.integer == 16 && head?["classifier"]?.string == classifier)
      #expect((head?["strength"] == .null) == (classifier == "centroid"))
      let report = try Program.run(["report", "run", "--output", "r.html"], in: folder)
      #expect(report.status == 0, "\(report.errors)")
      let page = String(decoding: try readBytes(of: folder + "/r.html"), as: UTF8.self)
      #expect(page.contains("classifier head (Head)") && page.contains("frozen model’s hidden states."))
      #expect(!page.contains("in-context learning"))
    }
  }

  /// The same context with the labels' words is the baseline; the context's rows are not fitted to.
  @Test(arguments: ["rest", "all"])
  func behindAContext(trainOn: String) throws {
    try withHead(["--set", "head.context=true", "--set", "data.train_on=\(trainOn)"]) { folder in
      #expect(try contextTokens(folder) ?? 0 > 20)
      let head = try Program.run(["inspect", "--checkpoint", "run", "--json"], in: folder).json()["head"]
      #expect(head?["rows"]?.integer == 12)
      let json = try Program.run(["eval", "--checkpoint", "run", "--json"], in: folder).json()
      #expect(json["icl"]?["accuracy"]?.number != nil && json["head"] != nil)
      let icl = try Program.run(
        ["train", "--config", "config.json", "--set", "training.method=icl", "--output", "icl"], in: folder)
      #expect(icl.status == 0, "\(icl.errors)")
      let alone = try Program.run(["eval", "--checkpoint", "icl", "--json"], in: folder).json()
      #expect(json["icl"]?["loss"] == alone["icl"]?["loss"] && alone["icl"] != nil)
      let report = try Program.run(["report", "run", "--output", "r.html"], in: folder)
      let page = String(decoding: try readBytes(of: folder + "/r.html"), as: UTF8.self)
      #expect(report.status == 0 && page.contains("the same context with the labels’ words"), "\(report.errors)")
    }
  }

  /// The context's rows too, like prompt tuning, unless only they are trained on.
  @Test(arguments: [("rest", 16), ("context", 4), ("all", 16)])
  func rowsWithoutAContext(trainOn: String, rows: Int) throws {
    try withHead(["--set", "data.train_on=\(trainOn)", "--json"]) { folder in
      let file = try SafetensorsFile(path: folder + "/run/head.safetensors")
      #expect(file.metadata["rows"] == "\(rows)" && file.metadata["labels"] == #"["billing", "delivery"]"#)
      #expect(file["weight"]?.shape[0] == 2)
    }
  }

  /// A classifier takes one pass, so it starts again, with the same result.
  @Test func resumesAndIsReplaced() throws {
    try withHead { folder in
      let files = ["run/head.safetensors", "run/best/head.safetensors", "run/adapter_model.safetensors"]
      let before = try files.map { try readBytes(of: folder + "/" + $0) }
      let resumed = try Program.run(["train", "--config", "config.json", "--resume"], in: folder)
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(try files.map { try readBytes(of: folder + "/" + $0) } == before)
      let other = try Program.run(
        ["train", "--config", "config.json", "--overwrite", "--set", "training.method=icl"], in: folder)
      #expect(other.status == 0, "\(other.errors)")
      #expect(!files.prefix(2).contains { fileExists(folder + "/" + $0) })
      #expect(try Program.run(["eval", "--checkpoint", "run", "--json"], in: folder).json()["icl"] != nil)
    }
  }

  @Test func hasNoPromptToExport() throws {
    try withHead { folder in
      for words in [
        ["export-prompt", "--checkpoint", "run", "--output", "x"],
        ["generate", "--checkpoint", "run", "--prompt", "a"],
        [
          "train", "--config", "config.json", "--output", "x", "--set", "training.method=cpt", "--set",
          "initial_adapter=run",
        ],
      ] {
        let outcome = try Program.run(words, in: folder)
        #expect(outcome.status == 65 && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errorLine.contains("is a classifier head: its prompt is untrained"))
        #expect(!fileExists(folder + "/x"))
      }
      for scoring in ["acc_norm", "pmi_dc", "calibrated"] {
        let outcome = try Program.run(["eval", "--checkpoint", "run", "--scoring", scoring], in: folder)
        #expect(outcome.status == 64 && outcome.errorLine.contains("no classifier head"), "\(outcome.errors)")
      }
    }
  }

  @Test(arguments: [
    (["--set", "head.context=true", "--set", "data.train_on=context"], "would see themselves"),
    (["--set", "head.classifier=centroid", "--set", "head.strength=1"], "\"head.strength\" needs"),
    (["--set", "head.strength=0"], "\"head.strength\" must be a positive number"),
    (["--set", "data.context_examples=1", "--set", "data.train_on=context"], "like every row to train on"),
  ])
  func settingsThatDoNotWork(flags: [String], message: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "method", .string("head"))
      try example.write()
      let outcome = try example.trainRun(flags)
      #expect(outcome.status == 65 && outcome.errorLine.contains(message), "\(outcome.errors)")
    }
  }

  /// Rows need a token before them: that of a text's beginning, else of its end.
  @Test(arguments: [("bos_token", 64), ("eos_token", 65), (nil, nil)] as [(String?, Int?)])
  func theTokenBeforeRows(name: String?, id: Int?) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      let source = repository + "/configs/quickstart/model"
      try makeDirectory(folder + "/model")
      for file in ["model.safetensors", "tokenizer.json"] {
        try writeAtomically(readBytes(of: source + "/" + file), to: folder + "/model/" + file)
      }
      let members = try #require(JSON.read(file: source + "/config.json").object)
        .filter { !["bos_token_id", "eos_token_id"].contains($0.key) }
      let named: [JSON.Member] =
        name == "bos_token"
        ? [.init("bos_token_id", .integer(64)), .init("eos_token_id", .integer(65))]
        : id.map { [.init("eos_token_id", .integer($0))] } ?? []
      try writeAtomically(JSON.object(members + named).compact, to: folder + "/model/config.json")
      // Without it, the model's class brings markers of its own.
      try writeAtomically(
        #"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, to: folder + "/model/tokenizer_config.json")
      example.configuration["base_model_name_or_path"] = .string("model")
      example.set("training", "method", .string("head"))
      try example.write()
      let outcome = try example.trainRun()
      if let id {
        #expect(outcome.status == 0, "\(outcome.errors)")
        let ids = try JSON.read(file: folder + "/run/adapter_config.json")["cpt_token_ids"]
        #expect(ids == .array([.integer(id)]))
      } else {
        #expect(outcome.status == 65 && outcome.errorLine.contains("head.context: is false"), "\(outcome.errors)")
        #expect(try example.trainRun(["--set", "head.context=true"]).status == 0)
      }
    }
  }

  /// A head without its file, with another method, other labels, or a broken file.
  @Test func wrongFilesAreErrors() throws {
    try withHead { folder in
      func error(_ words: [String]) throws -> String {
        let outcome = try Program.run(words, in: folder)
        #expect(outcome.status >= 65 && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        return outcome.errorLine
      }
      let eval = ["eval", "--checkpoint", "run"]
      #expect(try error(eval + ["--set", "training.method=cpt"]).contains("training.method is \"cpt\""))
      #expect(
        try error(eval + ["--set", #"data.label_words={"delivery": "a", "billings": "b"}"#]).contains("billing"))
      let file = folder + "/run/best/head.safetensors", bytes = try readBytes(of: file)
      // Of the same length, so that the header stays as long.
      for (old, new) in [
        ("\"ridge\"", "\"fridg\""), ("\"rows\":\"16\"", "\"rows\":\"-6\""), ("\"temperature\"", "\"temperament\""),
        (#"\"delivery\"]"#, #"\"billing\" ]"#), ("\"bias\"", "\"bios\""),
      ] {
        guard let start = bytes.firstRange(of: Array(old.utf8))?.lowerBound else {
          Issue.record("\(old) is not in the file")
          continue
        }
        var changed = bytes
        changed.replaceSubrange(start..<(start + old.utf8.count), with: Array(new.utf8))
        try writeAtomically(changed, to: file)
        #expect(try error(eval).contains("run/best/head.safetensors: "), "\(new)")
      }
      try removeRecursively(file)
      #expect(try error(eval).contains("run/best/head.safetensors: not found"))
    }
  }

  /// All rows of the head's training are labelled alike, although those of the context are not.
  @Test func rowsOfOneLabel() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.train = (0..<8).map { ("my parcel \($0)", "delivery") } + [("refund", "billing")]
      example.set("data", "context_examples", .integer(2))
      example.set("training", "method", .string("head"))
      try example.write()
      let outcome = try example.trainRun(["--set", "head.context=true"])
      #expect(
        outcome.status == 65 && outcome.errorLine.contains("all have the label \"delivery\""), "\(outcome.errors)")
      let alone = try Program.run(["train", "--config", "config.json", "--output", "alone"], in: folder)
      #expect(alone.status == 0, "\(alone.errors)")
    }
  }
}
