extension Comparison {
  /// What the 95 % interval of a difference says of the first method.
  package enum Verdict: String, CaseIterable, Sendable {
    /// The interval is above 0.
    case better
    /// It is below 0.
    case worse
    /// It holds 0.
    case undecided
  }

  /// The first method against another one under the conditions of a model.
  package struct Standing: Sendable, Equatable {
    package let model: String?
    package let other: String
    /// The differences under these conditions, as far as there are cells of both methods.
    package let differences: [Difference]

    /// The differences with a verdict.
    package func differences(_ verdict: Verdict) -> [Difference] {
      differences.filter { $0.accuracy.verdict == verdict }
    }
  }

  /// Differences by model, then by the other method.
  package func standings(of differences: [Difference]) -> [Standing] {
    conditions.grouped { $0.model }.flatMap { model, _ in
      methods.dropFirst().compactMap { other in
        let own = differences.filter { $0.condition.model == model && $0.other == other }
        return own.isEmpty ? nil : Standing(model: model, other: other, differences: own)
      }
    }
  }

  /// The cells that there should be and are not.
  package var missingCells: Int {
    conditions.reduce(0) { missing, condition in
      missing
        + methods.reduce(0) { missing, method in
          let finished = Set(cells(condition, method).map(\.seed))
          return missing + seeds.count { !finished.contains($0) }
        }
    }
  }
}

extension Comparison.Interval {
  package var verdict: Comparison.Verdict { lower > 0 ? .better : upper < 0 ? .worse : .undecided }
}
