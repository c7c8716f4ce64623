import Foundation
import System
import Testing
import TestSupport

/// The console transcripts of the documentation show what the commands print.
@Suite struct TranscriptTests {
  /// Runs a page's commands one after the other in a copy of `configs`.
  @Test(arguments: try DocumentationPage.all.filter { !$0.transcripts.isEmpty })
  func commandsPrintWhatThePageShows(page: DocumentationPage) throws { try check(page.transcripts) }

  /// Those that need a real model, if scripts/real-model has fetched it.
  @Test(.enabled(if: fileExists(repository + "/models/SmolLM2-135M-Instruct.Q4_1.gguf")))
  func commandsPrintWhatTheReadmeShowsOfARealModel() throws {
    let transcripts = try DocumentationPage.readme.transcriptsOfRealModel
    #expect(!transcripts.isEmpty)
    try check(transcripts)
  }

  private func check(_ transcripts: [Transcript]) throws {
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(atPath: repository + "/configs", toPath: folder + "/configs")
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/models", withDestinationPath: repository + "/models")
      for transcript in transcripts {
        let printed = try run(transcript.command, in: folder)
        let mistake = transcript.mistake(printed: printed)
        #expect(mistake == nil, "\(transcript)\n\(mistake ?? "")\n\(printed)")
      }
    }
  }

  /// Both streams of a shell command, in order, as on a terminal that is not interactive.
  private func run(_ command: String, in folder: String) throws -> String {
    let script = """
      export PATH='\(System.folder(of: Program.path))':"$PATH" TERM=dumb
      unset COLUMNS
      exec 2>&1
      \(command)
      """
    return try Program.run(["-c", script], in: folder, executable: "/bin/bash").output
  }

  /// Blocks of commands are transcripts that run, or say that they do not.
  @Test(arguments: try DocumentationPage.all)
  func everyTranscriptIsMarked(page: DocumentationPage) {
    for block in page.blocks where block.lines.contains(where: { $0.hasPrefix("$ ") }) {
      #expect(
        ["console", "console-real-model", "console-not-run"].contains(block.language), "\(page.path):\(block.place)")
    }
    for block in page.blocks where block.language == "console" {
      #expect(block.lines.first?.hasPrefix("$ ") == true, "\(page.path):\(block.place)")
    }
  }
}

/// The comparison itself: what it accepts and what it reports.
@Suite struct TranscriptComparisonTests {
  private func mistake(_ command: String, _ output: [String], printed: [String]) -> String? {
    Transcript.all(in: ["$ " + command] + output, at: "page", line: 1).first?
      .mistake(printed: printed.joined(separator: "\n") + "\n")
  }

  @Test(arguments: [
    (["loss 0.087  680 ex/s  12 s left"], ["loss 0.09  97 ex/s  1:05 left"]),
    (["best at step 80 (0.93)"], ["best at step 320 (0.95)"]), (["a  38.9 MB"], ["a  1.2 GB"]),
    (["label  rows", "a       9.5"], ["label  rows", "a      10.5"]),
    (["label \\ CPT  a", "a           12", "", "b"], ["label \\ CPT  a", "a            9", "", "b"]),
    (["a", "…", "d"], ["a", "b", "c", "d"]), (["…", "b"], ["a", "b"]), (["a", "…"], ["a", "b", "c"]),
    (["a", ""], ["a"]),
    (["a", "…", "b", "…", "b"], ["a", "x", "b", "y", "b"]),
  ])
  func accepts(output: [String], printed: [String]) {
    #expect(mistake("cpt eval", output, printed: printed) == nil)
  }

  @Test(arguments: [
    (["a b"], ["a  b"]), (["60 rows"], ["61 rows"]), (["label  0.5"], ["label   0.5"]), (["a"], ["a", "b"]),
    (["a", "b"], ["a"]), (["a", "…"], ["a"]), (["a", "…", "c"], ["a", "b"]), (["a", "…"], ["a", "note: b"]),
    (["…", "b"], ["cpt: error: x", "b"]), (["…", "b"], ["! x", "b"]), (["…", "b"], ["a warning", "b"]),
    (["label  rows", "a        12"], ["label  rows", "a        13"]), (["billing,0.99"], ["returns,0.99"]),
  ])
  func rejects(output: [String], printed: [String]) {
    #expect(mistake("cpt eval", output, printed: printed) != nil)
  }

  /// Shares and radii that are no result of the model must be exact.
  @Test func onlyComputedNumbersAreMasked() {
    #expect(mistake("cpt inspect --config c", ["radius  0.25"], printed: ["radius  0.26"]) != nil)
    #expect(mistake("cpt init --data d", ["-log P(label): 1.5"], printed: ["-log P(label): 1.6"]) == nil)
  }

  /// A command may have several lines.
  @Test func commandsHaveContinuations() {
    let found = Transcript.all(in: ["$ cat <<END", "> a", "> END", "a", "", "$ b"], at: "page", line: 3)
    #expect(found.map(\.command) == ["cat <<END\na\nEND", "b"] && found.map(\.output) == [["a"], []])
    #expect(found.map(\.place) == ["page:3", "page:8"])
  }
}
