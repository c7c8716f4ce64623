import Diagnostics
import FileFormats
import Foundation
import FoundationXML
import System
import Testing
import TestSupport
import Tuning

/// A page as a reader of XML sees it.
private final class Page: NSObject, XMLParserDelegate {
  private(set) var text = ""
  private(set) var ids: [String] = []
  private(set) var elements: [String: Int] = [:]
  /// What elements refer to: `aria-labelledby`, links into the page, anything fetched.
  private(set) var references: [String] = []
  private(set) var addresses: [String] = []
  /// The texts of `script` elements.
  private(set) var scripts: [String] = []
  private var isInScript = false
  /// What may run, as the page's policy says.
  private(set) var policy = ""

  /// - Throws: where the page is not well-formed.
  init(file: String) throws {
    super.init()
    let parser = XMLParser(data: Data(try readBytes(of: file)))
    parser.delegate = self
    if !parser.parse() { throw parser.parserError ?? InputError.badData(file, "is not well-formed") }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    elements[name, default: 0] += 1
    isInScript = name == "script"
    if isInScript { scripts.append("") }
    if attributes["http-equiv"] == "Content-Security-Policy" { policy = attributes["content"] ?? "" }
    if let id = attributes["id"] { ids.append(id) }
    references += (attributes["aria-labelledby"] ?? "").split(separator: " ").map(String.init)
    if let link = attributes["href"] { addresses.append(link) }
    if let source = attributes["src"] { addresses.append(source) }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) { isInScript = false }

  func parser(_ parser: XMLParser, foundCharacters characters: String) {
    if isInScript { scripts[scripts.count - 1] += characters } else { text += characters }
  }

  /// What every page must be: ids once each, references that lead somewhere in it, nothing fetched, nothing run but the
  /// one script by its hash.
  func checkSelfContained() {
    #expect(Set(ids).count == ids.count)
    #expect(Set(references).isSubset(of: ids))
    #expect(addresses.allSatisfy { $0.hasPrefix("#") && ids.contains(String($0.dropFirst())) })
    #expect(elements["link"] == nil && elements["img"] == nil && scripts.count <= 1)
    #expect(policy.hasPrefix("default-src 'none'; style-src 'unsafe-inline'"))
    #expect(policy.contains("script-src") == (elements["table"] ?? 0 > 0 && !scripts.isEmpty))
  }
}

