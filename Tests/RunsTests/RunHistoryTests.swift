import Diagnostics
import Runs
import System
import Testing
import TestSupport

@Suite struct RunHistoryTests {
  private func history(_ text: String) throws -> RunHistory {
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/metrics.jsonl")
      return try RunHistory(RunDirectory(folder))
    }
  }

  /// A resumed run, killed while it wrote a line.
  @Test func metricsByName() throws {
    let history = try history(
      """
      {"step": 1, "loss": 3.5, "elapsed_seconds": 2}
      {"step": 2, "loss": null, "elapsed_seconds": 4}
      {"step": 2, "eval_loss": 1.5, "elapsed_seconds": 5}
      {"step": 3, "loss": 2, "elapsed_seconds": 1.5}
      {"step": 4, "lo
      """)
    #expect(history["loss"].map(\.step) == [1, 3] && history["loss"].map(\.value) == [3.5, 2])
    #expect(history["eval_loss"].map(\.step) == [2])
    #expect(history["grad_norm"].isEmpty)
    #expect(history.lastStep == 3)
    #expect(history.elapsedSeconds == 6.5)
  }

  @Test func aRunWithoutSteps() throws {
    let empty = try history("")
    #expect(empty.lastStep == 0 && empty.elapsedSeconds == 0 && empty["loss"].isEmpty)
  }

  @Test(arguments: ["{\"step\": 1}\n{\"loss\": 2}\n", "{\"step\": 1}\nnonsense\n", "{\"step\": 1}\n[2]\n"])
  func otherLinesAreErrorsThatNameThem(text: String) throws {
    let error = #expect(throws: InputError.self) { try history(text) }
    #expect(error?.kind == .badData && error?.place.contains("metrics.jsonl:2") == true)
  }
}
