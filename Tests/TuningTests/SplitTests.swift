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
