import System
import Testing
import TestSupport

/// Help and hints as a newcomer meets them.
@Suite struct HelpTests {
  /// A key without its section, in its section or another, and a misspelt one.
  @Test(arguments: [
    ("seed=3", "\"seed\" is an unknown key; did you mean \"training.seed\"?"),
    ("method=cpt", "\"method\" is an unknown key; did you mean \"training.method\"?"),
    ("training.text_column=a", "\"training.text_column\" is an unknown key; did you mean \"data.text_column\"?"),
    ("training.output_dir=a", "\"training.output_dir\" is an unknown key; did you mean \"output_dir\"?"),
    ("training.sede=3", "\"training.sede\" is an unknown key; did you mean \"seed\"?"),
    ("lerning_rate=3", "\"lerning_rate\" is an unknown key; did you mean \"training.learning_rate\"?"),
  ])
  func aKeyWithoutItsSectionIsFound(setting: String, message: String) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let outcome = try example.trainRun(["--set", setting, "--dry-run"])
      #expect(outcome.status == 65 && outcome.errorLine.hasSuffix(message), "\(outcome.errors)")
    }
  }

  /// Words stay whole; only what one would copy is wider than the screen.
  @Test(arguments: [
    ["--help"], ["train", "--help"], ["report", "--help"], ["help"], ["help", "memory"], ["help", "exit-codes"],
  ])
  func helpFitsFortyColumns(words: [String]) throws {
    let wide = try Program.run(words)
    let narrow = try Program.run(["COLUMNS=40", Program.path] + words, executable: "/usr/bin/env")
    for line in narrow.output.split(separator: "\n") where line.count > 40 {
      #expect(line.hasPrefix("  cpt ") || !line.contains(" "), "\(line)")
    }
    func all(_ text: String) -> [Substring] { text.split { $0.isWhitespace } }
    #expect(all(narrow.output) == all(wide.output))
    #expect(
      wide.output.contains { $0 == "\n" } && narrow.output.count { $0 == "\n" } > wide.output.count { $0 == "\n" })
  }

  @Test func theVersionNamesTheBuild() throws {
    let lines = try Program.run(["--version"]).output.split(separator: "\n")
    #expect(lines.count == 3 && lines[0].wholeMatch(of: /cpt \d+\.\d+\.\d+/) != nil, "\(lines)")
    #expect(lines[1].wholeMatch(of: /compiled +for [^,]+( [^,]+)*, by Swift 6\..*/) != nil, "\(lines)")
    #expect(lines[2].hasPrefix("products") && lines[2].contains("kernel "), "\(lines)")
  }
}
