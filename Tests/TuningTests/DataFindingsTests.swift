import Diagnostics
import FileFormats
import Method
import Runs
import System
import Testing
import TestSupport
import Tuning

/// What is said about rows before training.
@Suite struct DataFindingsTests {
  private typealias Row = (text: String, label: String)

  /// Rows of two labels, all different.
  private static let plain: [Row] = (0..<12).map { ("text number \($0)", $0 % 2 == 0 ? "yes" : "no") }

  private func write(_ rows: [Row], to file: String) throws {
    let lines = rows.map { row in
      JSON.object([.init("text", .string(row.text)), .init("label", .string(row.label))]).compact + "\n"
    }
    try writeAtomically(lines.joined(), to: file)
  }

  private func findings(
    _ train: [Row], validation: [Row]? = nil, test: [Row]? = nil,
    _ change: (inout Configuration, String) -> Void = { _, _ in }
  ) throws -> [String] {
    try withTemporaryFolder { folder in
      var configuration = Configuration()
      configuration.data.train = folder + "/train.jsonl"
      configuration.data.contextExamples = 2
      try write(train, to: folder + "/train.jsonl")
      if let validation {
        configuration.data.validation = folder + "/validation.jsonl"
        try write(validation, to: folder + "/validation.jsonl")
      }
      if let test {
        configuration.data.test = folder + "/test.jsonl"
        try write(test, to: folder + "/test.jsonl")
      }
      change(&configuration, folder)
      let rows = try TrainingRows(configuration.data, seed: 0, drawsContext: true, showsContext: true)
      return DataFindings(rows, configuration).sentences.map { $0.replacing(folder + "/", with: "") }
    }
  }

