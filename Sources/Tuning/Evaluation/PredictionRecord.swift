import Diagnostics
import FileFormats

/// A line of `cpt eval --predictions`: a row, its label, what the tuned prompt said and what the untrained one.
package struct PredictionRecord: Sendable, Equatable {
  /// Where the row stands: "test.tsv:12".
  package let row: String
  /// The row's text; nil for a row of tokens.
  package let text: String?
  package let label: String
  package let prediction: String
  /// The prediction's probability among the labels.
  package let probability: Double
  /// The labels, in the order of the log probabilities.
  package let labels: [String]
  /// log P(whole label), in nats, of each of the labels.
  package let logProbabilities: [Double]
  /// What in-context learning, the untrained prompt, predicted; nil where it was left out.
  package let baselinePrediction: String?
  /// log P(whole label) under the untrained prompt.
  package let baselineLogProbabilities: [Double]?

  /// The line of a row that was predicted.
  package init(_ prediction: Prediction, baseline: Prediction?, labels: [String]) {
    row = prediction.place
    text = prediction.text
    label = labels[prediction.label]
    self.prediction = labels[prediction.predicted]
    probability = prediction.probabilities[prediction.predicted]
    self.labels = labels
    logProbabilities = prediction.logProbabilities
    baselinePrediction = baseline.map { labels[$0.predicted] }
    baselineLogProbabilities = baseline?.logProbabilities
  }

  package var json: JSON {
    func scores(_ values: [Double]) -> JSON { .object(zip(labels, values).map { .init($0, .number($1)) }) }
    var members: [JSON.Member] = [.init("row", .string(row))]
    if let text { members.append(.init("text", .string(text))) }
    members += [
      .init("label", .string(label)), .init("prediction", .string(prediction)),
      .init("probability", .number(probability)), .init("log_probabilities", scores(logProbabilities)),
    ]
    if let baselinePrediction, let baselineLogProbabilities {
      members.append(.init("icl_prediction", .string(baselinePrediction)))
      members.append(.init("icl_log_probabilities", scores(baselineLogProbabilities)))
    }
    return .object(members)
  }

  /// Reads a line; `place` is for messages.
  ///
  /// - Throws: `InputError.badData` for a member that is missing, of another type, or no label.
  package init(json: JSON, place: String) throws {
    func wrong(_ key: String, _ expected: String) -> InputError {
      .badData(place, "\"\(key)\" must be \(expected), found \(json[key]?.shortDescription ?? "nothing")")
    }
    func text(_ key: String) throws -> String {
      guard let text = json[key]?.string else { throw wrong(key, "a text") }
      return text
    }
    func numbers(_ key: String) throws -> (labels: [String], values: [Double]) {
      guard let members = json[key]?.object, case let values = members.compactMap(\.value.number),
        !values.isEmpty, values.count == members.count
      else { throw wrong(key, "an object with a number for each label") }
      return (members.map(\.key), values)
    }
    let (labels, logProbabilities) = try numbers("log_probabilities")
    func label(_ key: String) throws -> String {
      let name = try text(key)
      guard labels.contains(name) else { throw wrong(key, "a label of \"log_probabilities\"") }
      return name
    }
    row = try text("row")
    self.text = try json["text"].map { _ in try text("text") }
    self.label = try label("label")
    prediction = try label("prediction")
    guard let probability = json["probability"]?.number else { throw wrong("probability", "a number") }
    self.probability = probability
    self.labels = labels
    self.logProbabilities = logProbabilities
    guard json["icl_prediction"] != nil else {
      baselinePrediction = nil
      baselineLogProbabilities = nil
      return
    }
    baselinePrediction = try label("icl_prediction")
    let baseline = try numbers("icl_log_probabilities")
    guard baseline.labels == labels else {
      throw InputError.badData(place, "\"icl_log_probabilities\" must have the labels of \"log_probabilities\"")
    }
    baselineLogProbabilities = baseline.values
  }

  /// Reads a file of such lines.
  ///
  /// - Throws: `InputError` with file and line.
  package static func read(file: String) throws -> [PredictionRecord] {
    var reader = try RecordReader(file, format: .jsonl)
    var records: [PredictionRecord] = []
    while let record = try reader.next()?.get() {
      guard case .object(let json, _) = record.content else { continue }
      records.append(try PredictionRecord(json: json, place: record.place))
    }
    return records
  }
}
