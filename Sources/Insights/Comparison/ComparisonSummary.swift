import FileFormats

extension Comparison {
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
    package fileprivate(set) var condition = Condition()
    package fileprivate(set) var method = ""
    package fileprivate(set) var seeds: Int
    package fileprivate(set) var accuracy = Spread()
    package fileprivate(set) var macroF1 = Spread()
    package fileprivate(set) var loss = Spread()
    /// The mean loss on rows that were trained on; nil if there are none.
    package fileprivate(set) var trainingLoss: Double?
    package fileprivate(set) var parameters = 0
  }

  /// The first method and another one on the same rows with the same seeds.
  package struct Difference: Sendable, Equatable {
    package fileprivate(set) var condition = Condition()
    package fileprivate(set) var method = ""
    package fileprivate(set) var other = ""
    package fileprivate(set) var seeds: Int
    package fileprivate(set) var rows = 0
    /// The first method's accuracy minus the other's.
    package fileprivate(set) var accuracy = Interval()
  }

  /// A value with its 95 % interval.
  package struct Interval: Sendable, Equatable {
    package fileprivate(set) var value: Double
    package fileprivate(set) var lower = 0.0
    package fileprivate(set) var upper = 0.0
  }

  /// A method over the conditions of a model.
  package struct Overall: Sendable, Equatable {
    package fileprivate(set) var model: String?
    package fileprivate(set) var method = ""
    package fileprivate(set) var conditions: Int
    /// The mean over the conditions.
    package fileprivate(set) var accuracy = 0.0
    /// The mean place among the methods by accuracy, 1 for the best; methods that are equal share their places.
    package fileprivate(set) var rank = 0.0
    /// The mean difference between the first method and this one; nil for the first.
    package fileprivate(set) var difference: Interval?
  }

  /// Every method that has a finished cell, by condition.
  package var summaries: [Summary] {
    conditions.flatMap { condition in
      methods.compactMap { method in
        let own = cells(condition, method)
        guard let first = own.first else { return nil }
        let training = own.compactMap(\.trainingLoss)
        return Summary(
          condition: condition, method: method, seeds: own.count, accuracy: Spread(own.map(\.accuracy)),
          macroF1: Spread(own.map(\.macroF1)), loss: Spread(own.map(\.loss)),
          trainingLoss: training.isEmpty ? nil : training.reduce(0, +) / Double(training.count),
          parameters: first.parameters)
      }
    }
  }

  /// The first method against each other one, under every condition with cells of both.
  package var differences: [Difference] {
    conditions.flatMap { condition in
      pairs(under: condition).map { pair in
        Difference(
          condition: condition, method: methods[0], other: pair.other, seeds: pair.bootstrap.seeds,
          rows: pair.bootstrap.rows, accuracy: Interval([pair.bootstrap]))
      }
    }
  }

  /// The first method and each other one, with the seeds of both, or with those that all methods have.
  private func pairs(
    under condition: Condition, sharedByAll: Bool = false
  ) -> [(other: String, bootstrap: PairedBootstrap)] {
    methods.dropFirst().compactMap { other in
      let differences = seeds.compactMap { (seed: Int) -> [Int]? in
        guard let a = self.cell(condition, methods[0], seed: seed), let b = self.cell(condition, other, seed: seed),
          a.hits.count == b.hits.count,
          !sharedByAll || methods.allSatisfy({ self.cell(condition, $0, seed: seed) != nil })
        else { return nil }
        return zip(a.hits, b.hits).map { Int($0 ? 1 : 0) - ($1 ? 1 : 0) }
      }
      let stream = conditions.firstIndex(of: condition) ?? 0
      return PairedBootstrap(differences, stream: stream).map { (other: other, bootstrap: $0) }
    }
  }

  /// Every method over the conditions of a model, with the seeds that all methods have a finished cell of.
  package var overall: [Overall] {
    var accuracies: [Condition: [Double]] = [:]
    for condition in conditions {
      let shared = seeds.filter { seed in methods.allSatisfy { cell(condition, $0, seed: seed) != nil } }
      if shared.isEmpty { continue }
      accuracies[condition] = methods.map { method in
        shared.reduce(0) { $0 + (cell(condition, method, seed: $1)?.accuracy ?? 0) } / Double(shared.count)
      }
    }
    return conditions.filter { accuracies[$0] != nil }.grouped { $0.model }.flatMap { model, own in
      let compared = own.map { pairs(under: $0, sharedByAll: true) }
      let means = own.compactMap { accuracies[$0] }, n = Double(means.count)
      return methods.indices.map { index in
        let method = methods[index]
        return Overall(
          model: model, method: method, conditions: own.count,
          accuracy: means.reduce(0) { $0 + $1[index] } / n,
          rank: means.reduce(0) { $0 + Self.place(of: $1[index], among: $1) } / n,
          difference: index == 0
            ? nil : Interval(compared.compactMap { pairs in pairs.first { $0.other == method }?.bootstrap }))
      }
    }
  }

  /// The place of a value among all, 1 for the highest; equal values share their places.
  private static func place(of value: Double, among all: [Double]) -> Double {
    Double(all.count { $0 > value }) + Double(all.count { $0 == value } + 1) / 2
  }
}

