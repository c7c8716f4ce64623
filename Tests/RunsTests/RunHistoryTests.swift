import Diagnostics
import FileFormats
import Runs
import System
import Testing
import TestSupport

/// The files of a run, as they are written and read.
@Suite struct RunHistoryTests {
  private static let step = StepMetrics(
    step: 1, epoch: 0.5, loss: 3.5, labelAccuracy: 0.25, learningRate: 1e-4, gradientNorm: 2, examplesPerSecond: 8,
    elapsedSeconds: 2)
  private static let evaluation = EvaluationMetrics(
    step: 2, epoch: 1, loss: 1.5, accuracy: 0.75, macroF1: 0.5, elapsedSeconds: 5)

  private func step(_ number: Int, loss: Double, seconds: Double) -> String {
    var metrics = Self.step
    metrics.step = number
    metrics.loss = loss
    metrics.elapsedSeconds = seconds
    return metrics.json.compact
  }

  private func history(_ text: String) throws -> RunHistory {
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/metrics.jsonl")
      return try RunHistory(RunDirectory(folder))
    }
  }

  /// The bytes that earlier versions wrote.
  @Test func linesKeepTheirForm() {
    #expect(
      Self.step.json.compact
        == #"{"step": 1, "epoch": 0.5, "loss": 3.5, "label_accuracy": 0.25, "learning_rate": 0.0001, "grad_norm": 2.0, "#
        + #""examples_per_second": 8.0, "elapsed_seconds": 2.0}"#)
    #expect(
      Self.evaluation.json.compact
        == #"{"step": 2, "epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.75, "eval_macro_f1": 0.5, "#
        + #""elapsed_seconds": 5.0}"#)
  }

  /// A resumed run, killed while it wrote a line.
  @Test func metricsByName() throws {
    let lines = [
      step(1, loss: 3.5, seconds: 2), step(2, loss: .nan, seconds: 4), Self.evaluation.json.compact,
      step(3, loss: 2, seconds: 1.5), "{\"step\": 4, \"lo",
    ]
    let history = try history(lines.joined(separator: "\n"))
    #expect(history[\StepMetrics.loss].map(\.step) == [1, 3] && history[\StepMetrics.loss].map(\.value) == [3.5, 2])
    #expect(history.steps.map(\.step) == [1, 2, 3] && history.steps.first == Self.step)
    #expect(history.evaluations == [Self.evaluation])
    #expect(history.lastStep == 3)
    #expect(history.elapsedSeconds == 6.5)
  }

  @Test func aRunWithoutSteps() throws {
    let empty = try history("")
    #expect(empty.lastStep == 0 && empty.elapsedSeconds == 0 && empty.steps.isEmpty && empty.evaluations.isEmpty)
  }

  @Test(arguments: [
    ("{\"loss\": 2}", "\"step\" must be a whole number from 0 to 2147483647, found nothing"),
    ("{\"step\": -1}", "\"step\" must be a whole number from 0 to 2147483647, found -1"),
    ("{\"step\": 1, \"epoch\": 1, \"eval_loss\": \"x\"}", "\"eval_loss\" must be a number"),
    ("nonsense", "malformed JSON"), ("[2]", "expected an object { … }, found a list"),
  ])
  func otherLinesAreErrorsThatNameThem(line: String, problem: String) throws {
    let error = #expect(throws: InputError.self) { try history("\(Self.step.json.compact)\n\(line)\n") }
    #expect(error?.kind == .badData && error?.place.contains("metrics.jsonl:2") == true)
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
  }

  /// A later version may write more.
  @Test func unknownKeysDoNotCount() throws {
    let more = step(1, loss: 1, seconds: 1).dropLast() + ", \"tokens\": [1]}\n"
    #expect(try history(String(more))[\StepMetrics.loss].map(\.value) == [1])
  }

  /// Early versions wrote no numbers of rows.
  @Test(arguments: [
    (#""best_step": null, "best_metric": null, "#, ""),
    (#""best_step": 4, "best_metric": 0.5, "#, #""training_rows": 12, "validation_rows": 8, "#),
  ])
  func statesReadAsTheyWereWritten(best: String, rows: String) throws {
    let text = "{\"step\": 6, \(best)\(rows)\"data_fingerprint\": \"ab\"}"
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/" + TrainerState.file)
      let state = try #require(try RunDirectory("").state(of: folder))
      #expect(state.step == 6 && state.bestStep == (rows.isEmpty ? nil : 4))
      #expect(state.trainingRows == (rows.isEmpty ? nil : 12))
      #expect(state.json.compact == text)
    }
  }
}
