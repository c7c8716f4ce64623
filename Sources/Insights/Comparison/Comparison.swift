import Diagnostics
import FileFormats
import Method
import Runs
import Tuning

/// The results so far of a comparison of methods over seeds, under one condition or several.
///
/// Stored as `comparison.json` in a folder with one run folder per cell. It holds no times, so that the same cells give the
/// same bytes.
package struct Comparison: Sendable, Equatable {
  /// One method at one seed under one condition, trained and evaluated.
  package struct Cell: Sendable, Equatable {
    package internal(set) var condition = Condition()
    package internal(set) var method = ""
    package internal(set) var seed: Int
    /// Hash of the files with its rows; nil if an earlier version wrote it.
    package internal(set) var dataFingerprint: String?
    /// Labelled rows that it learnt from: the examples of its context, and the rows trained on.
    package internal(set) var rowsLearntFrom = 0
    /// Steps of training.
    package internal(set) var steps = 0
    /// Numbers that training changes.
    package internal(set) var parameters = 0
    package internal(set) var accuracy = 0.0
    package internal(set) var accuracyStandardError = 0.0
    package internal(set) var macroF1 = 0.0
    /// Mean of -log P(label), in nats.
    package internal(set) var loss = 0.0
    /// The same measured on rows that were trained on; nil if there are none.
    package internal(set) var trainingAccuracy: Double?
    package internal(set) var trainingLoss: Double?
    /// The accuracy by each scoring that the rows allow.
    package internal(set) var scorings: [ScoringAccuracy] = []
    /// Whether each row was predicted correctly, in the order of the split.
    package internal(set) var hits: [Bool] = []

    /// The name of its run folder.
    package var folder: String { Self.folder(condition, method, seed: seed) }

    static func folder(_ condition: Condition, _ method: String, seed: Int) -> String {
      (condition.names + [method, "seed", String(seed)]).joined(separator: "-")
    }
  }

  /// The accuracy of a cell by one scoring.
  package struct ScoringAccuracy: Sendable, Equatable {
    package internal(set) var scoring = Scoring.acc
    package internal(set) var accuracy = 0.0
  }

  /// A combination of the values that a method leaves to validation rows, trained and validated with the first seed.
  package struct Candidate: Sendable, Equatable {
    package internal(set) var condition = Condition()
    package internal(set) var method = ""
    /// Its number among the method's combinations, from 1.
    package internal(set) var number: Int
    /// Its keys and values.
    package internal(set) var settings = JSON.object([])
    /// Hash of the files with its rows; nil if an earlier version wrote it.
    package internal(set) var dataFingerprint: String?
    /// Mean over the folds, if the validation rows are folds.
    package internal(set) var accuracy = 0.0
    /// The same of -log P(label), in nats.
    package internal(set) var loss = 0.0

    /// The name of its run folder; a fold appends its own number.
    package var folder: String { (condition.names + [method, "candidate", String(number)]).joined(separator: "-") }

    /// "training.learning_rate 0.01, training.optim sgd".
    package var settingsInWords: String {
      (settings.object ?? []).map { "\($0.key) \($0.value.string ?? $0.value.compact)" }.joined(separator: ", ")
    }

    /// Whether it is better than another: by accuracy, else by loss.
    func isBetter(than other: Candidate) -> Bool {
      accuracy == other.accuracy ? loss < other.loss : accuracy > other.accuracy
    }
  }

  package static let file = "comparison.json"
  /// The predictions of a cell's rows, in its run folder.
  package static let predictionsFile = "predictions.jsonl"

  /// The configuration or the study that it was made from, as an absolute path.
  package internal(set) var configuration: String
  /// Whether that file is a study.
  package internal(set) var isStudy = false
  /// The overrides of `--set`.
  package internal(set) var settings: [String] = []
  /// The rows that methods are compared on.
  package internal(set) var split = Split.test
  /// Number of threads, on which the rounding depends.
  package internal(set) var threads = 1
  package internal(set) var conditions: [Condition] = []
  /// The first one is compared with the others.
  package internal(set) var methods: [String] = []
  package internal(set) var seeds: [Int] = []
  /// In the order of conditions, methods, and combinations.
  package internal(set) var candidates: [Candidate] = []
  /// In the order of conditions, methods, then seeds.
  package internal(set) var cells: [Cell] = []

  /// The cell of a method and a seed, once it is finished.
  package func cell(_ condition: Condition, _ method: String, seed: Int) -> Cell? {
    cells.first { $0.condition == condition && $0.method == method && $0.seed == seed }
  }

  /// The finished cells of a method.
  package func cells(_ condition: Condition, _ method: String) -> [Cell] {
    cells.filter { $0.condition == condition && $0.method == method }
  }

  /// The candidates of a method, as far as they are finished.
  package func candidates(_ condition: Condition, _ method: String) -> [Candidate] {
    candidates.filter { $0.condition == condition && $0.method == method }
  }

  /// The best of a method's candidates; nil before the first.
  package func chosen(_ condition: Condition, _ method: String) -> Candidate? {
    candidates(condition, method).reduce(nil) { best, one in best.map { one.isBetter(than: $0) } ?? true ? one : best }
  }

  /// Puts cells and candidates in their order.
  mutating func sort() {
    cells = inOrder(cells, \.condition, \.method) { $0.seed < $1.seed }
    candidates = inOrder(candidates, \.condition, \.method) { $0.number < $1.number }
  }

  private func inOrder<Element>(
    _ elements: [Element], _ condition: KeyPath<Element, Condition>, _ method: KeyPath<Element, String>,
    by areInOrder: (Element, Element) -> Bool
  ) -> [Element] {
    conditions.flatMap { one in
      methods.flatMap { name in
        elements.filter { $0[keyPath: condition] == one && $0[keyPath: method] == name }.sorted(by: areInOrder)
      }
    }
  }
}