@Suite struct ReportTests {
  /// Trains the working example after a change to it, writes a report, and hands the page and the folder over.
  private func withReport(
    _ flags: [String] = [], training: [String] = [], change: (inout WorkingExample) -> Void = { _ in },
    check: (Page, String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      change(&example)
      try example.write()
      let trained = try example.trainRun(training)
      #expect(trained.status == 0, "\(trained.errors)")
      let outcome = try Program.run(["report", "run", "--output", "report.html"] + flags, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let page = try Page(file: folder + "/report.html")
      page.checkSelfContained()
      try check(page, folder)
    }
  }

  @Test func numbersAreThoseOfTheRun() throws {
    try withReport { page, folder in
      let evaluation = try Program.run(["eval", "--checkpoint", "run/best", "--json"], in: folder).json()
      func percentage(_ method: String) throws -> String {
        let accuracy = try #require(evaluation[method]?["accuracy"]?.number)
        return String(format: "%.1f\u{A0}%%", 100 * accuracy)
      }
      #expect(page.text.contains("CPT predicts the right label for \(try percentage("cpt")) of 16 test rows"))
      #expect(page.text.contains("untrained for \(try percentage("icl"))"))
      // The difference, its interval, and the rows that changed sides.
      let difference = try #require(evaluation["difference"]?["accuracy"]?.number)
      let error = try #require(evaluation["difference"]?["accuracy_stderr"]?.number)
      let half = 1.96 * error
      func points(_ value: Double) -> String {
        String(format: value > 0 ? "+%.1f" : "%.1f", 100 * value).replacing("-", with: "\u{2212}")
      }
      #expect(page.text.contains("\(points(difference - half)) to \(points(difference + half)))"))
      let flags = ["--checkpoint", "run/best", "--predictions", "p.jsonl"]
      #expect(try Program.run(["eval"] + flags, in: folder).status == 0)
      let rows = try PredictionRecord.read(file: folder + "/p.jsonl")
      let toRight = rows.count { $0.tuned.prediction == $0.label && $0.baselinePrediction != $0.label }
      let toWrong = rows.count { $0.tuned.prediction != $0.label && $0.baselinePrediction == $0.label }
      #expect(toRight != toWrong)
      #expect(page.text.contains("\(toRight) rows went from wrong to right, \(toWrong) from right to wrong"))
      #expect(page.text.contains("Training took 6 steps"))
      let matrix = try #require(evaluation["cpt"]?["confusion_matrix"]?.array)
      let right = matrix.indices.reduce(0) { $0 + (matrix[$1].array?[$1].integer ?? 0) }
      #expect(page.text.contains("CPT: \(right) of 16 right"))
      // The learning rate's first step, in the table behind the curves.
      #expect(page.text.contains("validation macro-F1"))
      // Four small charts, two reliability diagrams, coverage, the map; each with its text alternative.
      #expect(page.ids.filter { $0.hasSuffix("-title") }.count == 8)
      #expect(page.text.contains("Resolved configuration") && page.text.contains("\"opt_projection_epsilon\": 2.0"))
    }
  }

  /// The script is known by its hash; a page without predictions has none.
  @Test func theOneScriptIsKnownByItsHash() throws {
    try withReport { page, folder in
      let script = try #require(page.scripts.first)
      try writeAtomically(script, to: folder + "/script")
      let command = "openssl dgst -sha256 -binary script | base64"
      let hash = try Program.run(["-c", command], in: folder, executable: "/bin/sh")
      #expect(page.policy.hasSuffix("; script-src 'sha256-\(hash.output.dropLast())'"), "\(hash)")
      #expect(!script.contains { "<>&".contains($0) })
    }
    try withReport(["--no-eval"]) { page, _ in #expect(page.scripts.isEmpty && !page.policy.contains("script-src")) }
  }

  /// Mistakes come first, with what was predicted; long texts and many rows are cut, and that is said.
  @Test func theRowsAreListed() throws {
    let long = Array(repeating: "parcel", count: 60).joined(separator: " ")
    try withReport {
      $0.train += [("my parcel number 5 is late", "billing"), (long, "delivery")]
      $0.set("data", "context_examples", .integer(2))
    } check: { page, folder in
      let source = String(decoding: try readBytes(of: folder + "/report.html"), as: UTF8.self)
      let table = try #require(source.firstRange(of: "<table class=\"sortable\" id=\"part1-rows\">"))
      let rows = source[table.upperBound...].split(separator: "<tr").dropFirst(2)
        .prefix(18).map { $0.prefix(upTo: ($0.firstRange(of: "</tr>") ?? $0.endIndex..<$0.endIndex).lowerBound) }
      #expect(rows.count == 18)
      let wrong = rows.map { $0.hasPrefix(" class=\"wrong\"") }
      let count = wrong.count { $0 }
      #expect(count > 0 && Array(wrong.prefix(count)).allSatisfy { $0 } && !wrong.dropFirst(count).contains(true))
      #expect(page.text.contains(" of 18 \(count == 1 ? "is" : "are") wrong with CPT"))
      #expect(rows.contains { $0.contains("my parcel number 5 is late") && $0.contains(">billing<") })
      #expect(rows.contains { $0.contains("…</th>") } && !rows.contains { $0.contains(long) })
      #expect(source.contains("id=\"part1-rows-filter\" hidden=\"hidden\""))
    }
    try withReport { example in
      example.train = (0..<510).map { ("refund \($0)", $0 % 2 == 0 ? "delivery" : "billing") }
      example.set("data", "validation", .null)
      example.set("training", "max_steps", .integer(1))
      example.set("data", "train_on", .string("context"))
    } check: { page, _ in
      #expect(page.text.contains("The table has 500 of 510 rows"))
    }
  }

  @Test func whatRowsSayIsNoMarkup() throws {
    let text = "</li><script>alert('1')</script> & \"parcel\" \u{1B}[31m is late"
    try withReport {
      $0.train = $0.train.map { ("\(text) \($0.0)", $0.1) }
      $0.set(
        "data", "label_words", .object([.init("billing", .string("<b>")), .init("delivery", .string("delivery"))]))
    } check: { page, folder in
      let source = String(decoding: try readBytes(of: folder + "/report.html"), as: UTF8.self)
      #expect(source.ranges(of: "<script").count == 1 && !source.contains("<b>") && !source.contains("alert('1')<"))
      #expect(page.text.contains("<b>") && page.text.contains("\"parcel\""))
    }
  }

  /// Each: a change to the example, flags of train and of report, what the page then says, what it has no more.
  @Test(arguments: [
    ("no test rows", [], [], "predictions are on validation rows", "16 test row"),
    ("no rows", [], [], "names no test or validation rows", "Reliability"),
    ("no validation", [], [], "has no validation rows", "best on validation"),
    ("one step", [], [], "Training took 1 step in", "single steps"),
    ("stopped", ["--stop-after", "3"], [], "interrupted after 3 steps", "Training took"),
    ("no evaluation", [], ["--no-eval"], "without evaluating rows (--no-eval)", "Reliability"),
    ("icl", ["--set", "training.method=icl"], [], "ICL trains nothing", "Changed predictions"),
    ("prompt tuning", ["--set", "training.method=prompt_tuning"], [], "of the largest distance", "ball’s radius"),
  ])
  func whatIsMissingIsSaid(change: String, training: [String], flags: [String], says: String, lacks: String) throws {
    try withReport(flags, training: training) { example in
      switch change {
      case "no test rows": example.set("data", "test", .null)
      case "no rows":
        example.set("data", "test", .null)
        example.set("data", "validation", .null)
      case "no validation": example.set("data", "validation", .null)
      case "one step": example.set("training", "max_steps", .integer(1))
      // The accuracy of the untrained tokens is not reached.
      case "prompt tuning": example.set("training", "metric_for_best_model", .string("loss"))
      default: break
      }
    } check: { page, _ in
      #expect(page.text.contains(says) && !page.text.contains(lacks), "\(change)")
    }
  }

  /// Stopped before its first checkpoint: there are metrics and nothing else.
  @Test func aRunWithoutAnAdapter() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      for name in names(inDirectory: folder + "/run") where name != "config.json" && name != "metrics.jsonl" {
        try removeRecursively(folder + "/run/" + name)
      }
      for metrics in [nil, ""] {
        if let metrics { try writeAtomically(metrics, to: folder + "/run/metrics.jsonl") }
        let outcome = try Program.run(["report", "run", "--output", "r.html", "--overwrite"], in: folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let page = try Page(file: folder + "/r.html")
        page.checkSelfContained()
        #expect(page.text.contains("has written no adapter yet") && !page.text.contains("token by token"))
        #expect(page.text.contains("No step was taken") == (metrics != nil))
      }
    }
  }

  @Test func severalRunsStandSideBySide() throws {
    try withReport(["run", "run/../run", "--overwrite", "--no-eval"]) { page, _ in
      #expect(page.text.contains("3 results side by side") && page.addresses.count == 3)
    }
  }

  @Test func comparisonsShowTheirSeeds() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let compared = try Program.run(
        ["compare", "--config", "config.json", "--seeds", "2", "--methods", "cpt,icl", "--json"], in: folder)
      #expect(compared.status == 0, "\(compared.errors)")
      let outcome = try Program.run(["report", "run-compare", "--output", "r.html"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      let page = try Page(file: folder + "/r.html")
      page.checkSelfContained()
      for cell in try #require(compared.json()["cells"]?.array) {
        let accuracy = String(format: "%.1f\u{A0}%%", 100 * (try #require(cell["accuracy"]?.number)))
        #expect(page.text.contains("seed \(try #require(cell["seed"]?.integer)) \(accuracy)"))
      }
      #expect(page.text.contains("4 cells as a table") && !page.text.contains("not finished"))
      // ICL takes no steps, and has no curves.
      #expect(page.text.contains("CPT: training loss") && !page.text.contains("ICL: training loss"))

      // Of three methods, one unfinished.
      let file = folder + "/run-compare/comparison.json"
      let text = String(decoding: try readBytes(of: file), as: UTF8.self)
      try writeAtomically(text.replacing("[\"cpt\", \"icl\"]", with: "[\"cpt\", \"icl\", \"prompt_tuning\"]"), to: file)
      #expect(try Program.run(["report", "run-compare", "--output", "r.html", "--overwrite"], in: folder).status == 0)
      #expect(try Page(file: folder + "/r.html").text.contains("2 of 6 cells are not finished"))
    }
  }

  /// Two tasks, two numbers of shots. A folder with nothing but the results gives the same page, without times and the
  /// configuration.
  @Test func studiesShowTheirConditions() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let words = [("plain", "delivery", "billing"), ("swapped", "billing", "delivery")].map { name, a, b in
        #""\#(name)": {"data": {"label_words": {"delivery": "\#(a)", "billing": "\#(b)"}}}"#
      }
      var base = example.configuration
      base["output_dir"] = nil
      let members = base.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }
      try writeAtomically(
        #"{"base": \#(JSON.object(members).compact), "tasks": {\#(words.joined(separator: ", "))}, "shots": [2, 4], "#
          + #""methods": ["cpt", "icl"], "seeds": [0], "output_dir": "cells"}"#, to: folder + "/study.json")
      let compared = try Program.run(
        ["compare", "--study", "study.json", "--set", "data.context_examples_per_label=1", "--json"], in: folder)
      #expect(compared.status == 0, "\(compared.errors)")
      try makeDirectory(folder + "/alone")
      try writeAtomically(
        String(decoding: try readBytes(of: folder + "/cells/comparison.json"), as: UTF8.self),
        to: folder + "/alone/comparison.json")
      for name in ["cells", "alone"] {
        let outcome = try Program.run(["report", name, "--output", "r.html", "--overwrite"], in: folder)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        let page = try Page(file: folder + "/r.html")
        page.checkSelfContained()
        // A chart of accuracies and two of losses for each task, a plot of differences.
        #expect(page.ids.filter { $0.hasSuffix("-title") }.count == 7, "\(page.ids)")
        for summary in try #require(compared.json()["summary"]?.array) {
          let accuracy = fixed(100 * (try #require(summary["accuracy"]?["mean"]?.number)), 1)
          #expect(page.text.contains("\(accuracy)\u{A0}% at \(try #require(summary["shots"]?.integer))"))
        }
        #expect(page.text.contains("under 4 conditions: tasks plain and swapped; 2 and 4 labelled rows of each label."))
        #expect(page.text.contains("8 cells as a table") && !page.text.contains("not finished"))
        #expect(page.text.contains("There is no times.json") == (name == "alone"))
        #expect(page.text.contains("Resolved configuration") == (name == "cells"))
      }
      let both = try Program.run(["report", "cells", "alone", "--output", "both.html"], in: folder)
      #expect(both.status == 0, "\(both.errors)")
      let page = try Page(file: folder + "/both.html")
      page.checkSelfContained()
      #expect(page.text.contains("Studies: means over the conditions") && page.addresses.count == 4)
    }
  }

  @Test func mistakesAreOneLine() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      try makeDirectory(folder + "/empty")
      try writeAtomically("", to: folder + "/there.html")
      for (arguments, status, message) in [
        (["--output", "r.html"], 64, "DIR: is missing; expected folders of runs"),
        (["run"], 64, "--output: is missing"),
        (["nowhere", "--output", "r.html"], 66, "nowhere: no such folder; expected the folder of a run"),
        (["empty", "--output", "r.html"], 66, "empty/metrics.jsonl: not found; expected the folder of a run"),
        (["config.json", "--output", "r.html"], 66, "config.json/metrics.jsonl: not found"),
        (["run", "empty", "--output", "r.html"], 66, "empty/metrics.jsonl: not found"),
        (["run", "--output", "there.html"], 64, "there.html: already exists; use --overwrite"),
        (["run", "--output", "empty"], 64, "empty: is a folder, expected a file"),
        (["run", "--output", "no/r.html"], 64, "the folder no does not exist"),
        (["run", "--output", "r.html", "--model", "nowhere"], 66, "nowhere: no such file or folder"),
        (["run", "--output", "r.html", "--threads", "0"], 64, "--threads: must be a whole number of at least 1"),
      ] as [([String], Int32, String)] {
        let outcome = try Program.run(["report"] + arguments, in: folder)
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.errorLine.contains(message), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.output.isEmpty)
        #expect(!fileExists(folder + "/r.html"))
      }
      try writeAtomically("broken\n", to: folder + "/run/metrics.jsonl")
      let broken = try Program.run(["report", "run", "--output", "r.html"], in: folder)
      #expect(broken.status == 65 && broken.errorLine.contains("run/metrics.jsonl:1:1: malformed JSON"))
    }
  }
}
