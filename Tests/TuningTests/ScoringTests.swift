import FileFormats
import Glibc
import Kernels
import Runs
import System
import Testing
import TestSupport
import Tuning

@Suite struct ScoringTests {
  /// SciPy 1.17.1, binomtest(count, total).proportion_ci(0.95, "wilson").
  @Test(arguments: [
    (0, 7, 0.0, 0.35433043506668743), (7, 7, 0.6456695649333126, 1.0), (1, 3, 0.06149194472039626, 0.7923403991979523),
    (650, 720, 0.8789522311311196, 0.922328205257471), (420, 720, 0.5469730864538168, 0.6188090727989951),
  ])
  func intervalsAreWilsons(count: Int, total: Int, low: Double, high: Double) {
    let found = wilsonInterval(count, of: total)
    #expect(abs(found.lowerBound - low) < 1e-12 && abs(found.upperBound - high) < 1e-12)
    #expect(wilsonInterval(0, of: 0) == 0...1)
  }

  /// Confidences 0.9, 0.8, 0.8, 0.6, of which the second and the last are wrong.
  @Test func coverageIsTheShareOfAnswers() throws {
    let rows = [(0.9, 0), (0.8, 1), (0.8, 0), (0.6, 1)].map { confidence, label in
      Prediction(
        place: "",
        candidates: CandidateScores(logProbabilities: [log(confidence), log(1 - confidence)], tokenCounts: [1, 1]),
        label: label)
    }
    let curve = Coverage.curve(rows.shuffled())
    #expect(curve.map(\.answered) == [1, 3, 4] && curve.map(\.correct) == [1, 2, 2])
    #expect(curve.map(\.share) == [0.25, 0.75, 1])
    for point in curve { #expect(Coverage(rows, threshold: point.threshold) == point) }
    #expect(Coverage(rows, threshold: 0.7).accuracy.map { abs($0 - 2 / 3) < 1e-12 } == true)
    let none = Coverage(rows, threshold: 0.95)
    #expect(none.answered == 0 && none.accuracy == nil && none.json["accuracy"] == .null)
    #expect(Coverage.curve([]).isEmpty && Coverage([], threshold: 0).share == 0)
  }

  /// Rows [log P of 2 labels] whose scorings are worked out by hand.
  @Test func scoringsAreTheirFormulas() throws {
    let row = CandidateScores(logProbabilities: [-3, -4], tokenCounts: [1, 2])
    func scores(_ first: [Double], _ counts: [Int] = [1, 2]) -> CandidateScores {
      CandidateScores(logProbabilities: first, tokenCounts: counts)
    }
    // The empty text, N/A and [MASK].
    let contentFree = [scores([-1, -3]), scores([log(0.2), log(0.6)]), scores([log(0.1), log(0.3)])]
    let priors = LabelPriors(characterCounts: [4, 8], contentFree: contentFree)
    func found(_ scoring: Scoring) throws -> CandidateScores { try #require(priors.scores(of: row, by: scoring)) }
    #expect(try found(.acc).scores == [-3, -4])
    #expect(try found(.accNorm).scores == [-0.75, -0.5])
    #expect(try found(.accPerToken).scores == [-3, -2])
    #expect(try found(.pmiDC).scores == [-2, -1])
    let first = 1 / (1 + exp(-2.0))
    let calibrated = [-3 - log((first + 0.25 + 0.25) / 3), -4 - log((1 - first + 0.75 + 0.75) / 3)]
    for (a, b) in zip(try found(.calibrated).scores, calibrated) { #expect(abs(a - b) < 1e-12) }
    #expect(try found(.pmiDC).predicted == 1 && found(.acc).predicted == 0)
    // Probabilities are those of the scores, which for calibration are p / p_cf, normalised (Zhao et al., W p).
    let ratio = exp(calibrated[0] - calibrated[1])
    #expect(abs(try found(.calibrated).probabilities[0] - ratio / (1 + ratio)) < 1e-12)
    #expect(try found(.pmiDC).logProbabilities == [-3, -4])
  }

  /// By hand: the probabilities, normalised over the labels, are (0.8, 0.2) and (0.6, 0.4), their means (0.7, 0.3).
  @Test(arguments: [nil, [1, 2]])
  func batchCalibrationDividesByTheMeanOfTheRows(characterCounts: [Int]?) throws {
    let rows = [[log(0.8), log(0.2)], [log(0.3), log(0.2)]].map { scores in
      Prediction(
        place: "", candidates: CandidateScores(logProbabilities: scores, tokenCounts: [1, 2]), label: 0)
    }
    let priors = LabelPriors(characterCounts: characterCounts, contentFree: nil)
    let found = try #require(priors.predictions(rows, by: .batchCalibrated))
    let expected = [[log(0.8 / 0.7), log(0.2 / 0.3)], [log(0.3 / 0.7), log(0.2 / 0.3)]]
    for (row, expected) in zip(found, expected) {
      for (a, b) in zip(row.candidates.scores, expected) { #expect(abs(a - b) < 1e-12) }
    }
    #expect(rows.map(\.predicted) == [0, 0] && found.map(\.predicted) == [0, 1])
    #expect(found.map(\.logProbabilities) == rows.map(\.logProbabilities))
    // A row by itself has no others to compare with.
    #expect(priors.scores(of: rows[0].candidates, by: .batchCalibrated) == nil)
    #expect(priors.predictions([], by: .batchCalibrated)?.isEmpty == true)
  }

  @Test func rowsOfTokensHaveOnlyWhatTokensSay() {
    let row = CandidateScores(logProbabilities: [-3, -4], tokenCounts: [1, 2])
    let priors = LabelPriors(characterCounts: nil, contentFree: nil)
    #expect(Scoring.allCases.filter { priors.scores(of: row, by: $0) != nil } == [.acc, .accPerToken])
  }

  /// The priors are what plain sequences say about texts without content.
  @Test func priorsEqualPlainSequences() throws {
    try withTemporaryFolder { folder in
      let setup = try setup(in: folder)
      let evaluator = Evaluator(decoder: setup.model.decoder, workspace: Workspace(), team: setup.team)
      let row = try setup.encoder.candidates(of: "my parcel is late", at: "")
      func plain(_ text: String) throws -> [Double] {
        try setup.encoder.candidates(of: text, at: "").candidates.map { setup.plainLogProbability(of: $0) }
      }
      let (scores, priors) = try evaluator.withContext(of: setup.startingPrompt) { scorer in
        var pack = scorer.emptyPack
        try pack.append(row)
        return try (#require(scorer.scores(of: pack).first), scorer.priors(of: setup.encoder))
      }
      let own = try plain("my parcel is late")
      let shares = try ["", "N/A", "[MASK]"].map { text in
        let powers = try plain(text).map { exp($0) }
        return powers.map { $0 / powers.reduce(0, +) }
      }
      let empty = try plain("")
      for label in 0..<3 {
        let expected: [(Scoring, Double)] = [
          (.acc, own[label]), (.pmiDC, own[label] - empty[label]),
          (.accNorm, own[label] / [7, 16, 7][label]),
          (.accPerToken, own[label] / Double(row.candidates[label].labelPositions.count)),
          (.calibrated, own[label] - log(shares.reduce(0) { $0 + $1[label] } / 3)),
        ]
        for (scoring, value) in expected {
          let found = try #require(priors.scores(of: scores, by: scoring))
          #expect(abs(found.scores[label] - value) < 1e-4, "\(scoring)")
        }
      }
    }
  }

  /// Nothing stands before the label of an empty text: what needs it is left out.
  @Test func anEmptyTextMayHaveNoScore() throws {
    try withTemporaryFolder { folder in
      let setup = try setup(
        in: folder, template: #"{"input": "{}", "intra_separator": "", "output": "{}", "end_of_text": false}"#)
      let evaluator = Evaluator(decoder: setup.model.decoder, workspace: Workspace(), team: setup.team)
      let priors = evaluator.withContext(of: setup.startingPrompt) { $0.priors(of: setup.encoder) }
      let row = CandidateScores(logProbabilities: [-3, -4, -5], tokenCounts: [1, 2, 1])
      #expect(
        Scoring.allCases.filter { priors.scores(of: row, by: $0) != nil } == [.acc, .accNorm, .accPerToken])
    }
  }

  private func setup(
    in folder: String, template: String = #"{"end_of_text": false}"#
  ) throws -> TrainingSetup {
    let rows = (0..<9).map { "parcel \($0)\t\(["billing", "delivery", "returns"][$0 % 3])" }
    try writeAtomically((["text\tlabel"] + rows).joined(separator: "\n"), to: folder + "/train.tsv")
    try writeAtomically(
      """
      {"base_model_name_or_path": "\(repository)/configs/quickstart/model", "template": \(template),
       "data": {"train": "train.tsv", "context_examples": 3,
                "label_words": {"billing": "billing", "delivery": "deliver the mail", "returns": "returns"}}}
      """, to: folder + "/config.json")
    return try TrainingSetup(Configuration(file: folder + "/config.json"), team: ThreadTeam(threads: 1))
  }
}

@Suite struct PredictionRecordTests {
  private static let labels = ["no", "yes"]
  private static let prediction = Prediction(
    place: "f:2", text: "a \"b\"\n", candidates: CandidateScores(logProbabilities: [-2, -0.5], tokenCounts: [1, 1]),
    label: 0)

  @Test(arguments: [true, false])
  func linesReadAsTheyWereWritten(hasBaseline: Bool) throws {
    let other = Prediction(
      place: "f:2", candidates: CandidateScores(logProbabilities: [-1, -3], tokenCounts: [1, 1]), label: 0)
    let record = PredictionRecord(Self.prediction, baseline: hasBaseline ? other : nil, labels: Self.labels)
    #expect(
      record.tuned.prediction == "yes" && record.label == "no"
        && record.baselinePrediction == (hasBaseline ? "no" : nil))
    let keys = ["row", "text", "label", "prediction", "probability", "log_probabilities"]
    #expect(record.members.map(\.key) == keys + (hasBaseline ? ["icl_prediction", "icl_log_probabilities"] : []))
    #expect(record.json["log_probabilities"]?.compact == #"{"no": -2.0, "yes": -0.5}"#)
    try withTemporaryFolder { folder in
      try writeAtomically(record.json.compact + "\n\n" + record.json.compact, to: folder + "/p")
      #expect(try PredictionRecord.read(file: folder + "/p") == [record, record])
    }
  }

  @Test(arguments: [
    ("row", JSON.null, "p:1: \"row\" must be a string, found null"), ("text", .integer(1), "\"text\" must be a string"),
    ("label", .string("maybe"), "\"label\" must be a label of \"log_probabilities\", found \"maybe\""),
    ("prediction", .string("x"), "\"prediction\" must be a label"), ("probability", .string("x"), "must be a number"),
    ("log_probabilities", .object([]), "\"log_probabilities\" must be an object with a number for each label"),
    ("log_probabilities", .object([.init("no", .null)]), "\"log_probabilities\" must be an object with a number"),
    ("icl_prediction", .string("no"), "\"icl_log_probabilities\" must be an object"),
  ])
  func membersThatAreWrongAreNamed(key: String, value: JSON, message: String) throws {
    let json = PredictionRecord(Self.prediction, baseline: nil, labels: Self.labels).json
    let members = (json.object ?? []).filter { $0.key != key } + [.init(key, value)]
    #expect {
      try PredictionRecord(.object(members), FieldOrigin("p:1"))
    } throws: {
      "\($0)".contains(message)
    }
  }
}
