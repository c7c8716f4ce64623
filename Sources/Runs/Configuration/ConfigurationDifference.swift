import FileFormats

extension Configuration {
  /// The first key that differs between two runs and changes the results; nil if one can continue the other.
  ///
  /// Unless `comparesPaths` is set, other files are no difference: their contents are compared elsewhere.
  package func firstDifference(thatMattersFrom other: Configuration, comparesPaths: Bool) -> String? {
    func relevant(_ configuration: Configuration) -> Configuration {
      var copy = configuration
      copy.outputDirectory = nil
      copy.data.test = nil
      copy.data.maxTestExamples = nil
      if !comparesPaths { for path in Self.paths { copy[keyPath: path] = nil } }
      // When a run evaluates changes no number of it, unless evaluations may end it.
      if training.earlyStoppingPatience == nil { copy.training.evaluationSteps = nil }
      copy.training.saveSteps = nil
      copy.training.saveTotalLimit = nil
      copy.training.memoryLimit = nil
      copy.training.report = .none
      return copy
    }
    return relevant(self).resolvedJSON.firstDifference(from: relevant(other).resolvedJSON)
  }
}

extension JSON {
  /// The path of the first member whose value differs.
  fileprivate func firstDifference(from other: JSON) -> String? {
    guard let members = object, other.object != nil else { return self == other ? nil : "" }
    for member in members {
      let inner = other[member.key].map { member.value.firstDifference(from: $0) } ?? ""
      if let inner { return inner.isEmpty ? member.key : member.key + "." + inner }
    }
    return nil
  }
}
