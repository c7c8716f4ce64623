import FileFormats
import Foundation
import System
import Testing
import TestSupport

/// `cpt predict` over a checkpoint it trained.
@Suite struct PredictTests {
  private func predict(
    _ flags: [String], in folder: String, input: String = "", checkpoint: String = "run/best"
  ) throws -> Program.Outcome {
    try Program.run(["predict", "--checkpoint", checkpoint] + flags, in: folder, input: Array(input.utf8))
  }

  private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

  /// Every shape says what `cpt eval` says about the same rows, in their order.
  @Test(arguments: ["acc", "calibrated"])
  func everyShapeHoldsWhatEvalSays(scoring: String) throws {
    try withCheckpoint { folder in
      let flags = ["--checkpoint", "run/best", "--scoring", scoring, "--predictions", "p.jsonl"]
      let evaluation = try Program.run(["eval"] + flags, in: folder)
      #expect(evaluation.status == 0, "\(evaluation.errors)")
      let expected = try lines(String(decoding: readBytes(of: folder + "/p.jsonl"), as: UTF8.self))
        .map { try JSON(parsing: Array($0.utf8), file: "p") }
      let texts = expected.compactMap { $0["text"]?.string }
      #expect(texts.count == 16)
      func predictions(_ flags: [String], input: String) throws -> Program.Outcome {
        try predict(flags + ["--scoring", scoring], in: folder, input: input)
      }
      let names = "prediction\tprobability\tlog_probability_billing\tlog_probability_delivery"

      let plain = try predictions(["--data", "-"], input: texts.joined(separator: "\n"))
      #expect(plain.status == 0 && lines(plain.output).first == names + "\ttext", "\(plain.errors)")
      let cells = lines(plain.output).dropFirst().map { $0.split(separator: "\t").map(String.init) }
      #expect(cells.map { $0.last } == texts)
      for (cells, row) in zip(cells, expected) {
        #expect(cells[0] == row["prediction"]?.string)
        #expect(abs(try #require(Double(cells[1])) - (row["probability"]?.number ?? 0)) < 1e-5)
        #expect(abs(try #require(Double(cells[2])) - (row["log_probabilities"]?["billing"]?.number ?? 0)) < 1e-5)
      }
      let tsv = try predictions(["--data", "train.tsv"], input: "")
      #expect(lines(tsv.output).first == "text\tlabel\t" + names)
      #expect(
        lines(tsv.output).dropFirst().map { $0.split(separator: "\t").dropFirst(2).joined(separator: "\t") }
          == cells.map { $0.dropLast().joined(separator: "\t") })

      let objects = texts.enumerated().map { "{ \"id\":\($0)e0, \"text\":\(JSON.string($1).compact) }" }
      let jsonl = try predictions(["--data", "-", "--format", "jsonl"], input: objects.joined(separator: "\n\n"))
      #expect(lines(jsonl.output).count == 16)
      for ((line, object), row) in zip(zip(lines(jsonl.output), objects), expected) {
        #expect(line.hasPrefix(object.dropLast(2) + ", \"prediction\": "))
        let json = try JSON(parsing: Array(line.utf8), file: "line")
        #expect(json["prediction"] == row["prediction"])
        for label in ["billing", "delivery"] {
          let found = try #require(json["log_probabilities"]?[label]?.number)
          #expect(abs(found - (row["log_probabilities"]?[label]?.number ?? 0)) < 1e-5)
        }
      }
    }
  }

  /// Rows are answered as they come, so there is no mean over all of them.
  @Test func batchCalibrationNeedsAllRows() throws {
    let outcome = try predict(["--data", "-", "--scoring", "batch_calibrated"], in: repository, input: "a text")
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    #expect(
      outcome.errorLine.contains("--scoring: batch_calibrated compares a row with all others"), "\(outcome.errors)")
  }

  @Test func tablesKeepTheirColumns() throws {
    try withCheckpoint { folder in
      let table = "id,message,note\n1,\"my, \"\"parcel\"\"\nis late\",\"a,b\"\n\n2,refund me,\n"
      try writeAtomically(table, to: folder + "/new.csv")
      let flags = ["--data", "new.csv", "--text-column", "message"]
      let stdout = try predict(flags, in: folder)
      #expect(stdout.status == 0, "\(stdout.errors)")
      #expect(stdout.output.hasPrefix("id,message,note,prediction,probability,log_probability_billing,"))
      #expect(
        stdout.output.contains("\n1,\"my, \"\"parcel\"\"\nis late\",\"a,b\",")
          && stdout.output.contains("\n2,refund me,,"))
      let file = try predict(flags + ["--output", "out.csv"], in: folder)
      #expect(file.status == 0 && file.output.isEmpty && file.errors.contains("2 rows"), "\(file.errors)")
      #expect(String(decoding: try readBytes(of: folder + "/out.csv"), as: UTF8.self) == stdout.output)
      #expect(try predict(flags + ["--output", "out.csv"], in: folder).status == 64)
      // What was labelled has the columns already.
      let again = try predict(["--data", "out.csv", "--text-column", "message"], in: folder)
      #expect(again.status == 65 && again.errorLine.contains("out.csv:1: has a column \"prediction\" already"))
      let json = try predict(flags + ["--json"], in: folder)
      let first = try JSON(parsing: Array(try #require(lines(json.output).first).utf8), file: "line")
      #expect(first["message"]?.string == "my, \"parcel\"\nis late" && first["prediction"]?.string != nil)
      // A file may be labelled in its own place.
      #expect(try predict(flags + ["--output", "new.csv", "--overwrite"], in: folder).status == 0)
      #expect(String(decoding: try readBytes(of: folder + "/new.csv"), as: UTF8.self) == stdout.output)
    }
  }

  @Test func badRowsEndTheWorkOrAreSkipped() throws {
    try withCheckpoint { folder in
      let long = Array(repeating: "parcel", count: 800).joined(separator: " ")
      let rows = [
        "{\"text\": \"refund me\"}", "{\"text\": \" \"}", "{\"text\": \"a\", \"prediction\": 1}", "{\"text\": ",
        "{\"txt\": \"a\"}", "{\"text\": \"\(long)\"}", "[1]", "{\"text\": \"my parcel is late\"}",
      ]
      let input = rows.joined(separator: "\n")
      let flags = ["--data", "-", "--format", "jsonl"]
      let strict = try predict(flags, in: folder, input: input)
      #expect(strict.status == 65 && strict.errorLine == "cpt: error: standard input:2: the text is empty")
      #expect(lines(strict.output).count == 1 && lines(strict.errors).count == 1)
      let file = try predict(flags + ["--output", "out.jsonl"], in: folder, input: input)
      #expect(
        file.status == 65 && names(inDirectory: folder).filter { $0.hasPrefix("out.jsonl") } == ["out.jsonl.partial"])
      #expect(
        file.errors.contains(
          "note: the rows done, up to row 1 of the input, are in out.jsonl.partial; go on with --from-row 2"))
      #expect(String(decoding: try readBytes(of: folder + "/out.jsonl.partial"), as: UTF8.self) == strict.output)
      try removeRecursively(folder + "/out.jsonl.partial")
      let skipping = try predict(flags + ["--skip-bad", "--output", "out.jsonl"], in: folder, input: input)
      #expect(skipping.status == 0, "\(skipping.errors)")
      let messages = [
        "2: the text is empty", "3: has a \"prediction\" already", "4:10: malformed JSON: expected a value",
        "5: has no text under \"text\"; did you mean \"txt\"?", "6: context (", "7: expected an object",
      ]
      let said = lines(skipping.errors).filter { $0.contains("skipped: ") }
      #expect(said.count == messages.count, "\(skipping.errors)")
      for (line, message) in zip(said, messages) { #expect(line.contains("standard input:" + message), "\(line)") }
      #expect(skipping.errorLine.contains("2 rows") && skipping.errorLine.contains("6 skipped"))
      let written = lines(String(decoding: try readBytes(of: folder + "/out.jsonl"), as: UTF8.self))
      #expect(written.map { $0.contains("refund") } == [true, false])
      #expect(try #require(lines(strict.output).first).hasPrefix(written[0].prefix(40)))

      // Behind a quote that is never closed nothing can be told apart.
      let open = try predict(
        ["--data", "-", "--format", "csv", "--skip-bad"], in: folder, input: "text\nrefund\n\"x\ny\n")
      #expect(open.status == 65 && open.errorLine.contains("standard input:3: a quoted field opens here"))
      let fields = try predict(
        ["--data", "-", "--format", "csv", "--skip-bad"], in: folder, input: "id,text\n1,refund\n2\n\"3\"x,\n4,late\n")
      #expect(fields.status == 0 && lines(fields.output).map(\.first) == ["i", "1", "4"], "\(fields.output)")
    }
  }

  /// Rows before a quote that is never closed are answered; what is lost is said.
  @Test func rowsBeforeAnOpenQuoteAreAnswered() throws {
    try withCheckpoint { folder in
      try writeAtomically("text\nrefund me\nmy parcel\n\"open\nlate\n", to: folder + "/new.csv")
      for flags in [[], ["--skip-bad"], ["--skip-bad", "--output", "out.csv"]] {
        let outcome = try predict(["--data", "new.csv"] + flags, in: folder)
        #expect(outcome.status == 65, "\(outcome.errors)")
        #expect(
          outcome.errorLine.contains("new.csv:4: a quoted field opens here and is never closed; the rows from here on"))
        let output =
          flags.count < 3 ? outcome.output : String(decoding: try readBytes(of: folder + "/out.csv"), as: UTF8.self)
        #expect(lines(output).map { String($0.prefix(6)) } == ["text,p", "refund", "my par"], "\(output)")
      }
    }
  }

  /// Tables keep their separator, lists become lines, and gzip is read.
  @Test func rowsComeInEveryDress() throws {
    try withCheckpoint { folder in
      let expected = try predict(["--data", "-", "--json"], in: folder, input: "refund; me\nmy parcel\n")
      let answers = lines(expected.output).map { $0.replacing(/^[\s\S]*"prediction"/, with: "") }
      try writeAtomically("sep=;\rid;text\r1;\"refund; me\"\r2;my parcel\r", to: folder + "/new.csv")
      let table = try predict(["--data", "new.csv"], in: folder)
      #expect(table.output.hasPrefix("id;text;prediction;probability;"), "\(table.errors)")
      let labels = try lines(expected.output).map {
        try #require(JSON(parsing: Array($0.utf8), file: "line")["prediction"]?.string)
      }
      #expect(table.output.contains("\n1;\"refund; me\";\(labels[0]);"), "\(table.output)")
      #expect(table.output.contains("\n2;my parcel;\(labels[1]);"), "\(table.output)")
      try writeAtomically(
        "[\n  {\n    \"text\": \"refund; me\",\n    \"n\": \"1\u{2028}2\"\n  },\n  {\"text\": \"my parcel\"}\n]\n",
        to: folder + "/new.json")
      let list = try predict(["--data", "new.json"], in: folder)
      #expect(lines(list.output).map { $0.replacing(/^[\s\S]*"prediction"/, with: "") } == answers, "\(list.errors)")
      #expect(
        list.output.hasPrefix("{ \"text\": \"refund; me\", \"n\": \"1\u{2028}2\", \"prediction\""), "\(list.output)")
      #expect(try Program.run(["-k", "new.csv"], in: folder, executable: "/bin/gzip").status == 0)
      let compressed = try predict(["--data", "new.csv.gz"], in: folder)
      #expect(compressed.output == table.output, "\(compressed.errors)")
    }
  }

  /// The line ends and the mark of the input are those of the output, unless it becomes JSON.
  @Test(arguments: ["csv", "tsv", "jsonl", "txt"])
  func lineEndsAndTheMarkStay(format: String) throws {
    try withCheckpoint { folder in
      let separator = format == "csv" ? "," : "\t"
      let rows =
        format == "jsonl"
        ? ["{\"text\": \"refund me\"}", "{\"text\": \"my parcel\"}"]
        : (format == "txt" ? [] : ["id\(separator)text"])
          + ["refund me", "my parcel"].map { format == "txt" ? $0 : "1\(separator)\($0)" }
      func output(_ mark: String, _ end: String, _ flags: [String] = []) throws -> [UInt8] {
        try writeAtomically(mark + rows.map { $0 + end }.joined(), to: folder + "/new.\(format)")
        let outcome = try predict(["--data", "new.\(format)", "--output", "out", "--overwrite"] + flags, in: folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try readBytes(of: folder + "/out")
      }
      let usual = try output("", "\n"), windows = try output("\u{FEFF}", "\r\n")
      #expect(!usual.contains(0x0D) && usual.first != 0xEF)
      let expected: [UInt8] = [0xEF, 0xBB, 0xBF] + usual.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
      // Plain lines become a table.
      #expect(windows == (format == "txt" ? usual : expected))
      let json = try output("\u{FEFF}", "\r\n", ["--json"])
      #expect(json == (format == "jsonl" ? windows : try output("", "\n", ["--json"])))
    }
  }

  @Test func textsOfTheCommandLineAreLabelled() throws {
    try withCheckpoint { folder in
      let file = try predict(["--data", "-"], in: folder, input: "refund me\nmy parcel\n")
      let texts = try predict(["--text", "refund me", "--text", "my parcel"], in: folder)
      #expect(texts.status == 0 && texts.output == file.output, "\(texts.errors)")
      let json = try predict(["--text", "my\tparcel\nis late", "--json"], in: folder)
      #expect(json.output.hasPrefix("{\"text\": \"my\\tparcel\\nis late\", \"prediction\": "), "\(json.output)")
      let spread = try predict(["--text", "my\tparcel\nis late"], in: folder)
      #expect(lines(spread.output).count == 2 && spread.output.hasSuffix("\tmy parcel is late\n"))
      for (flags, message) in [
        (["--data", "-"], "--text: conflicts with --data"), (["--from-row", "2"], "--from-row: is of rows in a file"),
        (["--format", "csv"], "--format: is of rows in a file"), (["--text", " "], "--text: the text is empty"),
      ] {
        let outcome = try predict(["--text", "a"] + flags, in: folder)
        #expect([64, 65].contains(outcome.status) && outcome.errorLine.contains(message), "\(outcome.errors)")
      }
    }
  }

  /// The rows that come after a part give, behind it, what one command gives.
  @Test(arguments: ["jsonl", "csv"])
  func laterRowsGoOn(format: String) throws {
    try withCheckpoint { folder in
      let texts = ["refund me", "my parcel", "late", "thanks"]
      let rows = format == "csv" ? ["text"] + texts : texts.map { "{\"text\": \"\($0)\"}" }
      let file = ["--data", "new.\(format)"]
      try writeAtomically(rows.map { $0 + "\n" }.joined(), to: folder + "/new.\(format)")
      // The numbers of rows that are computed together round differently.
      func words(_ outcome: Program.Outcome) -> [String] {
        lines(outcome.output).map { String($0.prefix { !$0.isNumber }) }
      }
      let all = words(try predict(file, in: folder))
      let rest = try predict(file + ["--from-row", "3"], in: folder)
      #expect(words(rest) == (format == "csv" ? [all[0]] : []) + all.suffix(2), "\(rest.errors)")
      let none = try predict(file + ["--from-row", "6"], in: folder)
      #expect(
        none.status == 64 && none.errorLine.contains("--from-row: must be at most 4, the number of rows; found 6"))
    }
  }

  @Test func textsThatAreTruncatedAreCounted() throws {
    try withCheckpoint { folder in
      let long = Array(repeating: "parcel", count: 800).joined(separator: " ")
      let outcome = try predict(
        ["--data", "-", "--set", "data.truncate_text=true"], in: folder, input: "refund\n" + long + "\n")
      #expect(outcome.status == 0 && outcome.errorLine.hasSuffix(", 1 truncated"), "\(outcome.errors)")
    }
  }

  /// Rows of tokens have no labels of words.
  @Test func tokensAmongWordsAreRefused() throws {
    try withCheckpoint { folder in
      try writeAtomically("{\"input_ids\": [5, 6], \"input_type_mask\": [2, 4]}\n", to: folder + "/tokens.jsonl")
      let outcome = try Program.run(["eval", "--checkpoint", "run/best", "--data", "tokens.jsonl"], in: folder)
      #expect(outcome.status == 65 && lines(outcome.errors).count == 1, "\(outcome.errors)")
      #expect(outcome.errorLine.contains("tokens.jsonl:1: holds tokens (\"input_ids\"), and the labels are words"))
    }
  }

  /// A row of a pipe is answered though the pipe stays open.
  @Test(.timeLimit(.minutes(2))) func rowsAreAnsweredAsTheyCome() throws {
    try withCheckpoint { folder in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["predict", "--checkpoint", "run/best", "--data", "-", "--json"]
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      let input = Pipe(), output = Pipe()
      process.standardInput = input
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      try process.run()
      for text in ["my parcel is late", "refund me\nand me", "thanks"] {
        input.fileHandleForWriting.write(Data((text + "\n").utf8))
        var answer = Data()
        let count = text.split(separator: "\n").count
        while answer.count(where: { $0 == 0x0A }) < count {
          let bytes = output.fileHandleForReading.availableData
          if bytes.isEmpty { break }
          answer += bytes
        }
        let rows = try lines(String(decoding: answer, as: UTF8.self)).map {
          try JSON(parsing: Array($0.utf8), file: "")
        }
        #expect(rows.compactMap { $0["text"]?.string }.joined(separator: "\n") == text)
      }
      try input.fileHandleForWriting.close()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalLeavesNoFile(signal: Int32) throws {
    try withCheckpoint { folder in
      // Standard input is a pipe nobody writes to.
      #expect(mkfifo(folder + "/pipe.txt", 0o600) == 0)
      let keeper = open(folder + "/pipe.txt", O_RDWR)
      defer { close(keeper) }
      func partials() -> [String] { names(inDirectory: folder).filter { $0.hasPrefix("out.tsv") } }
      let status = try Program.interrupt(
        ["predict", "--checkpoint", "run/best", "--data", "pipe.txt", "--output", "out.tsv"], in: folder, with: signal
      ) { !partials().isEmpty }
      #expect(status == 128 + signal)
      #expect(partials().isEmpty)
    }
  }

  /// The rows done when a signal comes are kept whole, and named.
  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalKeepsTheRowsDone(signal: Int32) throws {
    try withCheckpoint { folder in
      #expect(mkfifo(folder + "/pipe.txt", 0o600) == 0)
      let keeper = open(folder + "/pipe.txt", O_RDWR)
      defer { close(keeper) }
      let input = "refund me\nmy parcel\n"
      let expected = try predict(["--data", "-"], in: folder, input: input).output
      #expect(write(keeper, input, input.utf8.count) == input.utf8.count)
      let command = [
        "predict", "--checkpoint", "run/best", "--data", "pipe.txt", "--output", "out.tsv", "--progress", "plain",
      ]
      let status = try Program.interrupt(command, in: folder, with: signal, errors: folder + "/errors") {
        fileSize(folder + "/errors") > 0
      }
      #expect(status == 128 + signal)
      #expect(names(inDirectory: folder).filter { $0.hasPrefix("out.tsv") } == ["out.tsv.partial"])
      #expect(String(decoding: try readBytes(of: folder + "/out.tsv.partial"), as: UTF8.self) == expected)
      let said = String(decoding: try readBytes(of: folder + "/errors"), as: UTF8.self)
      #expect(
        said.hasSuffix(
          "note: the rows done, up to row 2 of the input, are in out.tsv.partial; go on with --from-row 3 and another "
            + "--output\n"))
      // The part is not lost to the next command.
      let again = try predict(["--data", "-", "--output", "out.tsv"], in: folder, input: input)
      #expect(again.status == 64 && again.errorLine.contains("out.tsv.partial: already exists"), "\(again.errors)")
    }
  }

  /// What PEFT wrote has no labels: --config brings them.
  @Test func adaptersOfPEFTLabel() throws {
    try withCheckpoint { folder in
      #expect(
        try Program.run(["export-prompt", "--checkpoint", "run/best", "--output", "peft"], in: folder).status == 0)
      let refused = try predict(["--data", "train.tsv"], in: folder, checkpoint: "peft")
      #expect(refused.status == 64 && refused.errorLine.contains("--config: is missing"), "\(refused.errors)")
      let own = try predict(["--data", "train.tsv"], in: folder)
      for file in ["config.json", "run/config.json"] {
        #expect(
          try predict(["--data", "train.tsv", "--config", file], in: folder, checkpoint: "peft").output == own.output)
      }
    }
  }

  @Test func mistakesAreOneLine() throws {
    try withCheckpoint { folder in
      try writeAtomically("", to: folder + "/empty.csv")
      try writeAtomically("a", to: folder + "/rows.dat")
      try writeAtomically("PAR1", to: folder + "/rows.parquet")
      for (flags, status, message) in [
        (["--data", "nowhere.tsv"], 66, "nowhere.tsv: cannot be opened"), (["--data", "empty.csv"], 65, "is empty"),
        (["--data", "rows.dat"], 64, "rows.dat: has none of the extensions .jsonl, .csv, .tsv and .txt"),
        (["--data", "train.tsv", "--text-column", "txt"], 65, "has no column \"txt\"; did you mean \"text\"?"),
        (["--data", "train.tsv", "--format", "tvs"], 64, "--format: unknown value \"tvs\"; did you mean \"tsv\"?"),
        (["--data", "train.tsv", "--scoring", "ac"], 64, "--scoring: unknown value \"ac\"; did you mean \"acc\"?"),
        (["--data", "train.tsv", "--output", "nowhere/x"], 64, "--output: the folder nowhere does not exist"),
        (["--data", "train.tsv", "--output", "run"], 64, "run: is a folder"),
        (["--data", "run"], 64, "run: has none of the extensions"),
        (
          ["--data", "rows.parquet"], 65, "rows.parquet: is a Parquet file; expected rows as CSV, TSV or JSON: python3"
        ),
        (["--data", "."], 64, ".: has none of the extensions"),
        (["--data", "run", "--format", "csv"], 66, "run: is a folder, expected a file"),
        ([], 64, "--data: is missing"),
      ] as [([String], Int32, String)] {
        let outcome = try predict(flags, in: folder)
        #expect(outcome.status == status, "\(flags) \(outcome.errors)")
        #expect(outcome.errors.hasPrefix("cpt: error: ") && outcome.errors.contains(message), "\(outcome.errors)")
        #expect(lines(outcome.errors).count == 1 && outcome.output.isEmpty)
      }
    }
  }

  /// No rows, no mistake.
  @Test func noRowsGiveAHeader() throws {
    try withCheckpoint { folder in
      let none = try predict(["--data", "-"], in: folder)
      #expect(none.status == 0 && lines(none.output).count == 1)
      let header = try predict(["--data", "-", "--format", "csv"], in: folder, input: "text,id")
      #expect(header.status == 0 && header.output.hasPrefix("text,id,prediction,"))
    }
  }
}
