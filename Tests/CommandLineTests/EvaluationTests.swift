import FileFormats
import Runs
import System
import Testing
import TestSupport
import Tuning

/// Writes the rows of the working example and one with the wrong label: `hard.tsv`.
private func writeHardRows(in folder: String) throws {
  let rows = String(decoding: try readBytes(of: folder + "/train.tsv"), as: UTF8.self)
  try writeAtomically(rows + "my parcel number 5 is late\tbilling\n", to: folder + "/hard.tsv")
}

/// `cpt eval`: what it keeps, and what pipelines ask of it.
@Suite struct EvaluationTests {
  private func evaluate(_ flags: [String] = [], in folder: String) throws -> Program.Outcome {
    try Program.run(["eval", "--checkpoint", "run/best"] + flags, in: folder)
  }

  private func text(_ file: String) throws -> String { String(decoding: try readBytes(of: file), as: UTF8.self) }

  /// Writes a report and returns what it says on standard error, and the page.
  private func report(in folder: String) throws -> (notes: String, page: String) {
    let outcome = try Program.run(["report", "run", "--output", "r.html", "--overwrite"], in: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return (outcome.errors, try text(folder + "/r.html"))
  }

  private let kept = "/run/evaluations/best-test-acc.json"

  @Test func anEvaluationIsKept() throws {
    try withCheckpoint { folder in
      let outcome = try evaluate(["--json", "--predictions", "p.jsonl"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(names(inDirectory: folder + "/run/evaluations") == ["best-test-acc.json", "best-test-acc.jsonl"])
      #expect(try text(folder + kept + "l") == text(folder + "/p.jsonl"))
      let json = try JSON.read(file: folder + kept)
      #expect(json["results"]?.compact == (try outcome.json().compact))
      #expect(json["checkpoint"]?.string == "best" && json["rows"]?.integer == 16 && json["data"] == nil)
      #expect(json["step"] == (try JSON.read(file: folder + "/run/best/trainer_state.json"))["step"])
      // Other rows, another scoring, another checkpoint: each has its own pair.
      #expect(try evaluate(["--data", "train.tsv"], in: folder).status == 0)
      #expect(try evaluate(["--split", "validation", "--scoring", "acc_norm"], in: folder).status == 0)
      #expect(try Program.run(["eval", "--checkpoint", "run/checkpoint-2"], in: folder).status == 0)
      let all = names(inDirectory: folder + "/run/evaluations").filter { $0.hasSuffix(".json") }
      #expect(
        all.count == 4 && all.contains("best-validation-acc_norm.json") && all.contains("checkpoint-2-test-acc.json"))
      let data = try #require(all.first { $0.hasPrefix("best-data-") })
      let path = try #require(JSON.read(file: folder + "/run/evaluations/" + data)["data"]?.string)
      #expect(path == absolutePath(folder + "/train.tsv"))
      // The last adapter is in the run's own folder; an adapter elsewhere belongs to no run.
      try makeDirectory(folder + "/alone")
      for name in ["adapter_config.json", "adapter_model.safetensors", "config.json"] {
        try writeAtomically(readBytes(of: folder + "/run/best/" + name), to: folder + "/alone/" + name)
      }
      #expect(try Program.run(["eval", "--checkpoint", "alone"], in: folder).status == 0)
      #expect(!names(inDirectory: folder + "/alone").contains("evaluations"))
    }
  }

  @Test func aReportUsesWhatIsKept() throws {
    try withCheckpoint { folder in
      let first = try report(in: folder)
      #expect(first.notes.contains("note: run: no evaluation is kept that fits; predicting 16 rows"), "\(first.notes)")
      // What it predicted is kept, too, and the page stays the same.
      let second = try report(in: folder)
      #expect(second.notes.isEmpty && second.page == first.page, "\(second.notes)")
      #expect(try JSON.read(file: folder + kept)["results"] == nil)
      #expect(try evaluate(in: folder).status == 0)
      #expect(try JSON.read(file: folder + kept)["results"]?["rows"]?.integer == 16)
      // It shows the kept numbers, not others.
      var rows = try text(folder + kept + "l")
      rows.replace(
        /"log_probabilities": \{"billing": [^,]*, "delivery": [^}]*\}/,
        with: "\"log_probabilities\": {\"billing\": -9, \"delivery\": -1}")
      try writeAtomically(rows, to: folder + kept + "l")
      let third = try report(in: folder)
      #expect(third.notes.isEmpty && third.page.contains("for 50.0\u{A0}% of 16 test rows") && third.page != first.page)
      // Half a file, and a file of something else, are as good as none.
      for damage in ["{\"row\": 1}\n", String(rows.dropLast(200))] {
        try writeAtomically(damage, to: folder + kept + "l")
        let outcome = try report(in: folder)
        #expect(outcome.notes.contains("no evaluation is kept") && outcome.page == first.page)
      }
    }
  }

  /// Each: what changes after the evaluation.
  @Test(arguments: ["a row", "a label", "the prompt", "more training", "the template"])
  func whatIsOutOfDateIsNotUsed(change: String) throws {
    try withCheckpoint { folder in
      #expect(try evaluate(in: folder).status == 0)
      #expect(try report(in: folder).notes.isEmpty)
      let rows = try text(folder + "/train.tsv")
      switch change {
      case "a row":
        try writeAtomically(rows.replacing("refund me 15", with: "refund him 15"), to: folder + "/train.tsv")
      case "a label":
        try writeAtomically(
          rows.replacing("15 please\tbilling", with: "15 please\tdelivery"), to: folder + "/train.tsv")
      case "the prompt":
        try writeAtomically(
          readBytes(of: folder + "/run/checkpoint-2/adapter_model.safetensors"),
          to: folder + "/run/best/adapter_model.safetensors")
      case "more training":
        let flags = ["train", "--config", "config.json", "--overwrite", "--set", "training.learning_rate=0.02"]
        #expect(try Program.run(flags, in: folder).status == 0)
        #expect(!names(inDirectory: folder + "/run").contains("evaluations"))
      default:
        for file in ["/run/config.json", "/run/best/config.json"] {
          let json = try text(folder + file)
          #expect(json.contains("\"tokenization\": \"pieces\""))
          try writeAtomically(
            json.replacing("\"tokenization\": \"pieces\"", with: "\"tokenization\": \"whole\""), to: folder + file)
        }
      }
      #expect(try report(in: folder).notes.contains("no evaluation is kept that fits"))
    }
  }

  /// A run that moves with its data takes its evaluations along.
  @Test func aMovedRunKeepsItsEvaluations() throws {
    try withCheckpoint { folder in
      #expect(try evaluate(in: folder).status == 0)
      try makeDirectory(folder + "/new")
      for name in ["run", "train.tsv"] { #expect(move(folder + "/" + name, to: folder + "/new/" + name)) }
      let outcome = try Program.run(["report", "new/run", "--output", "r.html"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    }
  }

  /// The untrained prompt of prompt tuning is no baseline of an evaluation; a report predicts that alone.
  @Test func aReportAddsWhatAnEvaluationLacks() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let flags = ["--set", "training.method=prompt_tuning", "--set", "training.metric_for_best_model=loss"]
      #expect(try example.trainRun(flags).status == 0)
      #expect(try evaluate(in: folder).status == 0)
      let outcome = try Program.run(["report", "run", "--output", "r.html", "--progress", "json"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.contains("\"activity\": \"untrained\""), "\(outcome.errors)")
      #expect(!outcome.errors.contains("\"activity\": \"PT\""))
      let json = try JSON.read(file: folder + kept)
      #expect(json["results"]?["prompt_tuning"] != nil)
      #expect(try report(in: folder).notes.isEmpty)
    }
  }

  /// A folder that cannot be written is no error.
  @Test func anEvaluationThatCannotBeKeptIsPrinted() throws {
    try withCheckpoint { folder in
      let usual = try evaluate(in: folder)
      try removeRecursively(folder + "/run/evaluations")
      try writeAtomically("mine", to: folder + "/run/evaluations")
      let outcome = try evaluate(in: folder)
      #expect(outcome.status == 0 && outcome.output == usual.output)
      #expect(outcome.errors.hasPrefix("note: the evaluation is not kept: "), "\(outcome.errors)")
      let page = try report(in: folder)
      #expect(page.notes.contains("note: the evaluation is not kept: "), "\(page.notes)")
    }
  }

  @Test func overwritingARunRemovesItsEvaluationsAndNothingElse() throws {
    try withCheckpoint { folder in
      #expect(try evaluate(in: folder).status == 0)
      try writeAtomically("mine", to: folder + "/run/evaluations/notes.txt")
      let flags = ["train", "--config", "config.json", "--overwrite"]
      #expect(try Program.run(flags, in: folder).status == 0)
      #expect(names(inDirectory: folder + "/run/evaluations") == ["notes.txt"])
    }
  }

  @Test func anAccuracyBelowTheRequiredOneHasItsOwnStatus() throws {
    try withCheckpoint { folder in
      try writeHardRows(in: folder)
      func evaluate(_ flags: [String]) throws -> Program.Outcome {
        try self.evaluate(flags + ["--data", "hard.tsv"], in: folder)
      }
      let accuracy = try #require(evaluate(["--json"]).json()["cpt"]?["accuracy"]?.number)
      #expect(accuracy > 0 && accuracy < 1)
      for (required, status) in [("0", 0), ("\(accuracy)", 0), ("\(accuracy + 0.001)", 2), ("1", 2)]
        as [(String, Int32)]
      {
        let outcome = try evaluate(["--fail-under", required])
        #expect(outcome.status == status && outcome.output.contains("accuracy"), "\(required)")
        #expect(outcome.errors.isEmpty == (status == 0))
        if status == 2 {
          #expect(
            outcome.errorLine.contains("the accuracy, \(accuracy), is below --fail-under \(required)")
              || required == "1")
        }
      }
      for wrong in ["90", "-0.1", "90%"] {
        let outcome = try evaluate(["--fail-under", wrong])
        #expect(outcome.status == 64 && outcome.errorLine.contains("--fail-under: must be a share from 0 to 1"))
      }
    }
  }

  @Test func aThresholdLeavesRowsWithoutAnAnswer() throws {
    try withCheckpoint { folder in
      let flags = ["--predictions", "p.jsonl", "--json", "--threshold"]
      let rows = try { () -> [PredictionRecord] in
        #expect(try evaluate(flags + ["0"], in: folder).status == 0)
        return try PredictionRecord.read(file: folder + "/p.jsonl")
      }()
      let threshold = rows.map(\.tuned.probability).sorted()[6]
      let answered = rows.filter { $0.tuned.probability >= threshold }
      #expect((1..<16).contains(answered.count))
      let outcome = try evaluate(flags + ["\(threshold)", "--overwrite"], in: folder)
      let found = try #require(outcome.json()["answers"]?["cpt"], "\(outcome.errors)")
      #expect(found["answered"]?.integer == answered.count && found["coverage"]?.number == Double(answered.count) / 16)
      let right = answered.count { $0.tuned.prediction == $0.label }
      #expect(found["accuracy"]?.number == Double(right) / Double(answered.count))
      // The rows themselves keep the most probable label.
      #expect(try PredictionRecord.read(file: folder + "/p.jsonl") == rows)
      let words = try evaluate(["--threshold", "\(threshold)"], in: folder).output
      #expect(words.contains("probability at least \(threshold)  answered"), "\(words)")
      let none = try evaluate(["--threshold", "1", "--json"], in: folder).json()["answers"]?["cpt"]
      #expect(none?["answered"]?.integer == 0 && none?["accuracy"] == .null)

      let predict = ["predict", "--checkpoint", "run/best", "--data", "train.tsv", "--threshold", "\(threshold)"]
      let json = try Program.run(predict + ["--json"], in: folder)
      let lines = try json.output.split(separator: "\n").map { try JSON(parsing: Array($0.utf8), file: "line") }
      #expect(lines.map { $0["prediction"] == .null } == rows.map { $0.tuned.probability < threshold })
      #expect(json.errorLine.hasSuffix(", \(16 - answered.count) below the threshold"))
      let table = try Program.run(predict, in: folder).output.split(separator: "\n").dropFirst()
      let cells = table.map { $0.split(separator: "\t", omittingEmptySubsequences: false)[2] }
      #expect(cells.map(\.isEmpty) == rows.map { $0.tuned.probability < threshold })
      #expect(try Program.run(predict.dropLast() + ["2"], in: folder).status == 64)
    }
  }
}

/// `--progress`, in every command that has it.
@Suite struct ProgressTests {
  private func events(_ outcome: Program.Outcome) throws -> [JSON] {
    try outcome.errors.split(separator: "\n").map { try JSON(parsing: Array($0.utf8), file: "event") }
  }

  private func names(_ events: [JSON]) -> [String] { events.map { $0["event"]?.string ?? "" } }

  /// All of standard error is events, and their keys are those that the documentation lists.
  @Test func eventsAreTheDocumentedOnes() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let progress = ["--progress", "json"]
      let train = try events(example.trainRun(progress))
      let validation = ["evaluation", "step", "step", "checkpoint", "step", "step", "evaluation", "checkpoint"]
      let expected = ["start"] + validation + ["step", "step", "evaluation", "checkpoint", "end"]
      #expect(names(train).filter { $0 != "note" } == expected)
      #expect(train.last?["exit_code"] == .integer(0) && train.last?["error"] == .null)
      let comparison = ["compare", "--config", "config.json", "--seeds", "1", "--methods", "cpt,icl"]
      let compare = try events(Program.run(comparison + progress, in: folder))
      #expect(names(compare).count { $0 == "cell_end" } == 2 && names(compare).contains("cell"))
      let checkpoint = ["--checkpoint", "run/best"]
      try writeHardRows(in: folder)
      let evaluate = try Program.run(
        ["eval", "--data", "hard.tsv", "--predictions", "-", "--fail-under", "1"] + checkpoint + progress, in: folder)
      let evaluation = try events(evaluate)
      #expect(evaluate.status == 2 && names(evaluation) == ["rows", "rows", "result", "note", "end"])
      #expect(evaluation.last?["exit_code"]?.integer == 2 && evaluation[2]["result"]?["rows"]?.integer == 17)
      #expect(evaluate.output.split(separator: "\n").count == 17)
      #expect(try Program.run(["eval"] + checkpoint, in: folder).status == 0)
      let report = try events(Program.run(["report", "run", "--output", "r.html"] + progress, in: folder))
      #expect(names(report) == ["end"])
      let predict = try Program.run(
        ["predict", "--data", "-"] + checkpoint + progress, in: folder, input: Array("a\n".utf8))
      #expect(names(try events(predict)) == ["rows", "end"])
      let wrong = try events(Program.run(["eval", "--checkpoint", "nowhere"] + progress, in: folder))
      #expect(names(wrong) == ["end"] && wrong[0]["exit_code"]?.integer == 66)
      #expect(wrong[0]["error"]?.string?.hasPrefix("nowhere/adapter_config.json: not found") == true)

      let files = try #require(Program.run(["help", "--json"]).json()["files"]?.array)
      for event in train + compare + evaluation + report + (try events(predict)) + wrong {
        let name = event["event"]?.string ?? ""
        let table = files.first { $0["title"]?.string?.contains("event \"\(name)\"") == true }
        let keys = try #require(table?["keys"]?.array).compactMap { $0["key"]?.string }
        #expect((event.object ?? []).map(\.key) == ["event"] + keys.filter { !$0.contains(".") }, "\(event)")
      }
    }
  }

  @Test func progressIsLinesOrNone() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      func run(_ command: String, _ style: String) throws -> Program.Outcome {
        let arguments =
          command == "train"
          ? ["train", "--config", "config.json", "--overwrite"] : [command, "--checkpoint", "run/best"]
        let outcome = try Program.run(arguments + ["--progress", style], in: folder)
        #expect(outcome.status == 0 && !outcome.output.isEmpty, "\(outcome.errors)")
        return outcome
      }
      #expect(try run("train", "plain").errors.contains("step 6/6"))
      #expect(try run("train", "bar").errors.contains("\r\u{1B}[K"))
      #expect(!(try run("train", "none").errors.contains("step")))
      #expect(try run("eval", "plain").errors == "CPT: 16 of 16 rows\nICL: 16 of 16 rows\n")
      #expect(try run("eval", "bar").errors.contains("\r\u{1B}[KCPT: 16 of 16 rows"))
      // A log of something short stays empty.
      for style in ["auto", "none"] { #expect(try run("eval", style).errors.isEmpty) }
    }
  }
}