extension Comparison: Record {
  package init() { self.init(configuration: "") }

  /// Reads the comparison of a folder.
  ///
  /// - Throws: `InputError` when it is missing or malformed.
  package init(folder: String) throws { try self.init(file: folder + "/" + Self.file) }

  package static let fields: [Field<Comparison>] = [
    Field("config", \.configuration, .text, "the configuration or study file, as an absolute path"),
    Field("is_study", \.isStudy, .flag, "whether that file is a study"),
    Field("settings", \.settings, .list("a list of strings", of: .text), "the overrides of --set"),
    Field("split", \.split, .choice, "the rows that methods are compared on"),
    Field("threads", \.threads, .integer(from: 1), "number of threads, on which the rounding depends"),
    Field(
      "conditions", \.conditions, .list("a list of objects", of: .record),
      "every combination of models, tasks, templates and shots; one without keys if there is no study"),
    Field(
      "methods", \.methods, .list("a list of strings", of: .text),
      "the compared methods, by name; the first is compared with the others"),
    Field("seeds", \.seeds, .list("a list of whole numbers", of: .integer(from: 0)), "the seeds of each method"),
    Field(
      "candidates", \.candidates, .list("a list of objects", of: .record),
      "the combinations of values tried on validation rows, with the first seed"),
    Field(
      "cells", \.cells, .list("a list of objects", of: .record),
      "the finished cells, each a method with a seed, ordered by condition, method, seed"),
    .derived(
      "summary", \.summaries, .list("a list of objects", of: .record),
      "each method with a finished cell, over its seeds"),
    .derived(
      "differences", \.differences, .list("a list of objects", of: .record),
      "the first method and each other one, on the same rows with the same seeds"),
    .derived(
      "overall", \.overall, .list("a list of objects", of: .record),
      "each method over the conditions of a model under which all methods have a finished cell"),
  ]
}

