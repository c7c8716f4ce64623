import System

/// The metrics of a run over its steps, from its metrics.jsonl.
package struct RunHistory: Sendable {
  /// Every optimiser step, in the order of the file.
  package let steps: [StepMetrics]
  /// Every evaluation on the validation rows, in the order of the file.
  package let evaluations: [EvaluationMetrics]
  /// The last step with metrics; 0 before the first.
  package let lastStep: Int
  /// Total seconds of training; each resume restarts the clock at 0.
  package let elapsedSeconds: Double

  /// Reads a run's metrics; a last line that a killed run left half-written is ignored.
  ///
  /// - Throws: `InputError` when the file is missing or malformed.
  package init(_ run: RunDirectory) throws {
    let file = run.metricsFile
    var texts = try readBytes(of: file).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // After the last line break there is nothing, or an incomplete line.
    texts.removeLast()
    let lines = try texts.enumerated().map { try MetricsLine(parsing: $1, file: file, line: $0 + 1) }
    steps = lines.compactMap { if case .step(let metrics) = $0 { metrics } else { nil } }
    evaluations = lines.compactMap { if case .evaluation(let metrics) = $0 { metrics } else { nil } }
    lastStep = lines.map(\.step).max() ?? 0
    var before = 0.0, now = 0.0
    for line in lines {
      if line.elapsedSeconds < now { before += now }
      now = line.elapsedSeconds
    }
    elapsedSeconds = before + now
  }

  /// The finite values of a quantity over the steps.
  package subscript(quantity: KeyPath<StepMetrics, Double>) -> [(step: Int, value: Double)] {
    steps.map { (step: $0.step, value: $0[keyPath: quantity]) }.filter(\.value.isFinite)
  }

  /// The finite values of a quantity over the evaluations.
  package subscript(quantity: KeyPath<EvaluationMetrics, Double>) -> [(step: Int, value: Double)] {
    evaluations.map { (step: $0.step, value: $0[keyPath: quantity]) }.filter(\.value.isFinite)
  }
}
