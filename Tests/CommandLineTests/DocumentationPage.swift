import System
import TestSupport
import Testing

/// The README or a page of the documentation.
struct DocumentationPage: Sendable, CustomTestStringConvertible {
  /// Its path in the repository.
  let path: String
  let text: String

  /// A fenced block.
  struct Block {
    let language: String
    let lines: [String]
    /// The line of its fence, from 1.
    let place: Int
  }

  /// A page of the repository.
  init(path: String) throws {
    self.path = path
    text = String(decoding: try readBytes(of: repository + "/" + path), as: UTF8.self)
  }

  var testDescription: String { path }
  /// The page's name in a `doc:` link.
  var name: String { String(lastComponent(of: path).dropLast(".md".count)) }

  private static let catalog = "Sources/cpt/cpt.docc"

  static var readme: DocumentationPage { get throws { try DocumentationPage(path: "README.md") } }

  /// The README and every page of the catalog.
  static var all: [DocumentationPage] {
    get throws {
      let names = System.names(inDirectory: repository + "/" + catalog).filter { $0.hasSuffix(".md") }
      return try [readme] + names.map { try DocumentationPage(path: catalog + "/" + $0) }
    }
  }

  /// The fenced blocks in order.
  var blocks: [Block] {
    var blocks: [Block] = []
    var open: (language: String, lines: [String], place: Int)?
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).enumerated() {
      if line.hasPrefix("```") {
        if let block = open {
          blocks.append(Block(language: block.language, lines: block.lines, place: block.place))
          open = nil
        } else {
          open = (String(line.dropFirst(3)), [], index + 1)
        }
      } else {
        open?.lines.append(line)
      }
    }
    return blocks
  }

  /// The text without its fenced blocks.
  var prose: String {
    var isProse = true
    return text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
      guard line.hasPrefix("```") else { return isProse }
      isProse.toggle()
      return false
    }.joined(separator: "\n")
  }

  /// The transcripts of the blocks in language `console`.
  var transcripts: [Transcript] { transcripts(inLanguage: "console") }

  /// The transcripts of the blocks that need the model of scripts/real-model.
  var transcriptsOfRealModel: [Transcript] { transcripts(inLanguage: "console-real-model") }

  private func transcripts(inLanguage language: String) -> [Transcript] {
    blocks.filter { $0.language == language }.flatMap { block in
      Transcript.all(in: block.lines, at: path, line: block.place + 1)
    }
  }
}