extension Comparison.Cell: Record {
  package init() { self.init(seed: 0) }

  package static let fields: [Field<Comparison.Cell>] =
    Condition.fields.map { $0.within(\.condition) } + [
      Field("method", \.method, .text, "the method, by name"),
      Field("seed", \.seed, .integer(from: 0), "the seed"),
      .derived("folder", \.folder, .text, "the run folder of the cell, inside the folder of the comparison"),
      .optional(
        "data_fingerprint", \.dataFingerprint, .text, "hash of the files with its rows, to notice that they changed"),
      Field(
        "labelled_rows", \.rowsLearntFrom, .integer(from: 0),
        "labelled rows that it learnt from, in the context or trained on"),
      Field("steps", \.steps, .integer(from: 0), "steps of training"),
      Field("parameters", \.parameters, .integer(from: 0), "numbers that training changes"),
      Field("accuracy", \.accuracy, .share, "share of the rows predicted correctly"),
      Field("accuracy_stderr", \.accuracyStandardError, .measurement, "standard error of the accuracy"),
      Field("macro_f1", \.macroF1, .number, "mean of the F1 scores of the labels"),
      Field("loss", \.loss, .measurement, "mean of -log P(whole label), in nats"),
      .optional(
        "train_accuracy", \.trainingAccuracy, .share, "the accuracy on at most 100 of the rows trained on"),
      .optional("train_loss", \.trainingLoss, .measurement, "the loss on these rows"),
      Field(
        "accuracy_by_scoring", \.scorings, .accuracies, "the accuracy by each scoring that the rows allow"),
      Field("hits", \.hits, .hits, "a character for each row of the split, in its order: 1 if predicted correctly"),
    ]
}

extension Comparison.Cell {
  /// Checks that the accuracy is that of the rows.
  package func validate(_ origin: FieldOrigin) throws {
    let share = Double(hits.count { $0 }) / Double(max(hits.count, 1))
    guard abs(share - accuracy) < 1e-9 else {
      throw origin.error("accuracy", "is \(accuracy), and \"hits\" gives \(share)")
    }
  }
}

extension FieldType where Value == [Bool] {
  /// A string of the digits 0 and 1.
  fileprivate static var hits: FieldType {
    FieldType(
      expected: "a string of 0 and 1",
      read: { json in
        guard let text = json.string, text.utf8.allSatisfy({ $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: "1") })
        else { return nil }
        return text.utf8.map { $0 == UInt8(ascii: "1") }
      },
      write: { .string(String($0.map { $0 ? "1" : "0" })) })
  }
}

extension FieldType where Value == [Comparison.ScoringAccuracy] {
  /// An object from the names of scorings to numbers.
  fileprivate static var accuracies: FieldType {
    FieldType(
      expected: "an object from scorings to numbers",
      read: { json in
        // A scoring of a later version is left out.
        json.object?.compactMap { member in
          guard let scoring = Scoring(rawValue: member.key), let accuracy = member.value.number else { return nil }
          return Comparison.ScoringAccuracy(scoring: scoring, accuracy: accuracy)
        }
      },
      write: { .object($0.map { .init($0.scoring.rawValue, .number($0.accuracy)) }) })
  }
}

extension Comparison.Candidate: Record {
  package init() { self.init(number: 1) }

  package static let fields: [Field<Comparison.Candidate>] =
    Condition.fields.map { $0.within(\.condition) } + [
      Field("method", \.method, .text, "the method, by name"),
      Field("candidate", \.number, .integer(from: 1), "its number among the combinations"),
      Field("settings", \.settings, .anything, "its keys and values"),
      .optional("data_fingerprint", \.dataFingerprint, .text, "hash of the files with its rows"),
      Field("validation_accuracy", \.accuracy, .share, "share of the validation rows predicted correctly"),
      Field("validation_loss", \.loss, .measurement, "mean of -log P(whole label) of these rows, in nats"),
    ]
}
