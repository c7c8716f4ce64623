import Tuning

extension Comparison {
  /// What a method takes: means over its cells with a model.
  package struct Cost: Sendable, Equatable {
    package let model: String?
    package let method: String
    package let cells: Int
    /// The fewest and the most labelled rows that a cell learnt from.
    package let rowsLearntFrom: ClosedRange<Int>
    /// Numbers that training changes.
    package let parameters: Double
    /// nil if no cell's time is known; so is the next.
    package let trainingSeconds: Double?
    package let evaluationSeconds: Double?
  }

  /// The costs of every method that has a finished cell, by model.
  package func costs(_ times: ComparisonTimes) -> [Cost] {
    conditions.grouped { $0.model }.flatMap { model, _ in
      methods.compactMap { method in
        let own = cells.filter { $0.condition.model == model && $0.method == method }
        let rows = own.map(\.rowsLearntFrom)
        guard let fewest = rows.min(), let most = rows.max() else { return nil }
        return Cost(
          model: model, method: method, cells: own.count, rowsLearntFrom: fewest...most,
          parameters: own.reduce(0) { $0 + Double($1.parameters) } / Double(own.count),
          trainingSeconds: times.mean(\.trainingSeconds, of: own),
          evaluationSeconds: times.mean(\.evaluationSeconds, of: own))
      }
    }
  }

  /// The mean accuracy of cells by each scoring that all of them have.
  package static func meanScorings(of cells: [Cell]) -> [ScoringAccuracy] {
    Scoring.allCases.compactMap { scoring in
      let accuracies = cells.compactMap { cell in cell.scorings.first { $0.scoring == scoring }?.accuracy }
      if accuracies.isEmpty || accuracies.count < cells.count { return nil }
      return ScoringAccuracy(scoring: scoring, accuracy: accuracies.reduce(0, +) / Double(accuracies.count))
    }
  }
}
