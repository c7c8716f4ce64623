import Diagnostics
import FileFormats
import Testing

@Suite struct DelimitedTextTests {
  /// All records of a text, and what is wrong with those that are none.
  private func parse(_ format: DelimitedFormat, _ bytes: [UInt8]) throws -> [Result<DelimitedRecord, InputError>] {
    var parser = DelimitedParser(format, file: "f")
    var found = try bytes.compactMap { try parser.take($0) }
    if let last = try parser.finish() { found.append(last) }
    return found
  }

  private func records(_ format: DelimitedFormat, _ text: String) throws -> [DelimitedRecord] {
    try parse(format, Array(text.utf8)).map { try $0.get() }
  }

  @Test func commaSeparatedWithQuotesAndLineBreaks() throws {
    let records = try records(.commaSeparated, "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n\"\",2\r\nx,\"q\"")
    #expect(records.map(\.fields) == [["a", "b"], ["1", "x, \"y\"\nz"], ["", "2"], ["x", "q"]])
    #expect(records.map(\.line) == [1, 2, 5, 6])
  }

  /// As pandas reads them: every line end ends a record, and those in quotes stay as they are.
  @Test(arguments: ["\n", "\r", "\r\n"])
  func everyLineEndEndsARecord(end: String) throws {
    let text = "a,b\(end)1,\"x\r\ny\rz\n\"\(end)\(end)2,y\(end)3,\"q\""
    let found = try records(.commaSeparated, text)
    #expect(found.map(\.fields) == [["a", "b"], ["1", "x\r\ny\rz\n"], ["2", "y"], ["3", "q"]])
    #expect(found.map(\.line) == [1, 2, 7, 8])
    #expect(try records(.tabSeparated, "a\tb\(end)c\td\(end)").map(\.fields) == [["a", "b"], ["c", "d"]])
    #expect(try records(.lines, "a\(end)\(end)b").map(\.fields) == [["a"], [""], ["b"]])
  }

  @Test func lineEndsMayBeMixed() throws {
    let found = try records(.commaSeparated, "a\r\nb\rc\nd\r\re\n\rf")
    #expect(found.map(\.fields) == ["a", "b", "c", "d", "e", "f"].map { [$0] })
    #expect(found.map(\.line) == [1, 2, 3, 4, 6, 8])
  }

  /// A table has no blank lines; an empty field in quotes is one.
  @Test func blankLinesAreNoRecords() throws {
    #expect(try records(.commaSeparated, "t\n\n  \n\"\"\nx\n\n").map(\.fields) == [["t"], [""], ["x"]])
  }

  @Test func anySeparatorSeparatesAndQuotes() throws {
    let format = DelimitedFormat.quoted(separator: UInt8(ascii: ";"))
    let rows = [["a;b", "c,d", "\"e\""], ["1", "", "x"]]
    #expect(format.line(rows[0]) == "\"a;b\";c,d;\"\"\"e\"\"\"\n")
    #expect(try records(format, rows.map(format.line).joined()).map(\.fields) == rows)
  }

  @Test func longRecordsAndZeroBytesAreNamed() throws {
    func parse(_ text: String) throws -> [Result<DelimitedRecord, InputError>] {
      var parser = DelimitedParser(.commaSeparated, file: "f", limit: 8)
      var found = try Array(text.utf8).compactMap { try parser.take($0) }
      if let last = try parser.finish() { found.append(last) }
      return found
    }
    let found = try parse("a,b\n123456789\n1,\0\n1,234567\n")
    #expect(found.map { (try? $0.get())?.fields } == [["a", "b"], nil, nil, ["1", "234567"]])
    guard case .failure(let long) = found[1], case .failure(let zero) = found[2] else { throw CancellationError() }
    #expect("\(long)".hasPrefix("f:2: is longer than") && "\(zero)".hasPrefix("f:3: holds a zero byte"))
    #expect {
      try parse("a\n1,\"234567\n8\n")
    } throws: {
      "\($0)".hasPrefix("f:2: a quoted field opens here and is longer than")
    }
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
    ("a\n\"x\"\"", "f:2: a quoted field opens here"),
    ("a\n\"x\ry\r\nz\"y\n", "f:2: a quoted field opens here and closes in line 4"),
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
