import Diagnostics
import FileFormats
import System

/// The metrics of a run over its steps: what stands in its metrics.jsonl.
package struct RunHistory: Sendable {
  private let lines: [JSON]

  /// Reads a run's metrics; a last line that a killed run left half-written does not count.
  ///
  /// - Throws: `InputError` when the file is missing or holds something else.
  package init(_ run: RunDirectory) throws {
    let file = run.metricsFile
    let bytes = try readBytes(of: file)
    var texts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // Behind the last line break there is nothing, or a line without its end.
    texts.removeLast()
    lines = try texts.enumerated().map { index, text in
      let line = try JSON(parsing: Array(text), file: file, firstLine: index + 1)
      guard let step = line["step"]?.integer, step >= 0 else {
        throw InputError.badData("\(file):\(index + 1)", "expected an object with a \"step\" of at least 0")
      }
      return line
    }
  }

  /// The values of one metric, by its name in the file ("loss", "eval_accuracy"), where it was measured.
  package subscript(metric: String) -> [(step: Int, value: Double)] {
    lines.compactMap { line in
      line["step"]?.integer.flatMap { step in line[metric]?.number.map { (step, $0) } }
    }
  }

  /// The last step with metrics; 0 before the first.
  package var lastStep: Int { lines.compactMap { $0["step"]?.integer }.max() ?? 0 }

  /// Seconds of training in all; a run that was resumed counts from 0 each time.
  package var elapsedSeconds: Double {
    var before = 0.0, now = 0.0
    for (_, seconds) in self["elapsed_seconds"] {
      if seconds < now { before += now }
      now = seconds
    }
    return before + now
  }
}
