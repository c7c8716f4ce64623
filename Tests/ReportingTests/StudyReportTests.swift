import FileFormats
import Reporting
import System
import Testing
import TestSupport

@Suite struct StudyReportTests {
  /// A line of `conditions`, and the hits of each method under it, the same for all seeds.
  typealias Line = (condition: String, hits: [String: String])

  private static let methods = ["cpt", "icl", "mine"]

  /// Two tasks, two numbers of shots: under x, CPT is always right and ICL never; under y with 4 shots it is the other way
  /// round, with 16 they are equal. The third method is as good as CPT.
  private static let lines: [Line] = [
    (#""task": "x", "shots": 4"#, ["cpt": "1111", "icl": "0000", "mine": "1111"]),
    (#""task": "x", "shots": 16"#, ["cpt": "1111", "icl": "0000", "mine": "1111"]),
    (#""task": "y", "shots": 4"#, ["cpt": "0000", "icl": "1111", "mine": "0000"]),
    (#""task": "y", "shots": 16"#, ["cpt": "1100", "icl": "1100", "mine": "1100"]),
  ]

  /// The page of a folder that holds nothing but a comparison.json.
  private func page(_ lines: [Line], models: [String] = ["m"], seeds: [Int] = [0, 1], loss: String = "1.5") throws
    -> String
  {
    let conditions = models.flatMap { model in
      lines.map { (condition: #""model": "\#(model)", "# + $0.condition, hits: $0.hits) }
    }
    let cells = conditions.flatMap { condition, all in
      Self.methods.flatMap { method in
        seeds.compactMap { seed -> String? in
          guard let hits = all[method] else { return nil }
          let share = Double(hits.count { $0 == "1" }) / Double(hits.count)
          let training = method == "icl" ? "" : #""train_accuracy": 1, "train_loss": 0.125, "#
          return
            #"{\#(condition), "method": "\#(method)", "seed": \#(seed), "labelled_rows": 8, "steps": 3, "parameters": 12, "#
            + #""accuracy": \#(share), "accuracy_stderr": 0.25, "macro_f1": 0.375, "loss": \#(loss), "#
            + training + #""accuracy_by_scoring": {"acc": \#(share), "calibrated": 0.0625}, "hits": "\#(hits)"}"#
        }
      }
    }
    let candidates = conditions.flatMap { condition, _ in
      [(1, 0.01, 0.5), (2, 0.02, 0.75)].map { number, rate, accuracy in
        #"{\#(condition), "method": "cpt", "candidate": \#(number), "settings": {"training.learning_rate": \#(rate)}, "#
          + #""validation_accuracy": \#(accuracy), "validation_loss": 1}"#
      }
    }
    func list(_ parts: [String]) -> String { "[" + parts.joined(separator: ", ") + "]" }
    return try withTemporaryFolder { folder in
      try writeAtomically(
        #"{"config": "/a b/study.json", "is_study": true, "settings": ["cpt:training.epochs=2"], "split": "test", "#
          + #""threads": 2, "conditions": \#(list(conditions.map { "{\($0.condition)}" })), "#
          + #""methods": \#(list(Self.methods.map { "\"\($0)\"" })), "seeds": \#(list([0, 1].map { String($0) })), "#
          + #""candidates": \#(list(candidates)), "cells": \#(list(cells))}"#,
        to: folder + "/comparison.json")
      return Report([.comparison(try ComparisonRecord(folder: folder))], version: "1").page
    }
  }

  private func count(_ text: String, in page: String) -> Int { page.split(separator: text).count - 1 }

  @Test func resultsAreInWords() throws {
    let page = try page(Self.lines)
    #expect(
      page.contains(
        "Against ICL: better under 2 of 4 conditions, worse under 1, undecided under 1; on average +25.0 points "
          + "(95\u{A0}% interval +25.0 to +25.0)."))
    #expect(
      page.contains(
        "Against mine: better under 0 of 4 conditions, worse under 0, undecided under 4; on average 0.0 points "
          + "(95\u{A0}% interval 0.0 to 0.0), which is undecided."))
    #expect(page.contains("CPT is worse than ICL under y, 4 per label by 100.0 points (100.0 to 100.0)."))
    #expect(!page.contains("CPT is worse than mine") && !page.contains("No interval shows"))
    // Without the worse condition, this is said.
    #expect(try self.page(Array(Self.lines.prefix(2))).contains("No interval shows CPT worse than another method"))
  }

  @Test func everyPartIsShown() throws {
    let page = try page(Self.lines)
    for (part, times) in [
      // A curve for each task, with its numbers in words; losses on two kinds of rows.
      ("id=\"part1-shots", 4), ("CPT: 100.0\u{A0}% at 4, 100.0\u{A0}% at 16.", 1), ("class=\"band", 6),
      ("id=\"part1-losses0-", 4), ("CPT: 0.125 at 4, 0.125 at 16. mine: 0.125 at 4, 0.125 at 16.", 2),
      // Both methods share the first place of two rows, all that of one.
      ("★\u{A0}", 8), ("★\u{A0}100.0 ± 0.0", 5), ("rowspan=\"2\"", 2),
      // A row for each condition, and their mean, in plots of two methods.
      ("id=\"part1-differences", 4), (">mean of 4 conditions<", 2), ("better</td>", 2), ("worse</td>", 1),
      ("training.learning_rate 0.02</td><td class=\"number\">75.0\u{A0}%</td><td class=\"number\">2</td>", 4),
      ("chosen</td>", 4), ("There is no times.json", 1), ("6.3\u{A0}%", 12), ("24 cells as a table", 1),
      ("cpt compare --study '/a b/study.json' --output NEW-FOLDER --set cpt:training.epochs=2", 1),
    ] {
      #expect(count(part, in: page) == times, "\(part)")
    }
  }

  @Test func modelsAreApart() throws {
    let page = try page(Self.lines, models: ["m", "n"])
    #expect(count("CPT is worse than ICL under y, 4 per label", in: page) == 2 && page.contains("<h2>") == true)
    #expect(page.contains("m, x: loss on test rows") && page.contains("n: CPT minus mine"))
  }

  /// Of 24 cells two are missing; of 12 all; one number of shots; no shots at all.
  @Test func whatIsMissingIsSaid() throws {
    var lines = Self.lines
    lines[3].hits["icl"] = nil
    let unfinished = try page(lines)
    #expect(unfinished.contains("2 of 24 cells are not finished") && unfinished.contains("<td>–</td>"))
    #expect(unfinished.contains("Against mine: better under 0 of 4 conditions"))
    #expect(unfinished.contains("undecided under 4; on average over 3 conditions"))
    let empty = try page(lines, seeds: [])
    #expect(empty.contains("No cell is finished yet.") && empty.contains("24 of 24 cells are not finished"))
    let oneNumber = try page([lines[0], lines[2]])
    #expect(!oneNumber.contains("-shots0") && oneNumber.contains("The losses as a table"))
    #expect(oneNumber.contains("★"))
  }

  @Test func oneConditionHasItsDifferences() throws {
    let page = try page([Self.lines[0]])
    #expect(page.contains("part1-seeds-title") && page.contains("part1-differences0-title") && !page.contains("★"))
    #expect(count("+100.0 (+100.0 to +100.0)", in: page) > 1 && page.contains("6 cells as a table"))
  }

  /// Losses of a broken run, and conditions without differences, break no page.
  @Test(arguments: ["1e308", "-1e308", "0", "null"])
  func anyNumbersHaveAPage(loss: String) throws {
    #expect(try page(Self.lines, loss: loss).contains("</html>"))
    #expect(try page([Self.lines[0]], loss: loss).contains("</html>"))
    #expect(try page([Self.lines[0], Self.lines[0]], loss: loss).contains("</html>"))
  }
}
