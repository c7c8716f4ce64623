import Diagnostics
import FileFormats
import Insights
import System
import Testing
import TestSupport

@Suite struct ComparisonTests {
  private static func cell(_ method: String, _ seed: Int, _ hits: String, _ condition: String = "") -> String {
    let right = hits.filter { $0 == "1" }.count
    let accuracy = Double(right) / Double(hits.count)
    return
      #"{\#(condition)"method": "\#(method)", "seed": \#(seed), "labelled_rows": 8, "steps": 3, "parameters": 12, "#
      + #""accuracy": \#(accuracy), "accuracy_stderr": 0.25, "macro_f1": 0.375, "loss": 1.5, "#
      + #""accuracy_by_scoring": {"acc": \#(accuracy)}, "hits": "\#(hits)"}"#
  }

  private func comparison(conditions: String = "[{}]", methods: String, seeds: String, cells: [String]) throws
    -> Comparison
  {
    try withTemporaryFolder { folder in
      try writeAtomically(
        #"{"config": "/c.json", "is_study": false, "settings": [], "split": "test", "threads": 2, "#
          + #""conditions": \#(conditions), "methods": \#(methods), "seeds": \#(seeds), "candidates": [], "#
          + #""cells": [\#(cells.joined(separator: ", "))]}"#, to: folder + "/" + Comparison.file)
      return try Comparison(folder: folder)
    }
  }

  /// The form of the file: its keys and their order. Folders and summaries follow from the cells.
  @Test func filesKeepTheirForm() throws {
    let comparison = try comparison(methods: #"["cpt", "icl"]"#, seeds: "[3]", cells: [Self.cell("icl", 3, "10")])
    #expect(comparison.cells.map(\.folder) == ["icl-seed-3"])
    func spread(_ value: Double) -> String {
      #"{"mean": \#(value), "sd": null, "worst": \#(value), "best": \#(value)}"#
    }
    #expect(
      comparison.json["summary"]?.compact
        == #"[{"method": "icl", "seeds": 1, "accuracy": \#(spread(0.5)), "macro_f1": \#(spread(0.375)), "#
        + #""loss": \#(spread(1.5)), "parameters": 12}]"#)
    #expect(comparison.json["cells"]?.array?.first?["hits"] == .string("10"))
    #expect(comparison.json["differences"] == .array([]) && comparison.json["overall"] == .array([]))
  }

  /// Rows that both methods get right or wrong in the same way leave nothing to chance.
  @Test func differencesArePaired() throws {
    let cells = [
      Self.cell("cpt", 0, "1111100000"), Self.cell("cpt", 1, "0000011111"), Self.cell("icl", 0, "1111100000"),
      Self.cell("icl", 1, "0000011111"), Self.cell("other", 0, "0011100000"), Self.cell("other", 1, "0000000111"),
    ]
    let comparison = try comparison(methods: #"["cpt", "icl", "other"]"#, seeds: "[0, 1]", cells: cells)
    let same = comparison.differences[0], other = comparison.differences[1]
    #expect(same.other == "icl" && same.seeds == 2 && same.rows == 10)
    #expect(same.accuracy.value == 0 && same.accuracy.lower == 0 && same.accuracy.upper == 0)
    #expect(same.accuracy.verdict == .undecided)
    #expect(abs(other.accuracy.value - 0.2) < 1e-12)
    #expect(other.accuracy.lower >= 0 && other.accuracy.lower < 0.2 && other.accuracy.upper > 0.2)
    // The same cells give the same bytes.
    #expect(comparison.json == comparison.json)
    let ranks = comparison.overall
    #expect(ranks.map(\.rank) == [1.5, 1.5, 3] && ranks[0].difference == nil && ranks[2].difference == other.accuracy)
  }

  /// With one seed, an interval is that of the mean of rows: for n rows whose differences have the standard deviation s,
  /// about ± 1.96 s / √n.
  @Test func intervalsAreAsWideAsTheirRowsSay() throws {
    let hits = (0..<400).map { $0 % 4 == 0 ? "0" : "1" }.joined()
    let zeros = String(repeating: "0", count: 400)
    let comparison = try comparison(
      methods: #"["a", "b"]"#, seeds: "[0]", cells: [Self.cell("a", 0, hits), Self.cell("b", 0, zeros)])
    let difference = try #require(comparison.differences.first?.accuracy)
    let half = 1.96 * (0.75 * 0.25 / 400).squareRoot()
    #expect(abs(difference.value - 0.75) < 1e-12)
    #expect(abs(difference.lower - (0.75 - half)) < 0.006 && abs(difference.upper - (0.75 + half)) < 0.006)
    #expect(difference.verdict == .better)
  }

  /// With seeds that differ, an interval is wider than that of rows alone.
  @Test func seedsCountAsChance() throws {
    func hits(_ right: Int) -> String {
      String(repeating: "1", count: right) + String(repeating: "0", count: 400 - right)
    }
    let cells = [380, 300, 220].enumerated().flatMap { seed, right in
      [Self.cell("a", seed, hits(right)), Self.cell("b", seed, hits(200))]
    }
    let comparison = try comparison(methods: #"["a", "b"]"#, seeds: "[0, 1, 2]", cells: cells)
    let difference = try #require(comparison.differences.first?.accuracy)
    #expect(abs(difference.value - 0.25) < 1e-12 && difference.lower < 0.12 && difference.upper > 0.38)
  }

  @Test func accuraciesAreThoseOfTheRows() throws {
    let cell = Self.cell("a", 0, "1100").replacing(#""accuracy": 0.5, "#, with: #""accuracy": 0.75, "#)
    let error = #expect(throws: InputError.self) {
      try comparison(methods: #"["a"]"#, seeds: "[0]", cells: [cell])
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("\"hits\" gives 0.5"))
  }

  @Test func conditionsAreApart() throws {
    func cells(_ task: String, _ a: String, _ b: String) -> [String] {
      let condition = #""task": "\#(task)", "shots": 4, "#
      return [Self.cell("a", 0, a, condition), Self.cell("b", 0, b, condition)]
    }
    let comparison = try comparison(
      conditions: #"[{"task": "x", "shots": 4}, {"task": "y", "shots": 4}, {"task": "z", "shots": 4}]"#,
      methods: #"["a", "b"]"#, seeds: "[0]", cells: cells("x", "1111", "0111") + cells("y", "0001", "0011"))
    #expect(comparison.cells[0].folder == "x-4-shots-a-seed-0")
    #expect(comparison.cells[0].condition.description == "x, 4 per label")
    #expect(comparison.summaries.map(\.accuracy.mean) == [1, 0.75, 0.25, 0.5])
    #expect(comparison.differences.map(\.accuracy.value) == [0.25, -0.25])
    // The condition without cells counts nowhere.
    #expect(comparison.overall.map(\.conditions) == [2, 2] && comparison.overall.map(\.rank) == [1.5, 1.5])
    #expect(comparison.overall[1].difference?.value == 0)
    // Intervals of four rows hold 0, whatever the sign of the difference.
    let standing = try #require(comparison.standings(of: comparison.differences).first)
    #expect(standing.other == "b" && standing.differences(.undecided).count == 2)
    #expect(comparison.missingCells == 2)
    #expect(comparison.conditions.grouped { $0.shots }.map(\.conditions.count) == [3])
    #expect(comparison.conditions.grouped(by: \.withoutShots).count == 3)
  }

  @Test func costsAreMeansOfCells() throws {
    let comparison = try comparison(
      methods: #"["a", "b"]"#, seeds: "[0, 1]",
      cells: [
        Self.cell("a", 0, "10"), Self.cell("a", 1, "11").replacing("12,", with: "15,").replacing("8,", with: "9,"),
      ])
    var times = ComparisonTimes()
    #expect(comparison.costs(times).map(\.trainingSeconds) == [nil])
    times.cells = [ComparisonTimes.Cell(), ComparisonTimes.Cell()]
    times.cells[0].folder = "a-seed-0"
    times.cells[0].trainingSeconds = 2
    times.cells[0].evaluationSeconds = 4
    times.cells[1].folder = "a-seed-1"
    times.cells[1].trainingSeconds = 6
    let cost = try #require(comparison.costs(times).first)
    #expect(cost.method == "a" && cost.cells == 2 && cost.rowsLearntFrom == 8...9 && cost.parameters == 13.5)
    #expect(cost.trainingSeconds == 4 && cost.evaluationSeconds == 2)
    #expect(Comparison.meanScorings(of: comparison.cells).map(\.accuracy) == [0.75])
    #expect(comparison.missingCells == 2)
  }
}
