import Diagnostics
import Runs
import Tuning

/// What selects the rows that a cell is measured on.
private struct MeasuredRows: Hashable {
  let files: [String?]
  let fractions: [Double?]
  let limit: Int?
  let columns: [String]

  init(_ data: DataConfiguration) {
    let isTested = data.evaluationSplit == .test
    files = isTested ? [data.test, data.testFraction == nil ? nil : data.train] : [data.validation, data.train]
    fractions = [data.testFraction, isTested && data.testFraction == nil ? nil : data.validationFraction]
    limit = isTested ? data.maxTestExamples : nil
    columns = [data.labelColumn] + data.input.fields.map { $0.isEmpty ? data.textColumn : $0 }
  }
}

extension Study {
  /// The rows that all cells are measured on.
  ///
  /// - Throws: `InputError.badData` when there are none, when cells of a condition are measured on different ones, or when a
  ///   choice lacks validation rows.
  var measuredSplit: Split {
    get throws {
      var splits: Set<Split> = [], hasOtherRows = false
      for condition in conditions {
        var rows: Set<MeasuredRows> = []
        defer { hasOtherRows = hasOtherRows || rows.count > 1 }
        for method in methods {
          for choice in choices(of: method) {
            let configuration = try configuration(condition, method, seed: nil, choice: choice)
            guard let split = configuration.data.evaluationSplit else {
              throw InputError.badData(
                file, "has no data.test to compare methods on; set it, or data.test_fraction")
            }
            splits.insert(split)
            rows.insert(MeasuredRows(configuration.data))
            if choices(of: method).count > 1, !configuration.data.hasValidation {
              throw InputError.badData(
                file,
                "\"methods.\(method.name)\" leaves \"\(choice[0].path)\" to validation rows, and there are none; set "
                  + "data.validation, data.validation_fraction or data.validation_folds")
            }
          }
        }
      }
      if hasOtherRows {
        throw InputError.badData(
          file,
          "measures its methods on different rows; data.test and the keys that select its rows must be the same")
      }
      guard splits.count == 1, let split = splits.first else {
        throw InputError.badData(file, "compares some cells on test rows and others on validation rows")
      }
      return split
    }
  }
}