  @Test func nothingIsSaidAboutPlainRows() throws {
    #expect(try findings(Self.plain, validation: [("new", "yes")], test: [("newer", "no")]).isEmpty)
    #expect(try findings(Self.plain) { configuration, _ in configuration.data.trainOn = .all }.isEmpty)
    #expect(
      try findings(Self.plain) { configuration, _ in configuration.data.trainOn = .context }.count == 1, "few rows")
  }

  @Test func namesAreToldApartAndCut() throws {
    let spelt = try findings(
      (0..<12).map { ("text number \($0)", $0 % 2 == 0 ? "caf\u{E9}" : "cafe\u{301}") })
    #expect(spelt.contains { $0.contains(#""caf\u{E9}""#) && $0.contains(#""cafe\u{301}""#) }, "\(spelt)")
    let long = String(repeating: "x", count: 5000)
    let cut = try findings(
      (0..<12).map { ("text number \($0)", long + ($0 % 2 == 0 ? " z" : "  z")) } + [("a", long + "y")])
    #expect(cut.contains { $0.contains("white space") } && cut.allSatisfy { $0.count < 400 }, "\(cut)")
  }

  @Test func quotesAroundAllLabelsAreSaid() throws {
    let found = try findings(Self.plain.map { ($0.text, "\"\($0.label)\"") })
    #expect(found.count == 1 && found[0].contains("every label is in quotes"), "\(found)")
  }

  @Test(arguments: [
    ("Yes", "case: \"Yes\" and \"yes\""), ("y es", "white space: \"y  es\" and \"y es\""),
    ("y\u{AD}es", #"characters that are not visible: "yes" and "y\u{AD}es""#),
  ])
  func labelsThatLookLikeOne(other: String, expected: String) throws {
    let plain = Self.plain.map { ($0.text, other == "y es" && $0.label == "yes" ? "y  es" : $0.label) }
    let rows = plain + (0..<6).map { ("other text \($0)", other) }
    let found = try findings(rows)
    #expect(found.count == 1 && found[0].contains("labels differ only in " + expected), "\(found)")
  }

  /// Two spellings of a letter are two labels, which are said; neither crashes.
  @Test func labelsThatDifferInNormalization() throws {
    let rows = (0..<12).map { ("text \($0)", ["caf\u{E9}", "cafe\u{301}", "tea"][$0 % 3]) }
    let found = try findings(rows)
    #expect(found.count == 1 && found[0].contains("only in Unicode normalization: "), "\(found)")
  }

  @Test func fewAndUnevenRows() throws {
    let rows = Self.plain + (0..<40).map { ("more text \($0)", "no") } + [("rare", "maybe")]
    let found = try findings(rows) { configuration, _ in configuration.data.isContextBalanced = false }
    try #require(found.count == 2, "\(found)")
    #expect(found[0].contains("the label \"maybe\" (1)"))
    #expect(found[1].contains("46 are labelled \"no\", 1 \"maybe\"; training.metric_for_best_model"), "\(found)")
    let measured = try findings(rows) { configuration, _ in
      configuration.data.isContextBalanced = false
      configuration.training.bestMetric = .macroF1
    }
    #expect(measured.last?.hasSuffix("1 \"maybe\"") == true)
  }

  @Test func repeatsAndConflicts() throws {
    let rows = Self.plain + [Self.plain[3], Self.plain[4], ("text number 5", "yes")]
    let found = try findings(rows)
    try #require(found.count == 2, "\(found)")
    #expect(
      found[0].hasPrefix("2 rows to learn from repeat another one: lines ") && found[0].hasSuffix(", for example"))
    #expect(
      found[1].hasPrefix(
        "1 row to learn from has the same text as another one and another label: lines 6 and 15 of train"),
      "\(found)")
  }

  /// With splits of the file: all its rows, and where they are.
  @Test func repeatsInAFileThatIsSplit() throws {
    let rows =
      Self.plain + (12..<40).map { ("text number \($0)", $0 % 2 == 0 ? "yes" : "no") }
      + [("text number 3 ", "no"), (" text number 4", "yes"), ("text number 5", "yes")]
    let found = try findings(rows) { configuration, _ in configuration.data.testFraction = 0.3 }
    try #require(found.count == 2, "\(found)")
    #expect(found[0] == "2 rows of the training file repeat another one: lines 4 and 41 of train.jsonl, for example")
    #expect(
      found[1].hasPrefix("1 row of the training file has the same text as another one and another label: lines 6"))
    #expect(found[1].hasSuffix("for \"yes\" and \"no\"; rows with equal texts are in the same split"), "\(found)")
    let folds = try findings(rows.dropLast()) { configuration, _ in configuration.data.validationFolds = 3 }
    #expect(folds.count == 1 && folds[0].hasSuffix("for example; rows with equal texts are in the same split"))
  }

  @Test func rowsThatAreLearntFromAndMeasuredOn() throws {
    let found = try findings(
      Self.plain, validation: [Self.plain[0], ("new", "yes")], test: [Self.plain[1], ("text number 2", "no")])
    try #require(found.count == 2, "\(found)")
    #expect(found[0].hasPrefix("1 of 2 validation rows is also in the context or trained on (the same text: "))
    #expect(found[0].contains("validation.jsonl:1 and train.jsonl:1"))
    #expect(found[1].hasPrefix("2 of 2 test rows are also"))
    let files = try findings(Self.plain, validation: [("new", "yes")]) { configuration, folder in
      configuration.data.test = folder + "/./train.jsonl"
    }
    #expect(files.count == 1 && files[0].hasPrefix("the same file is data.train and data.test"), "\(files)")
    let chosen = try findings(Self.plain, validation: [("new", "yes")]) { configuration, folder in
      configuration.data.test = configuration.data.validation
    }
    #expect(chosen.count == 1 && chosen[0].hasPrefix("the same file is data.validation and data.test"), "\(chosen)")
  }

  /// A file holds texts or tokens.
  @Test(arguments: [true, false])
  func mixedRowsAreRefused(textFirst: Bool) throws {
    try withTemporaryFolder { folder in
      let text = "{\"text\": \"a\", \"label\": \"b\"}\n",
        tokens = "{\"input_ids\": [1, 2], \"input_type_mask\": [2, 4]}\n"
      try writeAtomically(textFirst ? text + tokens : tokens + text, to: folder + "/f.jsonl")
      #expect {
        try DataFile(folder + "/f.jsonl", DataConfiguration())
      } throws: {
        "\($0)".contains(textFirst ? "f.jsonl:2: holds tokens" : "f.jsonl:2: has no \"input_ids\"")
      }
    }
  }
}
