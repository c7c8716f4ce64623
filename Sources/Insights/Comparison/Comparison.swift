import Diagnostics
import FileFormats
import Glibc
import Method
import Runs

/// The results so far of a comparison of methods over seeds.
///
/// Stored as `comparison.json` in a folder with one run folder per cell.
package struct Comparison: Sendable, Equatable {
  /// One method at one seed, trained and evaluated.
  package struct Cell: Sendable, Equatable {
    package fileprivate(set) var method: TuningMethod
    package fileprivate(set) var seed: Int
    package fileprivate(set) var accuracy: Double
    package fileprivate(set) var accuracyStandardError: Double
    package fileprivate(set) var macroF1: Double
    /// Mean of -log P(label), in nats.
    package fileprivate(set) var loss: Double
    package fileprivate(set) var trainingSeconds: Double

    /// The name of its run folder.
    package var folder: String { Self.folder(method, seed: seed) }

    static func folder(_ method: TuningMethod, seed: Int) -> String { "\(method.rawValue)-seed-\(seed)" }
  }

  /// A quantity over seeds.
  package struct Spread: Sendable, Equatable {
    package fileprivate(set) var mean: Double
    /// Standard deviation of the sample (n - 1); nil for one value.
    package fileprivate(set) var standardDeviation: Double?
    package fileprivate(set) var worst: Double
    package fileprivate(set) var best: Double

    /// - Precondition: there is at least one value.
    init(_ values: [Double]) {
      guard let worst = values.min(), let best = values.max() else { preconditionFailure("there are values") }
      self.worst = worst
      self.best = best
      let n = Double(values.count)
      let mean = values.reduce(0, +) / n
      self.mean = mean
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      standardDeviation = values.count < 2 ? nil : (squares / (n - 1)).squareRoot()
    }
  }

  /// A method over the seeds it was run with.
  package struct Summary: Sendable, Equatable {
    package fileprivate(set) var method: TuningMethod
    package fileprivate(set) var seeds: Int
    package fileprivate(set) var accuracy: Spread
    package fileprivate(set) var macroF1: Spread
  }

  package static let file = "comparison.json"
  /// The predictions of a cell's rows, in its run folder.
  package static let predictionsFile = "predictions.jsonl"

  /// The configuration file it was made from.
  package fileprivate(set) var configuration: String
  /// The overrides of `--set`.
  package fileprivate(set) var settings: [String]
  /// The rows that methods are compared on.
  package fileprivate(set) var split: Split
  /// Number of threads, on which the rounding depends; nil in a file of an early version.
  package internal(set) var threads: Int?
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

extension Comparison: Record {
  package init() {
    self.init(configuration: "", settings: [], split: .test, methods: [], seeds: [], cells: [])
  }

  /// Reads the comparison of a folder.
  ///
  /// - Throws: `InputError` when it is missing or malformed.
  package init(folder: String) throws { try self.init(file: folder + "/" + Self.file) }

  package static let fields: [Field<Comparison>] = [
    Field("config", \.configuration, .text, "the configuration file, as an absolute path"),
    Field("settings", \.settings, .list("a list of strings", of: .text), "the overrides of --set"),
    Field("split", \.split, .choice, "the rows that methods are compared on"),
    .optional("threads", \.threads, .integer(from: 1), "number of threads, on which the rounding depends"),
    Field("methods", \.methods, .list("a list of methods", of: .choice), "the compared methods"),
    Field("seeds", \.seeds, .list("a list of whole numbers", of: .integer(from: 0)), "the seeds of each method"),
    Field(
      "cells", \.cells, .list("a list of objects", of: .record),
      "the finished cells, each a method with a seed, ordered by method, then seed"),
    .derived(
      "summary", \.summaries, .list("a list of objects", of: .record),
      "each method with a finished cell, over its seeds"),
  ]
}

extension Comparison.Cell: Record {
  package init() {
    self.init(
      method: .cpt, seed: 0, accuracy: 0, accuracyStandardError: 0, macroF1: 0, loss: 0, trainingSeconds: 0)
  }

  package static let fields: [Field<Comparison.Cell>] = [
    Field("method", \.method, .choice, "the method"),
    Field("seed", \.seed, .integer(from: 0), "the seed"),
    .derived("folder", \.folder, .text, "the run folder of the cell, inside the folder of the comparison"),
    Field("accuracy", \.accuracy, .number, "share of the rows predicted correctly"),
    Field("accuracy_stderr", \.accuracyStandardError, .measurement, "standard error of the accuracy"),
    Field("macro_f1", \.macroF1, .number, "mean of the F1 scores of the labels"),
    Field("loss", \.loss, .measurement, "mean of -log P(whole label), in nats"),
    Field("train_seconds", \.trainingSeconds, .number, "seconds of training"),
  ]
}

extension Comparison.Summary: Record {
  package init() { self.init(method: .cpt, seeds: 0, accuracy: Comparison.Spread(), macroF1: Comparison.Spread()) }

  package static let fields: [Field<Comparison.Summary>] = [
    Field("method", \.method, .choice, "the method"),
    Field("seeds", \.seeds, .integer(from: 0), "finished cells of the method"),
    Field("accuracy", \.accuracy, .record, "the accuracies of these cells"),
    Field("macro_f1", \.macroF1, .record, "their macro-F1"),
  ]
}

extension Comparison.Spread: Record {
  package init() { self.init([0]) }

  package static let fields: [Field<Comparison.Spread>] = [
    Field("mean", \.mean, .number, "mean over the seeds"),
    Field(
      "sd", \.standardDeviation, .null(or: .number), "standard deviation of the sample; null for one seed"),
    Field("worst", \.worst, .number, "the lowest"),
    Field("best", \.best, .number, "the highest"),
  ]
}
