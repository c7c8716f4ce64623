import ContextTuning
import FileFormats
import Foundation
import TestSupport
import Testing

/// What the documentation says is what the program does.
@Suite struct DocumentationTests {
  private func readme() throws -> String {
    String(decoding: try readBytes(of: repository + "/README.md"), as: UTF8.self)
  }

  @Test func everyConfigurationKeyStandsInTheReadmeWithItsDefault() throws {
    let text = try readme()
    for key in Configuration.reference {
      #expect(text.contains("| `\(key.path)` | `\(key.defaultValue)` | \(key.meaning) |"), "\(key.path)")
    }
  }

  @Test func theReadmesExampleConfigurationLoads() throws {
    let text = try readme()
    let start = try #require(text.range(of: "```json\n")),
      end = try #require(text[start.upperBound...].range(of: "```"))
    try withTemporaryFolder { folder in
      try writeAtomically(String(text[start.upperBound..<end.lowerBound]), to: folder + "/c.json")
      #expect(throws: Never.self) { try Configuration(file: folder + "/c.json") }
    }
  }

  @Test func everyCommandOfTheReadmeExists() throws {
    let text = try readme()
    for line in text.split(separator: "\n") where line.hasPrefix("| `cpt ") {
      let name = line.split(separator: " ")[2].filter { $0 != "`" }
      #expect(try Program.run(["help", String(name)]).status == (name == "help" ? 64 : 0), "\(name)")
    }
  }
}
