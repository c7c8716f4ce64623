import Diagnostics
import FileFormats
import Testing

@Suite struct DelimitedTextTests {
  /// All records of a text, and what is wrong with those that are none.
  private func parse(_ format: DelimitedFormat, _ bytes: [UInt8]) throws -> [Result<DelimitedRecord, InputError>] {
    var parser = DelimitedParser(format, file: "f")
    var found = bytes.compactMap { parser.take($0) }
    if let last = try parser.finish() { found.append(last) }
    return found
  }

  private func records(_ format: DelimitedFormat, _ text: String) throws -> [DelimitedRecord] {
    try parse(format, Array(text.utf8)).map { try $0.get() }
  }

  @Test func commaSeparatedWithQuotesAndLineBreaks() throws {
    let records = try records(.commaSeparated, "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n\"\",2\r\nx\ry,\"q\"")
    #expect(records.map(\.fields) == [["a", "b"], ["1", "x, \"y\"\nz"], [""], ["", "2"], ["x\ry", "q"]])
    #expect(records.map(\.line) == [1, 2, 4, 5, 6])
  }

  @Test func tabSeparatedLeavesQuotesAlone() throws {
    let records = try records(.tabSeparated, "a\tb\n\"x\ty, \"z\n")
    #expect(records.map(\.fields) == [["a", "b"], ["\"x", "y, \"z"]])
  }

  @Test func linesAreOneFieldEach() throws {
    #expect(try records(.lines, "a,\t\"b\r\n\nc").map(\.fields) == [["a,\t\"b"], [""], ["c"]])
  }

  @Test(arguments: [
    ("a,b\n1,\"x\n\n", "f:2: a quoted field opens here"), ("a\n\"x\"y\n", "f:2: after a closing quote"),
    ("a\n\"x\"\ry\n", "f:2: after a closing quote"), ("a\n\"x\"\"", "f:2: a quoted field opens here"),
  ])
  func misplacedQuotesAreNamed(text: String, message: String) {
    #expect {
      try records(.commaSeparated, text)
    } throws: {
      "\($0)".contains(message)
    }
  }

  @Test func bytesThatAreNoTextAreNamed() {
    #expect {
      try parse(.tabSeparated, Array("a\tb\nx\t".utf8) + [0xE9]).forEach { _ = try $0.get() }
    } throws: {
      "\($0)".contains("f:2: expected UTF-8")
    }
  }

  /// A mistake costs its own record, whatever follows in its line.
  @Test func afterAMistakeTheNextLineIsRead() throws {
    let bytes = Array("a,b\n\"x\"y,\"z\n1,".utf8) + [0xE9] + Array(",\"q\nr\"\n3,4\n".utf8)
    let found = try parse(.commaSeparated, bytes)
    #expect(found.map { (try? $0.get())?.fields } == [["a", "b"], nil, nil, ["3", "4"]])
    #expect((try? found[3].get())?.line == 5)
  }

  @Test func writtenRecordsReadTheSame() throws {
    let rows = [["a", "b,c", "\"d\"", "e\nf", "g\r", ""], ["x", "", " y ", "\"", ",", "ü"]]
    #expect(try records(.commaSeparated, rows.map(DelimitedFormat.commaSeparated.line).joined()).map(\.fields) == rows)
    #expect(DelimitedFormat.commaSeparated.line(rows[1]) == "x,, y ,\"\"\"\",\",\",ü\n")
    #expect(DelimitedFormat.tabSeparated.line(["a,\"", "b"]) == "a,\"\tb\n")
  }
}
