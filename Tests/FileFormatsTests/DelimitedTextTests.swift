import FileFormats
import Testing

@Suite struct DelimitedTextTests {
  @Test func commaSeparatedWithQuotesAndLineBreaks() throws {
    let text = "\u{FEFF}a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n\"\",2\nlast,\"q\""
    let records = try DelimitedFormat.commaSeparated.records(in: Array(text.utf8), file: "f.csv")
    #expect(records.map(\.fields) == [["a", "b"], ["1", "x, \"y\"\nz"], ["", "2"], ["last", "q"]])
    #expect(records.map(\.line) == [1, 2, 5, 6])
  }

  @Test func tabSeparatedLeavesQuotesAlone() throws {
    let records = try DelimitedFormat.tabSeparated.records(in: Array("a\tb\n\"x\ty, \"z\n".utf8), file: "f.tsv")
    #expect(records.map(\.fields) == [["a", "b"], ["\"x", "y, \"z"]])
  }

  @Test(arguments: [
    ("a,b\n1,\"x\n\n", "f:2: a quoted field opens here"), ("a\n\"x\"y\n", "f:2: after a closing quote"),
  ])
  func misplacedQuotesAreNamed(text: String, message: String) {
    #expect {
      try DelimitedFormat.commaSeparated.records(in: Array(text.utf8), file: "f")
    } throws: {
      "\($0)".contains(message)
    }
  }

  @Test func bytesThatAreNoTextAreNamed() {
    #expect {
      try DelimitedFormat.tabSeparated.records(in: Array("a\tb\nx\t".utf8) + [0xE9], file: "f")
    } throws: {
      "\($0)".contains("f:2: expected UTF-8")
    }
  }
}
