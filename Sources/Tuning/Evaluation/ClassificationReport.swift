import FileFormats

/// The quality of predictions: accuracy, F1 and confusion matrix.
package struct ClassificationReport: Sendable {
  /// The counts and scores of one class.
  package struct Class: Sendable {
    package let label: String
    /// Rows with this label.
    package let support: Int
    /// Rows predicted to have it.
    package let predicted: Int
    package let correct: Int

    /// correct / predicted, 0 if nothing was predicted.
    package var precision: Double { predicted == 0 ? 0 : Double(correct) / Double(predicted) }
    /// correct / support.
    package var recall: Double { support == 0 ? 0 : Double(correct) / Double(support) }
    /// Harmonic mean of precision and recall.
    package var f1: Double { support + predicted == 0 ? 0 : 2 * Double(correct) / Double(support + predicted) }
  }

  package let rows: Int
  package let accuracy: Double
  /// Standard error of the accuracy, √(a (1 - a) / (n - 1)), like lm-evaluation-harness.
  package let accuracyStandardError: Double
  /// The accuracy's 95 % confidence interval.
  package let accuracyInterval: ClosedRange<Double>
  /// Mean F1 over the classes that occur, like scikit-learn.
  package let macroF1: Double
  /// Mean of -log P(label), in nats.
  package let loss: Double
  package let classes: [Class]
  /// Rows of label i predicted as label j.
  package let confusion: [[Int]]

  package init(_ predictions: [Prediction], labels: [String]) {
    var confusion = labels.map { _ in labels.map { _ in 0 } }
    for prediction in predictions { confusion[prediction.label][prediction.predicted] += 1 }
    self.confusion = confusion
    rows = predictions.count
    let correct = predictions.count { $0.label == $0.predicted }
    accuracy = rows == 0 ? 0 : Double(correct) / Double(rows)
    accuracyStandardError = rows < 2 ? 0 : (accuracy * (1 - accuracy) / Double(rows - 1)).squareRoot()
    accuracyInterval = wilsonInterval(correct, of: rows)
    loss = -predictions.reduce(0) { $0 + $1.logProbabilities[$1.label] } / Double(max(rows, 1))
    let all = labels.enumerated().map { index, label in
      Class(
        label: label, support: confusion[index].reduce(0, +), predicted: confusion.reduce(0) { $0 + $1[index] },
        correct: confusion[index][index])
    }
    classes = all
    let occurring = all.filter { $0.support + $0.predicted > 0 }
    macroF1 = occurring.isEmpty ? 0 : occurring.reduce(0) { $0 + $1.f1 } / Double(occurring.count)
  }

  package var json: JSON {
    .object([
      .init("accuracy", .number(accuracy)), .init("accuracy_stderr", .number(accuracyStandardError)),
      .init("accuracy_interval", .array([.number(accuracyInterval.lowerBound), .number(accuracyInterval.upperBound)])),
      .init("macro_f1", .number(macroF1)), .init("loss", .number(loss)),
      .init(
        "per_class",
        .object(
          classes.map { item in
            .init(
              item.label,
              .object([
                .init("precision", .number(item.precision)), .init("recall", .number(item.recall)),
                .init("f1", .number(item.f1)), .init("support", .integer(item.support)),
              ]))
          })),
      .init("labels", .array(classes.map { .string($0.label) })),
      .init("confusion_matrix", .array(confusion.map { .array($0.map(JSON.integer)) })),
    ])
  }
}

/// The difference of two accuracies on the same rows, and its standard error from the paired differences.
package struct PairedDifference: Sendable {
  package let accuracy: Double
  package let standardError: Double

  /// - Precondition: both predict the same rows in the same order.
  package init(_ predictions: [Prediction], minus baseline: [Prediction]) {
    precondition(predictions.count == baseline.count)
    let differences = zip(predictions, baseline).map { a, b in
      (a.label == a.predicted ? 1.0 : 0) - (b.label == b.predicted ? 1.0 : 0)
    }
    let n = Double(max(differences.count, 1))
    let mean = differences.reduce(0, +) / n
    accuracy = mean
    let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    standardError = differences.count < 2 ? 0 : (squares / (n - 1) / n).squareRoot()
  }
}
