import Diagnostics
import FileFormats
import Foundation
import Runs
import System
import Testing
import TestSupport

/// `cpt init`, on files as people have them.
@Suite struct InitTests {
  private static let model = repository + "/configs/quickstart/model"

  /// Tickets with an id, a quoted message of two lines, a category of several words, and a priority.
  private static func tickets(_ count: Int = 80) -> String {
    let categories = ["Billing & Refunds", "Delivery problem", "Technical_Support", "Product question", "Returns"]
    let rows = (0..<count).map { index in
      "\(index),\"Hello,\nmy \"\"parcel\"\" number \(index) is late\",\(categories[index % 5]),\(index % 2 + 1)"
    }
    return (["ID,Message,Category,Priority"] + rows).joined(separator: "\r\n") + "\r\n"
  }

  private func initialize(
    _ contents: String, named name: String = "tickets.csv", _ flags: [String] = [], in folder: String
  ) throws -> Program.Outcome {
    try writeAtomically(contents, to: folder + "/" + name)
    return try Program.run(["init", "--data", name] + flags, in: folder)
  }

  @Test func findsColumnsAndLabels() throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(Self.tickets(), ["--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let found = try outcome.json()
      #expect(found["rows"]?.integer == 80 && found["columns"]?.array?.count == 4)
      #expect(found["text_column"]?.string == "Message" && found["label_column"]?.string == "Category")
      let labels = (found["labels"]?.array ?? []).compactMap { $0["word"]?.string }
      #expect(
        labels == ["billing & refunds", "delivery problem", "product question", "returns", "technical support"])
      #expect(found["text_characters"]?["longest"]?.integer == 36)
      let text = String(decoding: try readBytes(of: folder + "/cpt.json"), as: UTF8.self)
      #expect(text.contains("// ") && text.contains("\"Technical_Support\": \"technical support\""))
      // Strict JSON it is not; the comments are a configuration's alone.
      #expect(throws: InputError.self) { try JSON.read(file: folder + "/cpt.json") }
    }
  }

  @Test func whatItWritesTrainsAndEvaluates() throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(Self.tickets(), ["--model", Self.model], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("with 512 positions"))
      // What makes the labels likeliest is chosen, or what comes before it and is nearly as good.
      let line = try #require(outcome.output.split(separator: "\n").first { $0.contains("by template: ") })
      let losses = line.matches(of: #/(two lines|one line), (whole|pieces) ([0-9.]+)/#).map { found in
        (layout: "\(found.1), \(found.2)", loss: Double(found.3) ?? .infinity)
      }
      #expect(losses.map(\.layout) == ["two lines, whole", "two lines, pieces", "one line, whole", "one line, pieces"])
      let smallest = try #require(losses.map(\.loss).min())
      let best = try #require(losses.first { $0.loss < smallest + 0.25 })
      let template = try Configuration(file: folder + "/cpt.json").template
      #expect(template.layout == best.layout, "\(line)")
      let run = try Program.run(["train", "--config", "cpt.json", "--set", "training.max_steps=3"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
      let evaluation = try Program.run(["eval", "--checkpoint", "runs/tickets/best", "--json"], in: folder)
      #expect(try evaluation.json()["rows"]?.integer == 16, "\(evaluation.errors)")
    }
  }

  @Test func siblingsAreTheSplits() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<24).map { "this is text number \($0)\t\($0 % 2)" }
      let table = (["sentence\tlabel"] + rows).joined(separator: "\n")
      try writeAtomically(table, to: folder + "/dev.tsv")
      try writeAtomically("sentence\tlabel\nwhat is this\tunknown\n", to: folder + "/test.tsv")
      let outcome = try initialize(table, named: "train.tsv", in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("test.tsv is left out: its labels differ"), "\(outcome.output)")
      #expect(outcome.output.contains("labels are numbers"))
      let configuration = try Configuration(file: folder + "/cpt.json")
      #expect(configuration.data.validation == "\(folder)/dev.tsv" && configuration.data.test == nil)
      #expect(configuration.data.validationFraction == nil && configuration.data.testFraction != nil)
    }
  }

  @Test func flagsOverrideGuessesAndAmbiguityIsSaid() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<40).map { index in
        "{\"a\": \"words of row \(index) here\", \"b\": \"other words in row \(index)\", \"c\": \(index % 2 == 0), \"d\": \(index % 4)}"
      }
      let lines = rows.joined(separator: "\n")
      let guessed = try initialize(lines, named: "x.jsonl", in: folder)
      #expect(guessed.output.contains("the text might also be \"a\": --text-column a"), "\(guessed.output)")
      #expect(guessed.output.contains("the label might also be \"d\" (4 values)"))
      let told = try initialize(
        lines, named: "x.jsonl", ["--text-column", "a", "--label-column", "d", "--overwrite", "--json"], in: folder)
      #expect(try told.json()["label_column"]?.string == "d")
      #expect(try told.json()["notes"]?.array?.count == 2, "few rows, and labels that are numbers")
    }
  }

  /// By rows and labels: the context, the batch, the steps, the metric. Each label has the share of rows it is given.
  @Test(arguments: [
    (60, [1, 1], 8, 25, 16, TrainingConfiguration.Metric.accuracy), (60, [4, 1], 8, 25, 16, .macroF1),
    (100, [1, 1, 1, 1, 1], 10, 16, 16, .accuracy), (1200, [1, 1], 8, 12, 38, .accuracy),
  ])
  func sizesFollowTheData(
    rows: Int, shares: [Int], context: Int, epochs: Double, evaluationSteps: Int, metric: TrainingConfiguration.Metric
  ) throws {
    try withTemporaryFolder { folder in
      let labels = shares.enumerated().flatMap { index, share in [String](repeating: "label \(index)", count: share) }
      let lines = (0..<rows).map { "some words number \($0),\(labels[$0 % labels.count])" }
      let outcome = try initialize((["text,label"] + lines).joined(separator: "\n"), in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let configuration = try Configuration(file: folder + "/cpt.json"), training = configuration.training
      #expect(configuration.data.contextExamples == context && training.batchSize == 8)
      #expect(
        training.epochs == epochs && training.evaluationSteps == .steps(evaluationSteps)
          && training.bestMetric == metric)
      #expect(
        configuration.data.validationFraction == (rows > 1000 ? 0.17 : 0.2) && configuration.data.testFraction == 0.2)
      #expect(configuration.data.maxTrainExamples == (rows > 1000 ? 200 : nil))
      #expect(configuration.data.trainOn == .all && training.learningRate == 0.008, "a width of 2048")
      #expect(training.earlyStoppingPatience == 2)
    }
  }

  @Test func wordsThatBeginOthersGetAFullStop() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<60).map { "some words number \($0),\($0 % 2 == 0 ? "Refund" : "Refund request")" }
      let outcome = try initialize((["text,label"] + rows).joined(separator: "\n"), in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let words = try Configuration(file: folder + "/cpt.json").data.labelWords
      #expect(words?.map(\.word) == ["refund.", "refund request."])
    }
  }

  /// A first line that is a row is read as one, and what is written trains and labels.
  @Test(arguments: [
    ("\u{FEFF}", "new rows.csv", ";", "\r\n"), ("", "a\n'b\u{1B}.tsv", "\t", "\n"), ("", "a.csv", ",", "\n"),
  ])
  func aMissingHeaderIsFound(mark: String, name: String, separator: String, end: String) throws {
    try withTemporaryFolder { folder in
      let rows = (0..<40).map { "some words number \($0)\(separator)\($0 % 2 == 0 ? "good" : "bad")" }
      let outcome = try initialize(
        mark + rows.joined(separator: end), named: name, ["--model", Self.model, "--overwrite"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("note: the first line looks like a row (\"good\" is also a value of its column)"))
      #expect(outcome.output.contains(": 40 rows\n") && !outcome.output.contains("\u{1B}"))
      let data = try Configuration(file: folder + "/cpt.json").data
      #expect(!data.hasHeader && data.textColumn == "1" && data.labelColumn == "2")
      let flags = ["--set", "training.max_steps=2", "--output", "run"]
      let run = try Program.run(["train", "--config", "cpt.json"] + flags, in: folder)
      #expect(run.status == 0, "\(run.errors)")
      let predicted = try Program.run(["predict", "--checkpoint", "run/best", "--data", name], in: folder)
      #expect(predicted.output.split(whereSeparator: \.isNewline).count == 41, "\(predicted.errors)")
      #expect(predicted.output.hasPrefix(mark + ["1", "2", "prediction"].joined(separator: separator)))
      // Who names the columns is believed; a column may be named by its number.
      let told = try Program.run(
        [
          "init", "--data", name, "--text-column", "some words number 0", "--label-column", "good", "--json",
          "--overwrite",
        ],
        in: folder)
      #expect(try told.json()["rows"]?.integer == 39, "\(told.errors)")
      #expect(try Configuration(file: folder + "/cpt.json").data.hasHeader)
      let half = try Program.run(
        ["init", "--data", name, "--text-column", "some words number 0", "--json", "--overwrite"], in: folder)
      #expect(try half.json()["rows"]?.integer == 40 && half.json()["text_column"]?.string == "1", "\(half.errors)")
    }
  }

  /// Nothing in the first line repeats: only the number of a column says that it is a row.
  @Test func columnsAreNamedByNumbers() throws {
    try withTemporaryFolder { folder in
      let rows = ["first words,x"] + (0..<40).map { "some words number \($0),\($0 % 2 == 0 ? "good" : "bad")" }
      let outcome = try initialize(rows.joined(separator: "\n"), ["--label-column", "2", "--json"], in: folder)
      #expect(try outcome.json()["rows"]?.integer == 41 && outcome.json()["label_column"]?.string == "2", "\(outcome)")
      let wrong = try initialize(rows.joined(separator: "\n"), ["--label-column", "3", "--overwrite"], in: folder)
      #expect(wrong.status == 64 && wrong.errorLine.contains("has no column \"3\""), "\(wrong.errors)")
      // A repeated name is a fault of a header, and none of a row.
      let twice = (0..<40).map { "\($0 % 2),some words number \($0) here.,\($0 % 2)" }.joined(separator: "\n")
      let found = try initialize(
        twice.replacing("0,some words number 0 ", with: "0,some words for 0 "), ["--overwrite"], in: folder)
      #expect(found.status == 0, "\(found.errors)")
      #expect(try !Configuration(file: folder + "/cpt.json").data.hasHeader)
    }
  }

  /// Keys of JSON are its header.
  @Test func jsonHasItsNames() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<40).map { #"{"1": "some words number \#($0)", "2": \#($0 % 2)}"# }.joined(separator: "\n")
      let outcome = try initialize(rows, named: "a.jsonl", ["--text-column", "1"], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try Configuration(file: folder + "/cpt.json").data.hasHeader)
    }
  }

  /// Rows with mistakes of every kind are left out, and said.
  @Test func badRowsAreSkippedIfAsked() throws {
    try withTemporaryFolder { folder in
      var rows = (0..<60).map { "some words number \($0),\($0 % 2 == 0 ? "good" : "bad")" }
      rows.insert(contentsOf: ["one,two,three", ",good", "words,\u{200B}", "\"a\"b,good", "text,label", "x"], at: 30)
      let table = (["text,label"] + rows).joined(separator: "\n")
      let refused = try initialize(table, in: folder)
      #expect(refused.status == 65 && refused.errorLine.contains("tickets.csv:32: expected 2 fields"), "\(refused)")
      let outcome = try initialize(table, ["--skip-bad", "--model", Self.model], in: folder)
      #expect(outcome.status == 0 && outcome.output.contains("tickets.csv: 60 rows"), "\(outcome.errors)")
      #expect(
        outcome.output.contains("note: 6 rows with mistakes are skipped (data.skip_bad_rows), first these\n")
          && outcome.output.contains("note: skipped: tickets.csv:33: the text is empty\n"), "\(outcome.output)")
      #expect(try Configuration(file: folder + "/cpt.json").data.skipsBadRows)
      let run = try Program.run(["train", "--config", "cpt.json", "--set", "training.max_steps=2"], in: folder)
      #expect(run.status == 0 && run.errors.contains("note: skipped: tickets.csv:34: the label"), "\(run.errors)")
      let evaluation = try Program.run(["eval", "--checkpoint", "runs/tickets/best", "--json"], in: folder)
      #expect(try evaluation.json()["rows"]?.integer == 12, "\(evaluation.errors)")
      #expect(evaluation.errors.contains("note: 6 rows with mistakes are skipped"))
      let strict = try Program.run(
        ["eval", "--checkpoint", "runs/tickets/best", "--set", "data.skip_bad_rows=false"], in: folder)
      #expect(strict.status == 65 && strict.errorLine.contains("tickets.csv:32: expected 2 fields"), "\(strict.errors)")
    }
  }

  /// A few texts that do not fit are truncated, and the context stays as it is.
  @Test func aFewLongTextsAreTruncated() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<60).map { "some words number \($0),\($0 % 2 == 0 ? "good" : "bad")" }
      let long = (0..<3).map {
        Array(repeating: "parcel \($0)", count: 450).joined(separator: " ") + ",\($0 == 0 ? "good" : "bad")"
      }
      let table = (["text,label"] + rows + long).joined(separator: "\n")
      let outcome = try initialize(table, ["--model", Self.model], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let data = try Configuration(file: folder + "/cpt.json").data
      #expect(data.contextExamples == 8 && data.truncation == .end)
      // Wherever the long texts are drawn.
      let plans = try (0..<4).map { seed in
        try Program.run(["train", "--config", "cpt.json", "--dry-run", "--set", "training.seed=\(seed)"], in: folder)
      }
      #expect(plans.allSatisfy { $0.status == 0 }, "\(plans.map(\.errors))")
      #expect(plans.contains { $0.errors.contains(" truncated at the end to fit") }, "\(plans.map(\.errors))")
    }
  }

  /// The context of many labels says why it has not an example of each.
  @Test func aShortContextSaysWhy() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<308).map { "some words number \($0),label \($0 % 77)" }
      let table = (["text,label"] + rows).joined(separator: "\n")
      let without = try initialize(table, in: folder)
      #expect(
        without.output.contains(
          "note: the context has 48 examples for 77 labels, and not 77: more make every step slow; data.context_examples"
        ),
        "\(without.output)")
      let model = try initialize(table, ["--model", Self.model, "--overwrite"], in: folder)
      #expect(
        model.output.replacing(/has [0-9]+ examples/, with: "has some examples").contains(
          "note: the context has some examples for 77 labels, and not 77: more would leave no room for a row in the "
            + "model's 512 positions; data.context_examples"),
        "\(model.output)")
    }
  }

  /// Training could not read them again.
  @Test func streamsAreRefused() throws {
    let input = try Program.run(["init", "--data", "-"], input: Array("text,label\na,b\n".utf8))
    #expect(input.status == 64 && input.errorLine.contains("--data: standard input can be read once"), "\(input)")
    let command = "\(Program.path) init --data <(echo text,label)"
    let pipe = try Program.run(["-c", command], executable: "/bin/bash")
    #expect(pipe.status == 64 && pipe.errorLine.contains("write them to a file first: "), "\(pipe.errors)")
  }

  /// Values that are no label, and keys that come twice, are refused as `train` refuses them.
  @Test(arguments: [
    (#""label": 1.0"#, "found 1.0; write it in quotes"), (#""label": 1e0"#, "found 1.0; write it in quotes"),
    (#""label": ["a"]"#, "found a list; make one string of it"), (#""label": {"a": 1}"#, "found an object"),
    (#""label": "a", "label": "b""#, "has the key \"label\" twice"), (#""text": 5, "label": "a""#, "found 5"),
  ])
  func rowsAreReadAsTrainingReadsThem(members: String, message: String) throws {
    try withTemporaryFolder { folder in
      let text = members.contains("text") ? "" : "\"text\": \"other words\", "
      for count in [0, 40] {
        let rows = (0..<count).map { #"{"text": "some words number \#($0)", "label": "\#($0 % 2)"}"# }
        let bad = (0..<(count == 0 ? 8 : 1)).map { "{\(text.replacing("words", with: "words \($0)"))\(members)}" }
        let lines = (rows + bad).joined(separator: "\n")
        if count == 0, members.contains("text") || members.contains("\"a\", ") { continue }
        let outcome = try initialize(lines, named: "a.jsonl", in: folder)
        #expect(outcome.status == 65 && outcome.errorLine.contains(message), "\(outcome)")
        var example = WorkingExample(in: folder)
        example.set("data", "train", .string("a.jsonl"))
        try example.write()
        #expect(try example.trainRun().errorLine.contains(message))
      }
    }
  }

  /// Files of one object or list, with a program that makes rows of them.
  @Test(arguments: [
    (#"{"columns": ["text", "label"], "index": [0, 1], "data": [["a b", "x"], ["c d", "y"]]}"#, "-c"),
    (
      "{\"it's \\\"rows\\\"\\n\\u001b\": [{\"text\": \"a b\", \"label\": \"x\"}, {\"text\": \"c d\", \"label\": \"y\"}]}",
      "-c"
    ),
    ("{\"row\": {\"text\": \"a b\", \"label\": \"x\"}}\n{\"row\": {\"text\": \"c d\", \"label\": \"y\"}}", "-c"),
    (#"[{"n": 1, "row": {"text": "a b", "label": "x"}}, {"n": 2, "row": {"text": "c d", "label": "y"}}]"#, "-c"),
    (#"[["text", "label"], ["a b", "x"], ["c d", "y"]]"#, "-r"),
    ("[\"text\", \"label\"]\n[\"a b\", \"x\"]\n[\"c d\", \"y\"]", "-r"),
  ])
  func rowsInsideOthersAreNamed(contents: String, flag: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(contents, named: "a.json", in: folder)
      #expect(outcome.status == 65)
      let start = try #require(outcome.errorLine.range(of: "jq \(flag) "), "\(outcome.errors)")
      let end = try #require(outcome.errorLine.range(of: " writes", options: .backwards))
      guard fileExists("/usr/bin/jq") else { return }
      let command = outcome.errorLine[start.lowerBound..<end.lowerBound] + " a.json"
      let rows = try Program.run(["-c", String(command)], in: folder, executable: "/bin/bash").output
      #expect(
        rows
          == (flag == "-c"
            ? "{\"text\":\"a b\",\"label\":\"x\"}\n{\"text\":\"c d\",\"label\":\"y\"}\n"
            : "\"text\",\"label\"\n\"a b\",\"x\"\n\"c d\",\"y\"\n"),
        "\(command)")
    }
  }

  /// A file with many keys, long names and long labels gives a short answer.
  @Test func whatIsShownIsBounded() throws {
    try withTemporaryFolder { folder in
      let long = String(repeating: "x", count: 100_000)
      let rows = (0..<400).map { row in
        let others = (0..<50).map { ", \"k\(row)_\($0)\": \"x\"" }.joined()
        let name = row < 40 ? ", \"\(long)\": \"a b \(row)\"" : ""
        return
          "{\"text\": \"some words number \(row)\", \"label\": \"\(row % 100 < 98 ? "\(row % 2)" : long + "\(row % 2)")\"\(others)\(name)}"
      }
      let outcome = try initialize(
        rows.joined(separator: "\n"), named: "a.jsonl", ["--text-column", "text", "--label-column", "label"], in: folder
      )
      #expect(outcome.status == 0, "\(outcome.errors.prefix(1000))")
      #expect(outcome.output.contains("… and 19983 more\n"), "\(outcome.output.prefix(3000))")
      #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count < 900 })
      #expect(outcome.output.count < 6000)
    }
  }

  /// The pattern for several columns of text is one that the configuration takes.
  @Test func severalTextsAreProposed() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<40).map { "a title of \($0),the body of \($0) is,\($0 % 2 == 0 ? "x" : "y")" }
      let outcome = try initialize(
        (["title,the_body,label"] + rows).joined(separator: "\n"), named: "a.csv", in: folder)
      let start = try #require(
        outcome.output.firstRange(of: "to use both, edit template.input, or --set 'template.input="))
      let pattern = try #require(outcome.output[start.upperBound...].split(separator: "'").first)
      #expect(pattern == #""Title: {title}\nThe body: {the_body}""#, "\(outcome.output)")
      let written = try Configuration(
        file: folder + "/cpt.json", overrides: [("template.input", try JSON(parsing: Array(pattern.utf8), file: ""))])
      #expect(written.template.inputPattern.fields == ["title", "the_body"])
    }
  }

  /// What is unusual about a file and its rows is said.
  @Test func whatWasFoundIsSaid() throws {
    try withTemporaryFolder { folder in
      let rows = (0..<60).map { index in
        "a title of \(index);the body of the message \(index);\(["yes", "no", "Yes"][index % 3])"
      }
      let table = (["title;body;label"] + rows).joined(separator: "\r")
      let outcome = try initialize(table, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      for note in [
        "tickets.csv is read as: fields separated by semicolons", "the text might also be \"title\"",
        "labels differ only in case: \"Yes\" and \"yes\"; they count as different until you merge them in the data",
      ] {
        #expect(outcome.output.contains("note: " + note), "\(outcome.output)")
      }
      try writeAtomically(table, to: folder + "/other.csv")
      #expect(try Program.run(["other.csv"], in: folder, executable: "/bin/gzip").status == 0)
      let compressed = try Program.run(["init", "--data", "other.csv.gz", "--output", "c.json", "--json"], in: folder)
      #expect(try compressed.json()["rows"]?.integer == 60, "\(compressed.errors)")
      #expect(try Configuration(file: folder + "/c.json").outputDirectory?.hasSuffix("runs/other") == true)
    }
  }

  @Test func printsToStandardOutput() throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(Self.tickets(), ["--output", "-"], in: folder)
      #expect(outcome.output.hasPrefix("{\n  // Written by cpt init") && outcome.errors.contains("80 rows"))
      #expect(names(inDirectory: folder) == ["tickets.csv"])
      #expect(try initialize(Self.tickets(), ["--output", "-", "--json"], in: folder).status == 64)
    }
  }

  @Test func doesNotReplaceFiles() throws {
    try withTemporaryFolder { folder in
      try writeAtomically("mine", to: folder + "/cpt.json")
      let outcome = try initialize(Self.tickets(), in: folder)
      #expect(outcome.status == 64 && outcome.errorLine.contains("cpt.json: already exists; use --overwrite"))
      #expect(try readBytes(of: folder + "/cpt.json") == Array("mine".utf8))
      #expect(try initialize(Self.tickets(), ["--overwrite"], in: folder).status == 0)
    }
  }

  @Test(arguments: [
    ("a.csv", "text,label\n", 65, "holds no rows"), ("a.csv", "", 65, "a header line"),
    ("a.txt", "x", 65, "unknown file type"), ("a.csv", "text,text\na,b\n", 65, "the column \"text\" twice"),
    ("a.csv", "text,label\nsome words,a,b\n", 65, "a.csv:2: expected 2 fields"),
    ("a.csv", "text,label\nsome words,a\nother words,a\n", 65, "has only one value in 2 rows; --label-column NAME"),
    ("a.csv", "text,label\nsome words,a\nother words,b\nmore words,c\n", 65, "has only 3 rows for 3 values"),
    ("a.json", "{\"data\": [{\"text\": \"a\"}]}", 65, "a.json:1: holds its rows under \"data\""),
    ("a.json", "{\"text\": {\"0\": \"a\"}, \"label\": {\"0\": \"b\"}}", 65, "a.json:1: holds columns"),
    ("a.parquet", "PAR1", 65, "is a Parquet file"), ("a.csv", "PAR1", 65, "a.csv a.converted.csv"),
    (
      "a.csv", "text,label\nsome words,a\n ,b\nother words,a\nthese words,b\n", 65,
      "a.csv:3: the column \"text\" is empty"
    ),
    ("a.csv", "text\nsome words\nother words\n", 65, "has no column but \"text\"; add one"),
    ("a.csv", "text\na,b\n", 65, "expected 1 field as"),
    (
      "a.csv", "text,label\n \u{200B},b\nother words,a\nsome words,a\nthese words,b\n", 65,
      "a.csv:2: the column \"text\" is"
    ),
    ("a.csv", "id,n\n1,2\n2,3\n3,4\n4,5\n", 65, "no column looks like texts"),
    ("a.jsonl", "[1]\n", 65, "a.jsonl:1: expected an object"),
    ("a.jsonl", "{\"input_ids\": [1], \"input_type_mask\": [4]}\n", 65, "holds tokens"),
    ("a.csv", "text,label\nsome words,a\n", 65, "no column looks like texts"),
  ])
  func aBadFileIsOneLine(name: String, contents: String, status: Int32, message: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(contents, named: name, in: folder)
      #expect(outcome.status == status && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
      #expect(outcome.errorLine.contains(message), "\(outcome.errors)")
      #expect(outcome.output.isEmpty && names(inDirectory: folder) == [name])
    }
  }

  @Test(arguments: [
    (["--text-column", "Mesage"], 64, "did you mean \"Message\"?"),
    (["--label-column", "ID"], 65, "too many for labels"),
    (["--text-column", "Category", "--label-column", "Category"], 64, "they must differ"),
    (["--model", "nowhere"], 66, "nowhere: no such file or folder"), (["--output", "a/b.json"], 64, "does not exist"),
  ])
  func aBadFlagIsOneLine(flags: [String], status: Int32, message: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try initialize(Self.tickets(), flags, in: folder)
      #expect(outcome.status == status && outcome.errorLine.contains(message), "\(outcome.errors)")
      #expect(names(inDirectory: folder) == ["tickets.csv"])
    }
  }
}