extension Comparison.Interval {
  /// The mean of differences, and the range of 95 % of the means of their resamples.
  fileprivate init(_ bootstraps: [PairedBootstrap]) {
    let n = Double(bootstraps.count)
    value = bootstraps.reduce(0) { $0 + $1.mean } / n
    let means = (0..<PairedBootstrap.resamples).map { index in
      bootstraps.reduce(0) { $0 + $1.means[index] } / n
    }.sorted()
    lower = means[means.count / 40]
    upper = means[means.count - 1 - means.count / 40]
  }
}

extension Comparison.Summary: Record {
  package init() { self.init(seeds: 0) }

  package static let fields: [Field<Comparison.Summary>] =
    Condition.fields.map { $0.within(\.condition) } + [
      Field("method", \.method, .text, "the method, by name"),
      Field("seeds", \.seeds, .integer(from: 0), "finished cells of the method"),
      Field("accuracy", \.accuracy, .record, "the accuracies of these cells"),
      Field("macro_f1", \.macroF1, .record, "their macro-F1"),
      Field("loss", \.loss, .record, "their losses"),
      .optional("train_loss", \.trainingLoss, .measurement, "the mean of their losses on rows trained on"),
      Field("parameters", \.parameters, .integer(from: 0), "numbers that training changes, with the first seed"),
    ]
}

extension Comparison.Spread: Record {
  package init() { self.init([0]) }

  package static let fields: [Field<Comparison.Spread>] = [
    Field("mean", \.mean, .measurement, "mean over the seeds"),
    Field(
      "sd", \.standardDeviation, .null(or: .measurement), "standard deviation of the sample; null for one seed"),
    Field("worst", \.worst, .measurement, "the lowest"),
    Field("best", \.best, .measurement, "the highest"),
  ]
}

extension Comparison.Difference: Record {
  package init() { self.init(seeds: 0) }

  package static let fields: [Field<Comparison.Difference>] =
    Condition.fields.map { $0.within(\.condition) } + [
      Field("method", \.method, .text, "the first method"),
      Field("other", \.other, .text, "the method that it is compared with"),
      Field("seeds", \.seeds, .integer(from: 0), "seeds with a finished cell of both"),
      Field("rows", \.rows, .integer(from: 0), "rows of each seed"),
      Field("accuracy", \.accuracy, .record, "the first method's accuracy minus the other's"),
    ]
}

extension Comparison.Interval: Record {
  package init() { self.init(value: 0) }

  package static let fields: [Field<Comparison.Interval>] = [
    Field("difference", \.value, .number, "the mean over seeds and rows"),
    Field("lower", \.lower, .number, "the lower end of its 95 % interval"),
    Field("upper", \.upper, .number, "the upper end"),
  ]
}

extension Comparison.Overall: Record {
  package init() { self.init(conditions: 0) }

  package static let fields: [Field<Comparison.Overall>] = [
    .optional("model", \.model, .text, "the model"),
    Field("method", \.method, .text, "the method, by name"),
    Field("conditions", \.conditions, .integer(from: 0), "conditions under which all methods have a finished cell"),
    Field("accuracy", \.accuracy, .number, "the mean over these conditions of the accuracy"),
    Field("rank", \.rank, .number, "the mean place among the methods, 1 for the best"),
    .optional(
      "difference", \.difference, .record,
      "the mean of the first method's accuracy minus this one's; the first has none"),
  ]
}
