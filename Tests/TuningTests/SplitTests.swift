import Diagnostics
import Method
import Runs
import System
import TestSupport
import Testing
import Tuning

/// Which rows a run learns from, validates on and tests on.
@Suite struct SplitTests {
  /// 40 rows sorted by label: 20 a, 12 b, 8 c.
  private func rows(seed: Int = 0, _ change: (inout DataConfiguration, String) -> Void) throws -> TrainingRows {
    try withTemporaryFolder { folder in
      let labels = (0..<40).map { $0 < 20 ? "a" : $0 < 32 ? "b" : "c" }
      let lines = labels.enumerated().map { "text \($0)\t\($1)\n" }
      try writeAtomically("text\tlabel\n" + lines.joined(), to: folder + "/all.tsv")
      var data = Configuration().data
      data.train = folder + "/all.tsv"
      data.contextExamplesPerLabel = 1
      change(&data, folder + "/all.tsv")
      return try TrainingRows(data, seed: seed, drawsContext: true, showsContext: true)
    }
  }

  private func counts(_ rows: [DataRow]) -> [String: Int] {
    var counts: [String: Int] = [:]
    for case .text(_, let label) in rows.map(\.content) { counts[label, default: 0] += 1 }
    return counts
  }

  private func places(_ rows: [DataRow]) -> [String] { rows.map { String($0.place.split(separator: ":").last ?? "") } }

