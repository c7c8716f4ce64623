import Diagnostics
import FileFormats

/// A number for each label.
package struct LabelScores: Sendable, Equatable {
  package let labels: [String]
  package let values: [Double]

  /// - Precondition: the numbers of values and labels are equal.
  init(labels: [String], values: [Double]) {
    precondition(labels.count == values.count)
    self.labels = labels
    self.values = values
  }
}

extension FieldType where Value == LabelScores {
  /// An object that maps labels to numbers.
  fileprivate static var labelScores: FieldType {
    FieldType(
      expected: "an object with a number for each label",
      read: { json in
        guard let members = json.object, case let values = members.compactMap(\.value.number),
          !values.isEmpty, values.count == members.count
        else { return nil }
        return LabelScores(labels: members.map(\.key), values: values)
      },
      write: { .object(zip($0.labels, $0.values).map { .init($0, .number($1)) }) })
  }
}

/// A prompt's prediction for a row: the keys that `cpt predict` adds, and those of predictions that `cpt eval` writes.
package struct LabelPrediction: Sendable, Equatable {
  /// The most probable label; nil if its probability is below a threshold.
  package private(set) var prediction: String?
  /// The prediction's probability, normalised over the labels.
  package private(set) var probability: Double
  /// log P(whole label) of each label, in nats.
  package private(set) var logProbabilities: LabelScores

  /// Names the candidates of a row by their labels; below a threshold of the probability, there is no prediction.
  package init(_ candidates: CandidateScores, labels: [String], threshold: Double = 0) {
    probability = candidates.confidence
    prediction = probability < threshold ? nil : labels[candidates.predicted]
    logProbabilities = LabelScores(labels: labels, values: candidates.logProbabilities)
  }
}

extension LabelPrediction: Record {
  package init() {
    probability = 0
    logProbabilities = LabelScores(labels: [], values: [])
  }

  package static let fields = [predictionField, probabilityField, logProbabilitiesField]

  package static let predictionField = Field<LabelPrediction>(
    "prediction", \.prediction, .null(or: .text), "the most probable label; null below --threshold")
  package static let probabilityField = Field<LabelPrediction>(
    "probability", \.probability, .number, "its probability, normalised over the labels")
  fileprivate static let logProbabilitiesField = Field<LabelPrediction>(
    "log_probabilities", \.logProbabilities, .labelScores, "log P(whole label) of each label, in nats")

  package func validate(_ origin: FieldOrigin) throws {
    if let prediction { try logProbabilities.check(prediction, of: Self.predictionField, origin) }
  }
}

extension LabelScores {
  /// Checks that the value of a key is one of the labels.
  fileprivate func check<Root>(_ label: String, of field: Field<Root>, _ origin: FieldOrigin) throws {
    guard labels.contains(label) else {
      throw origin.error(
        field.name, "must be a label of \"\(LabelPrediction.logProbabilitiesField.name)\", found \"\(label)\"")
    }
  }
}

/// A line of the predictions that `cpt eval` keeps and that `--predictions` writes: a row, its label, and the predictions with the tuned and the untrained prompt.
package struct PredictionRecord: Sendable, Equatable {
  /// The place of the row: "test.tsv:12".
  package private(set) var row: String
  /// The row's text; nil for a row of tokens.
  package private(set) var text: String?
  package private(set) var label: String
  /// The prediction with the tuned prompt.
  package private(set) var tuned: LabelPrediction
  /// The prediction with the untrained prompt, in-context learning; nil if it was left out.
  package private(set) var baselinePrediction: String?
  /// log P(whole label) with the untrained prompt.
  package private(set) var baselineLogProbabilities: LabelScores?

  /// The line of a predicted row.
  package init(_ prediction: Prediction, baseline: Prediction?, labels: [String]) {
    row = prediction.place
    text = prediction.text
    label = labels[prediction.label]
    tuned = LabelPrediction(prediction.candidates, labels: labels)
    baselinePrediction = baseline.map { labels[$0.predicted] }
    baselineLogProbabilities = baseline.map { LabelScores(labels: labels, values: $0.logProbabilities) }
  }

  /// Reads a file of such lines.
  ///
  /// - Throws: `InputError` with file and line.
  package static func read(file: String) throws -> [PredictionRecord] {
    var reader = try RecordReader(file, format: .jsonl)
    var records: [PredictionRecord] = []
    while let record = try reader.next()?.get() {
      guard case .object(let json, _) = record.content else { preconditionFailure("JSON lines hold objects") }
      records.append(try PredictionRecord(json, FieldOrigin(record.place)))
    }
    return records
  }
}

extension PredictionRecord: Record {
  package init() {
    row = ""
    label = ""
    tuned = LabelPrediction()
  }

  package static let fields =
    [
      Field<PredictionRecord>("row", \.row, .text, "file and line of the row"),
      .optional("text", \.text, .text, "its text; a row of tokens has none"), labelField,
    ] + LabelPrediction.fields.map { $0.within(\.tuned) } + [baselineField, baselineScoresField]

  private static let labelField = Field<PredictionRecord>("label", \.label, .text, "its own label")
  private static let baselineField = Field<PredictionRecord>.optional(
    "icl_prediction", \.baselinePrediction, .text, "the most probable label with the untrained prompt")
  private static let baselineScoresField = Field<PredictionRecord>.optional(
    "icl_log_probabilities", \.baselineLogProbabilities, .labelScores,
    "log P(whole label) of each label with the untrained prompt, in nats")

  package func validate(_ origin: FieldOrigin) throws {
    try tuned.validate(origin)
    let scores = tuned.logProbabilities
    try scores.check(label, of: Self.labelField, origin)
    guard let baselinePrediction else { return }
    try scores.check(baselinePrediction, of: Self.baselineField, origin)
    guard let baselineLogProbabilities else { throw Self.baselineScoresField.error(nil, origin) }
    guard baselineLogProbabilities.labels == scores.labels else {
      throw origin.error(
        Self.baselineScoresField.name, "must have the labels of \"\(LabelPrediction.logProbabilitiesField.name)\"")
    }
  }
}
