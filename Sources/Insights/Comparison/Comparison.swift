import Diagnostics
import FileFormats
import Glibc
import Method
import Runs

/// Methods over seeds: what has been trained and measured so far.
///
/// Stored as `comparison.json` in a folder that has a run folder for each cell.
package struct Comparison: Sendable, Equatable {
  /// One method at one seed, trained and evaluated.
  package struct Cell: Sendable, Equatable {
    package let method: TuningMethod
    package let seed: Int
    package let accuracy: Double
    package let accuracyStandardError: Double
    package let macroF1: Double
    /// Mean of -log P(label), in nats.
    package let loss: Double
    package let trainingSeconds: Double

    /// The name of its run folder.
    package var folder: String { Self.folder(method, seed: seed) }

    static func folder(_ method: TuningMethod, seed: Int) -> String { "\(method.rawValue)-seed-\(seed)" }
  }

  /// A quantity over seeds.
  package struct Spread: Sendable, Equatable {
    package let mean: Double
    /// Of the sample (n - 1); nil for one value.
    package let standardDeviation: Double?
    package let worst: Double
    package let best: Double

    /// - Precondition: there is a value.
    init(_ values: [Double]) {
      precondition(!values.isEmpty)
      let n = Double(values.count)
      let mean = values.reduce(0, +) / n
      self.mean = mean
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      standardDeviation = values.count < 2 ? nil : (squares / (n - 1)).squareRoot()
      worst = values.min() ?? mean
      best = values.max() ?? mean
    }
  }

  /// A method over the seeds it has been run with.
  package struct Summary: Sendable, Equatable {
    package let method: TuningMethod
    package let seeds: Int
    package let accuracy: Spread
    package let macroF1: Spread
  }

  package static let file = "comparison.json"
  /// The predictions of a cell's rows, in its run folder.
  package static let predictionsFile = "predictions.jsonl"

  /// The configuration file it was made from.
  package let configuration: String
  /// What `--set` changed of it.
  package let settings: [String]
  /// The rows methods are compared on.
  package let split: Split
  package internal(set) var methods: [TuningMethod]
  package internal(set) var seeds: [Int]
  /// In the order of methods, then seeds.
  package internal(set) var cells: [Cell]

  /// The cell of a method and a seed, once it is finished.
  package func cell(_ method: TuningMethod, seed: Int) -> Cell? {
    cells.first { $0.method == method && $0.seed == seed }
  }

  /// Every method that has a finished cell.
  package var summaries: [Summary] {
    methods.compactMap { method in
      let own = cells.filter { $0.method == method }
      if own.isEmpty { return nil }
      return Summary(
        method: method, seeds: own.count, accuracy: Spread(own.map(\.accuracy)), macroF1: Spread(own.map(\.macroF1)))
    }
  }
}

extension Comparison {
  /// Reads the comparison of a folder.
  ///
  /// - Throws: `InputError` when there is none, or it is not as `json` writes it.
  package init(folder: String) throws {
    let file = folder + "/" + Self.file
    let json = try JSON.read(file: file)
    func wrong(_ key: String) -> InputError {
      .badData(file, "\"\(key)\" is not as cpt compare writes it; compare anew with --overwrite")
    }
    func method(_ json: JSON?) -> TuningMethod? { json?.string.flatMap(TuningMethod.init) }
    guard let configuration = json["config"]?.string else { throw wrong("config") }
    self.configuration = configuration
    settings = (json["settings"]?.array ?? []).compactMap(\.string)
    guard let split = json["split"]?.string.flatMap(Split.init) else { throw wrong("split") }
    self.split = split
    methods = try (json["methods"]?.array ?? []).map { name in
      guard let method = method(name) else { throw wrong("methods") }
      return method
    }
    seeds = try (json["seeds"]?.array ?? []).map { seed in
      guard let seed = seed.integer else { throw wrong("seeds") }
      return seed
    }
    cells = try (json["cells"]?.array ?? []).map { cell in
      guard let method = method(cell["method"]), let seed = cell["seed"]?.integer,
        let accuracy = cell["accuracy"]?.number, let error = cell["accuracy_stderr"]?.number,
        let macroF1 = cell["macro_f1"]?.number, let loss = cell["loss"]?.number,
        let seconds = cell["train_seconds"]?.number
      else { throw wrong("cells") }
      return Cell(
        method: method, seed: seed, accuracy: accuracy, accuracyStandardError: error, macroF1: macroF1, loss: loss,
        trainingSeconds: seconds)
    }
  }

  package var json: JSON {
    func spread(_ spread: Spread) -> JSON {
      .object([
        .init("mean", .number(spread.mean)), .init("sd", spread.standardDeviation.map(JSON.number) ?? .null),
        .init("worst", .number(spread.worst)), .init("best", .number(spread.best)),
      ])
    }
    return .object([
      .init("config", .string(configuration)), .init("settings", .array(settings.map(JSON.string))),
      .init("split", .string(split.rawValue)),
      .init("methods", .array(methods.map { .string($0.rawValue) })), .init("seeds", .array(seeds.map(JSON.integer))),
      .init(
        "cells",
        .array(
          cells.map { cell in
            .object([
              .init("method", .string(cell.method.rawValue)), .init("seed", .integer(cell.seed)),
              .init("folder", .string(cell.folder)), .init("accuracy", .number(cell.accuracy)),
              .init("accuracy_stderr", .number(cell.accuracyStandardError)), .init("macro_f1", .number(cell.macroF1)),
              .init("loss", .number(cell.loss)), .init("train_seconds", .number(cell.trainingSeconds)),
            ])
          })),
      .init(
        "summary",
        .array(
          summaries.map { summary in
            .object([
              .init("method", .string(summary.method.rawValue)), .init("seeds", .integer(summary.seeds)),
              .init("accuracy", spread(summary.accuracy)), .init("macro_f1", spread(summary.macroF1)),
            ])
          })),
    ])
  }
}