  @Test(arguments: [1, 3, 9, 50])
  func asManyRowsOfEachLabel(shots: Int) throws {
    let drawn = try rows { data, _ in
      data.trainExamplesPerLabel = shots
      data.trainOn = .all
    }
    #expect(counts(drawn.training) == ["a": min(shots, 20), "b": min(shots, 12), "c": min(shots, 8)])
    // The context is among them.
    #expect(
      Set(places(drawn.training)).isSuperset(of: places(drawn.context)) && drawn.learntFrom == drawn.training.count)
    let other = try rows(seed: 1) { data, _ in
      data.trainExamplesPerLabel = shots
      data.trainOn = .all
    }
    #expect((places(other.training) == places(drawn.training)) == (shots == 50))
  }

  /// Each label has its share of a limited number of rows, and at least one row if there are enough. The context has three.
  @Test(arguments: [
    (20, ["a": 10, "b": 6, "c": 4]), (5, ["a": 3, "b": 1, "c": 1]), (3, ["a": 1, "b": 1, "c": 1]),
    (37, ["a": 19, "b": 11, "c": 7]),
  ])
  func aLimitLeavesEachLabelItsShare(limit: Int, expected: [String: Int]) throws {
    let drawn = try rows { data, _ in data.maxTrainExamples = limit }
    #expect(counts(drawn.training) == expected)
    #expect(Set(places(drawn.training)).isDisjoint(with: places(drawn.context)))
    let other = try rows(seed: 1) { data, _ in data.maxTrainExamples = limit }
    #expect((places(other.training) == places(drawn.training)) == (limit == 37 && other.context == drawn.context))
  }

  @Test func contextAndRestShareTheShots() throws {
    let drawn = try rows { data, _ in data.trainExamplesPerLabel = 4 }
    #expect(counts(drawn.training) == ["a": 3, "b": 3, "c": 3] && counts(drawn.context) == ["a": 1, "b": 1, "c": 1])
    #expect(Set(places(drawn.training)).isDisjoint(with: places(drawn.context)) && drawn.learntFrom == 12)
  }

  /// Every row is in one fold, and labels are spread evenly.
  @Test(arguments: [2, 3, 4])
  func folds(number: Int) throws {
    var seen: [String] = []
    for fold in 0..<number {
      let drawn = try rows { data, _ in
        data.trainExamplesPerLabel = 6
        data.validationFolds = number
        data.validationFold = fold
        data.trainOn = .all
      }
      #expect(drawn.validation.count + drawn.training.count == 18)
      #expect(Set(places(drawn.validation)).isDisjoint(with: places(drawn.training)))
      let ofLabels = counts(drawn.validation).values
      #expect((ofLabels.max() ?? 0) - (ofLabels.min() ?? 0) <= 1 && ofLabels.count == 3)
      seen += places(drawn.validation)
    }
    #expect(seen.count == 18 && Set(seen).count == 18)
  }

  /// A file that is sorted by label gives all of them.
  @Test func limitsAreSpreadOverTheFile() throws {
    let drawn = try rows { data, file in
      data.validation = file
      data.test = file
      data.maxValidationExamples = 10
      data.maxTestExamples = 8
    }
    #expect(counts(drawn.validation) == ["a": 5, "b": 3, "c": 2])
    #expect(drawn.test.count == 8 && counts(drawn.test) == ["a": 4, "b": 3, "c": 1])
  }

  /// The rows drawn from a file of texts and labels.
  private func drawn(
    _ table: [(String, String)], seed: Int, _ change: (inout DataConfiguration) -> Void
  ) throws -> TrainingRows {
    try withTemporaryFolder { folder in
      let lines = table.map { "\($0.0)\t\($0.1)\n" }
      try writeAtomically("text\tlabel\n" + lines.joined(), to: folder + "/all.tsv")
      var data = DataConfiguration()
      data.train = folder + "/all.tsv"
      data.contextExamples = 1
      data.trainOn = .all
      change(&data)
      return try TrainingRows(data, seed: seed, drawsContext: true, showsContext: true)
    }
  }

  private func texts(_ rows: [DataRow]) -> Set<String> {
    Set(
      rows.compactMap { row in
        if case .text(let text, _) = row.content { text.filter { $0 != " " } } else { nil }
      })
  }

  /// White space around a text makes no other text of it.
  @Test(arguments: [(0.25, 0.25, nil), (nil, 0.3, nil), (nil, nil, 3), (nil, 0.2, 2)] as [(Double?, Double?, Int?)])
  func equalTextsAreInOneSplit(validation: Double?, test: Double?, folds: Int?) throws {
    let table = (0..<90).map { index in
      let name = index % 3 == 0 ? "row\(index)" : "row\(index % 20)"
      return (index < 45 ? name : " \(name) ", index % 4 == 0 ? "a" : "b")
    }
    for seed in 0..<5 {
      let rows = try drawn(table, seed: seed) { data in
        data.validationFraction = validation
        data.testFraction = test
        data.validationFolds = folds
      }
      let parts = [rows.training, rows.validation, rows.test]
      #expect(parts.reduce(0) { $0 + $1.count } == 90 && rows.areDrawn)
      #expect(Set(parts.flatMap { $0 }.map(\.place)).count == 90)
      let found = parts.map(texts)
      #expect(found[0].isDisjoint(with: found[1]) && found[0].isDisjoint(with: found[2]))
      #expect(found[1].isDisjoint(with: found[2]))
      for (part, share) in [(rows.validation, validation ?? folds.map { 0.8 / Double($0) }), (rows.test, test)] {
        if let share { #expect(abs(Double(part.count) - 90 * share) < 14, "\(part.count)") }
      }
    }
  }

  /// A label with three texts is in each split; one with fewer is learnt from.
  @Test(arguments: 0..<8)
  func rareLabelsAreInEachSplit(seed: Int) throws {
    let table =
      (0..<60).map { ("text \($0)", "a") } + (0..<3).map { ("few \($0)", "b") } + (0..<2).map { ("two \($0)", "c") }
      + [("one", "d"), ("same", "e"), ("same", "e"), (" same", "e")]
    let rows = try drawn(table, seed: seed) { data in
      data.validationFraction = 0.1
      data.testFraction = 0.1
    }
    let (training, validation, test) = (counts(rows.training), counts(rows.validation), counts(rows.test))
    #expect(training["b"] == 1 && validation["b"] == 1 && test["b"] == 1)
    #expect((training["c"] ?? 0) >= 1 && training["d"] == 1 && training["e"] == 3)
    #expect(validation["a"] == 6 && test["a"] == 6)
    let folded = try drawn(table, seed: seed) { $0.validationFolds = 2 }
    #expect(counts(folded.training)["d"] == 1 && counts(folded.training)["e"] == 3)
    #expect(counts(folded.training)["c"] == 1 && counts(folded.validation)["c"] == 1)
  }

  /// Even where the rows that a split still lacks go to a label with a larger remainder.
  @Test(arguments: 0..<4)
  func aRareLabelDoesNotWaitForARemainder(seed: Int) throws {
    let table =
      (0..<60).map { ("text \($0)", "a") } + (0..<9).map { ("some \($0)", "b") } + (0..<3).map { ("few \($0)", "c") }
    let rows = try drawn(table, seed: seed) { $0.testFraction = 0.1 }
    #expect(counts(rows.test) == ["a": 6, "b": 1, "c": 1])
  }

  /// A text with more rows than a share lacks is not taken if it is the last one.
  @Test(arguments: 0..<12)
  func theLastTextOfALabelIsLeft(seed: Int) throws {
    let table = ["x", "y", "z", "z", "z"].map { ($0, "a") } + (0..<5).map { ("text \($0)", "b") }
    let rows = try drawn(table, seed: seed) { $0.testFraction = 0.8 }
    #expect((counts(rows.training)["a"] ?? 0) > 0 && (counts(rows.training)["b"] ?? 0) > 0)
  }

  /// 4, 2.4 and 1.6 rows of 8.
  @Test(arguments: 0..<4)
  func sharesAreThoseOfTheFile(seed: Int) throws {
    let split = try rows(seed: seed) { data, _ in
      data.testFraction = 0.2
      data.trainOn = .all
    }
    #expect(counts(split.test) == ["a": 4, "b": 2, "c": 2] && split.training.count == 32)
    let other = try rows(seed: seed + 10) { data, _ in data.testFraction = 0.2 }
    #expect(places(other.test) != places(split.test))
  }

  /// A text with two labels is in one split, and its rarer label is still learnt from.
  @Test(arguments: 0..<6)
  func contradictingRowsStayTogether(seed: Int) throws {
    let table =
      (0..<20).map { ("text \($0)", "a") } + [("twice", "a"), ("twice", "rare")] + (0..<20).map { ("more \($0)", "b") }
    let rows = try drawn(table, seed: seed) { $0.testFraction = 0.45 }
    #expect(counts(rows.training)["rare"] == 1 && rows.repeated.conflicts.count == 1)
    #expect(texts(rows.training).contains("twice") && !texts(rows.test).contains("twice"))
  }

  /// A draw may leave nothing to take.
  @Test func rowsThatCannotBeDrawn() throws {
    for table in [(0..<10).map { _ in ("one text", "a") }, (0..<10).map { ("text \($0)", "label \($0)") }] {
      let error = try #require(throws: InputError.self) { try drawn(table, seed: 0) { $0.testFraction = 0.3 } }
      #expect("\(error)".contains("data.test_fraction: of 0.3 draws no row"), "\(error)")
      let folds = try #require(throws: InputError.self) { try drawn(table, seed: 0) { $0.validationFolds = 2 } }
      #expect("\(folds)".contains("data.validation_folds"), "\(folds)")
    }
    let one = try drawn((0..<10).map { ("text \($0)", "a") }, seed: 0) { $0.testFraction = 0.3 }
    #expect(one.test.count == 3)
  }

  @Test func foldsNeedRows() throws {
    let error = try #require(throws: InputError.self) {
      try rows { data, _ in
        data.trainExamplesPerLabel = 1
        data.validationFolds = 4
        data.validationFold = 3
      }
    }
    #expect("\(error)".contains("data.validation_folds") && "\(error)".contains("use fewer folds"))
  }
}
