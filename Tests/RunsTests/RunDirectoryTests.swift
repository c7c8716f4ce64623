import Runs
import System
import Testing
import TestSupport

@Suite struct RunDirectoryTests {
  /// Only those that were finished, by their numbers.
  @Test func checkpointsAreInTheOrderOfTheirSteps() throws {
    try withTemporaryFolder { folder in
      let run = RunDirectory(folder)
      for step in [100, 20, 3] {
        try makeDirectory(run.checkpoint(step))
        var state = TrainerState()
        state.step = step
        try writeAtomically(state.json.compact, to: run.checkpoint(step) + "/" + TrainerState.file)
      }
      for name in ["checkpoint-200", "checkpoint-x", "checkpoint-7.partial"] { try makeDirectory(folder + "/" + name) }
      #expect(run.checkpointSteps == [3, 20, 100])
      #expect(run.adapterFolder == run.checkpoint(100))
      #expect(try run.state(of: run.checkpoint(20))?.step == 20)
      #expect(try run.state(of: run.checkpoint(200)) == nil)
    }
  }
}
