import FileFormats
import Foundation
import Insights
import Runs
import System
import Testing
import TestSupport

/// What the documentation says is what the program does.
@Suite struct DocumentationTests {
  /// It stays short enough to be read.
  @Test func theReadmeIsShort() throws {
    #expect(try DocumentationPage.readme.text.split(separator: "\n", omittingEmptySubsequences: false).count <= 151)
  }

  @Test func everyShippedFileLoads() throws {
    _ = try Configuration(file: repository + "/configs/quickstart/quickstart.json")
    let folder = repository + "/configs/few-shot/"
    let studies = names(inDirectory: folder).filter { $0 != Comparison.file }
    #expect(studies.contains("study.json"))
    for name in studies { _ = try Study(file: folder + name, overrides: []) }
    for example in try DocumentationPage.all.flatMap(\.blocks).filter({ $0.language == "jsonc" }) {
      try withTemporaryFolder { folder in
        try writeAtomically(example.lines.joined(separator: "\n"), to: folder + "/study.json")
        _ = try Study(file: folder + "/study.json", overrides: [])
      }
    }
  }

  /// scripts/make-study-tables has written the page of the committed results.
  @Test func theStudysPageHasItsNumbers() throws {
    let results = try Comparison(folder: repository + "/configs/few-shot")
    let page = try #require(DocumentationPage.all.first { $0.name == "FewShotStudy" })
    #expect(!results.summaries.isEmpty && results.configuration == "configs/few-shot/study.json")
    for summary in results.summaries {
      let condition = summary.condition
      let start = "| \(condition.task ?? ""), \(condition.shots ?? 0) per label |"
      var cell = String(format: "%.1f", 100 * summary.accuracy.mean)
      if let deviation = summary.accuracy.standardDeviation { cell += String(format: " ± %.1f", 100 * deviation) }
      let lines = page.text.split(separator: "\n").filter { $0.hasPrefix(start) && $0.contains(cell) }
      #expect(!lines.isEmpty, "\(start) \(summary.method) \(cell)")
    }
    let readme = try DocumentationPage.readme.text.split(separator: "\n")
    for model in Set(results.conditions.compactMap(\.model)) {
      for (label, isTuned) in [("SST-2 and TREC", true), ("other tasks", false)] {
        let part = results.summaries.filter {
          $0.condition.model == model && ["sst2", "trec"].contains($0.condition.task ?? "") == isTuned
        }
        let complete = Set(part.map(\.condition)).filter { one in
          part.count { $0.condition == one } == results.methods.count
        }
        if complete.isEmpty { continue }
        let row = try #require(readme.first { $0.hasPrefix("| \(model), \(label) |") })
        for method in results.methods {
          let own = part.filter { $0.method == method && complete.contains($0.condition) }.map(\.accuracy.mean)
          #expect(row.contains(String(format: " %.1f |", 100 * own.reduce(0, +) / Double(own.count))), "\(row)")
        }
      }
    }
  }

  @Test func everyExampleConfigurationLoads() throws {
    let examples = try DocumentationPage.all.flatMap(\.blocks).filter { $0.language == "json" }
    #expect(!examples.isEmpty)
    for example in examples {
      try withTemporaryFolder { folder in
        try writeAtomically(example.lines.joined(separator: "\n"), to: folder + "/c.json")
        #expect(throws: Never.self, "\(example.lines)") { try Configuration(file: folder + "/c.json") }
      }
    }
  }

  /// The commands and flags that stand in code voice, such as `cpt eval --scoring`.
  @Test(arguments: try DocumentationPage.all)
  func everyCommandAndFlagExists(page: DocumentationPage) throws {
    let commands = try Program.run(["help", "--json"]).json()["commands"]?.array ?? []
    for match in page.prose.matches(of: /`cpt ([^`]+)`/) {
      let words = match.1.split { $0.isWhitespace }
      guard let name = words.first, !name.hasPrefix("--"), name != "COMMAND" else { continue }
      let command = commands.first { $0["name"]?.string == String(name) }
      #expect(command != nil, "\(page.path): \(match.0)")
      let flags = (command?["flags"]?.array ?? []).compactMap { $0["name"]?.string }
      for flag in words.filter({ $0.hasPrefix("--") }).map({ String($0.prefix { $0 != "=" && $0 != "," }) }) {
        #expect(flags.contains(flag), "\(page.path): \(match.0)")
      }
    }
  }

  @Test func everyConfigurationKeyStandsInTheReference() throws {
    let page = try DocumentationPage(path: "Sources/cpt/cpt.docc/ConfigurationReference.md").text
    // scripts/make-reference-tables writes them.
    for key in Configuration.reference {
      #expect(
        page.contains("| `\(key.path)` | `\(key.defaultValue)` | \(key.expected) | \(key.meaning) |"), "\(key.path)")
    }
    #expect(page.matches(of: /\n\| `/).count == Configuration.reference.count)
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
}

extension DocumentationTests {
  /// Links to files, pages and headings, and the paths of the project that stand in code voice.
  @Test(arguments: try DocumentationPage.all)
  func linksLeadSomewhere(page: DocumentationPage) throws {
    let text = page.prose
    let headings = Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        String(
          line.drop { $0 == "#" || $0 == " " }.lowercased().compactMap { letter in
            letter == " " ? "-" : letter.isLetter || letter.isNumber || letter == "-" || letter == "_" ? letter : nil
          })
      })
    for link in text.matches(of: /\]\(([^)\s]+)\)/).map({ String($0.1) }) where !link.contains("://") {
      let parts = link.split(separator: "#", omittingEmptySubsequences: false)
      let path = repository + "/" + System.folder(of: page.path) + "/" + parts[0]
      if !parts[0].isEmpty { #expect(fileExists(path), "\(page.path): \(link)") }
      if parts.count > 1, parts[0].isEmpty { #expect(headings.contains(String(parts[1])), "\(page.path): \(link)") }
    }
    let pages = Set(try DocumentationPage.all.map(\.name))
    for link in text.matches(of: /<doc:([^>]+)>/) {
      #expect(pages.contains(String(link.1)), "\(page.path): \(link.0)")
    }
    for path in text.matches(of: /`((?:Sources|Tests|scripts|configs)\/[^`\s]*)/).map({ String($0.1) }) {
      #expect(fileExists(repository + "/" + path), "\(page.path): \(path)")
    }
  }

  /// Every page of the catalog is listed in its root, and the README links the pages a reader starts with.
  @Test func everyPageIsReachable() throws {
    let pages = try DocumentationPage.all
    let root = try #require(pages.first { $0.name == "cpt" })
    for page in pages where page.name != "cpt" && page.name != "README" {
      #expect(root.text.contains("- <doc:\(page.name)>"), "\(page.path)")
    }
  }
}
