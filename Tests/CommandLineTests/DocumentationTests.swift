import FileFormats
import Foundation
import Runs
import System
import Testing
import TestSupport

/// What the documentation says is what the program does.
@Suite struct DocumentationTests {
  private func readme() throws -> String {
    String(decoding: try readBytes(of: repository + "/README.md"), as: UTF8.self)
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
      #expect(try Program.run(["help", String(name)]).status == 0, "\(name)")
    }
  }
}

extension DocumentationTests {
  @Test func everyConfigurationKeyStandsInTheReference() throws {
    let page = String(
      decoding: try readBytes(of: repository + "/Sources/cpt/cpt.docc/ConfigurationReference.md"), as: UTF8.self)
    // scripts/make-reference-tables writes them.
    for key in Configuration.reference {
      #expect(
        page.contains("| `\(key.path)` | `\(key.defaultValue)` | \(key.expected) | \(key.meaning) |"), "\(key.path)")
    }
    #expect(page.components(separatedBy: "\n| `").count - 1 == Configuration.reference.count)
  }

  @Test func everyKeyOfTheFilesStandsInTheirPage() throws {
    let page = String(decoding: try readBytes(of: repository + "/Sources/cpt/cpt.docc/Files.md"), as: UTF8.self)
    let files = try #require(Program.run(["help", "--json"]).json()["files"]?.array)
    let help = try Program.run(["help", "files"]).output, manual = try Program.run(["man"]).output
    let expected = try files.map { file in
      let keys = try #require(file["keys"]?.array).map { key in
        let cells = try ["key", "values", "meaning"].map { try #require(key[$0]?.string) }
        #expect(help.contains("\n\(cells[0]): ") && manual.contains("\n\\fB\(cells[0])\\fR: "), "\(cells[0])")
        return "| `\(cells[0])` | \(cells[1]) | \(cells[2]) |\n"
      }
      let title = try #require(file["title"]?.string)
      return "\n### \(title)\n\n| Key | Values | Meaning |\n| --- | --- | --- |\n" + keys.joined()
    }
    #expect(files.count > 4)
    // scripts/make-reference-tables writes them.
    let tables = try #require(page.range(of: "\n## Keys\n"))
    #expect(page[tables.upperBound...] == expected.joined())
  }

  /// Links to files and headings, and the paths of the project that stand in code voice.
  @Test func theReadmesLinksLeadSomewhere() throws {
    let text = try readme()
    let headings = Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        String(
          line.drop { $0 == "#" || $0 == " " }.lowercased().compactMap { letter in
            letter == " " ? "-" : letter.isLetter || letter.isNumber || letter == "-" || letter == "_" ? letter : nil
          })
      })
    for link in text.matches(of: /\]\(([^)\s]+)\)/).map({ String($0.1) }) where !link.contains("://") {
      let parts = link.split(separator: "#", omittingEmptySubsequences: false)
      if !parts[0].isEmpty { #expect(fileExists(repository + "/" + parts[0]), "\(link)") }
      if parts.count > 1, parts[0].isEmpty { #expect(headings.contains(String(parts[1])), "\(link)") }
    }
    for path in text.matches(of: /`((?:Sources|Tests|scripts|configs)\/[^`\s]*)/).map({ String($0.1) }) {
      #expect(fileExists(repository + "/" + path), "\(path)")
    }
  }
}
