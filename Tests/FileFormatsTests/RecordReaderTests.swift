import Diagnostics
import FileFormats
import System
import Testing
import TestSupport

@Suite struct RecordReaderTests {
  @Test(
    arguments: [
      ("a.jsonl", .jsonl), ("a.json", .jsonl), ("a.NDJSON", .jsonl), ("a.csv", .csv), ("b.c/a.tsv", .tsv),
      ("a.txt", .lines), ("a.csv.gz", .csv), ("a.jsonl.GZ", .jsonl), ("a", nil), ("a.gz", nil), ("a.parquet", nil),
    ] as [(String, DataFormat?)])
  func endingsSayTheFormat(path: String, format: DataFormat?) {
    #expect(DataFormat(endingOf: path) == format)
  }

  /// The records of bytes: their lines, and their fields or the values of `t`; an error ends with its message.
  private func read(
    _ bytes: [UInt8], as format: DataFormat, named name: String = "r"
  ) throws -> (reader: RecordReader, lines: [String], values: [[String]], errors: [String]) {
    try withTemporaryFolder { folder in
      try writeAtomically(bytes, to: folder + "/" + name)
      var reader = try RecordReader(folder + "/" + name, format: format)
      var lines: [String] = [], values: [[String]] = [], errors: [String] = []
      do {
        let column = try reader.column("t", remedy: "")
        while let found = try reader.next() {
          do {
            let record = try found.get()
            lines.append(String(lastComponent(of: record.place).dropFirst(name.count + 1)))
            switch record.content {
            case .fields(let fields): values.append(fields)
            case .line(let line): values.append([line])
            case .object: values.append([try record.text(in: column)])
            }
          } catch {
            errors.append("\(error)".replacing(folder + "/", with: ""))
          }
        }
      } catch {
        errors.append("\(error)".replacing(folder + "/", with: ""))
      }
      return (reader, lines, values, errors)
    }
  }

  private func read(_ text: String, as format: DataFormat) throws -> (
    reader: RecordReader, lines: [String], values: [[String]], errors: [String]
  ) { try read(Array(text.utf8), as: format) }

  /// Blank lines are rows only where every line is a text.
  @Test(arguments: [
    (DataFormat.csv, "t\na\n\nb\n", ["2", "4"]), (.tsv, "t\n\na\n", ["3"]),
    (.jsonl, "{\"t\":\"a\"}\n \t\n{\"t\":\"a\"}\n", ["1", "3"]),
    (.lines, "a\n\nb", ["1", "2", "3"]),
  ])
  func recordsKnowTheirLines(format: DataFormat, text: String, lines: [String]) throws {
    for end in ["\n", "\r", "\r\n"] {
      #expect(try read(text.replacing("\n", with: end), as: format).lines == lines, "\(end.utf8.map { $0 })")
    }
  }

  // MARK: - Encodings

  private func littleEndian(_ unit: UInt16) -> [UInt8] { [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
  private func bigEndian(_ unit: UInt16) -> [UInt8] { [UInt8(unit >> 8), UInt8(unit & 0xFF)] }

  private static let text = "t,u\né,\"😀\n\"\nb,c\n"

  /// With a mark, or without one where that is UTF-8.
  @Test(arguments: ["", "utf8", "le", "be"])
  func encodingsWithAMark(mark: String) throws {
    let units = Self.text.utf16
    let bytes: [UInt8] =
      switch mark {
      case "le": [0xFF, 0xFE] + units.flatMap(littleEndian)
      case "be": [0xFE, 0xFF] + units.flatMap(bigEndian)
      case "utf8": [0xEF, 0xBB, 0xBF] + Self.text.utf8
      default: Array(Self.text.utf8)
      }
    let found = try read(bytes, as: .csv)
    #expect(found.values == [["é", "😀\n"], ["b", "c"]] && found.errors.isEmpty)
    #expect(found.reader.peculiarities == (mark.hasSuffix("e") ? ["UTF-16"] : []))
    #expect(
      try read(
        mark == "utf8" ? [0xEF, 0xBB, 0xBF] + Array("{\"t\":\"a\"}".utf8) : Array("{\"t\":\"a\"}".utf8), as: .jsonl
      ).values == [["a"]])
  }

  /// Large enough for several chunks: units and pairs are split between them.
  @Test func utf16IsReadInPieces() throws {
    let text = "t\n" + String(repeating: "a😀é", count: 30_001) + "\nb\n"
    for shift in 0..<4 {
      let shifted = String(repeating: "x", count: shift) + text
      let bytes = [0xFF, 0xFE] + shifted.utf16.flatMap(littleEndian)
      #expect(try read(bytes, as: .lines).values.map { $0[0] } == shifted.split(separator: "\n").map(String.init))
    }
  }

  @Test func otherEncodingsAreNamedWithACommandThatWorks() throws {
    let windows = try read(Array("t,u\na,b\ncaf".utf8) + [0xE9, 0x2C, 0x62, 0x0A], as: .csv, named: "it's.csv")
    #expect(windows.lines == ["2"])
    #expect(windows.errors.first?.hasPrefix("it's.csv:3: expected UTF-8 text") == true, "\(windows.errors)")
    #expect(windows.errors.first?.contains("iconv -f WINDOWS-1252 -t UTF-8 '") == true)
    #expect(windows.errors.first?.hasSuffix("it'\\''s.csv' > 'it'\\''s.utf8.csv'") == true, "\(windows.errors)")
    for (bytes, message) in [
      ("t,u".utf16.flatMap(littleEndian), "iconv -f UTF-16LE -t UTF-8"),
      ("t,u".utf16.flatMap(bigEndian), "iconv -f UTF-16BE -t UTF-8"),
      ([0xFF, 0xFE, 0, 0, 0x74, 0, 0, 0], "iconv -f UTF-32 -t UTF-8"),
    ] as [([UInt8], String)] {
      #expect {
        try read(bytes, as: .csv)
      } throws: {
        "\($0)".contains(message)
      }
    }
    // Half of a pair, and half of a unit.
    for end in [[0x3D, 0xD8, 0x0A, 0x00], [0x3D, 0xD8], [0x41]] as [[UInt8]] {
      let found = try read([0xFF, 0xFE, 0x74, 0x00, 0x0A, 0x00] + end, as: .lines)
      #expect(found.values.first == ["t"] && found.errors.count == 1, "\(found.errors)")
      #expect(found.errors.first?.contains("malformed UTF-16") == true)
    }
  }

  /// Single zeros in UTF-8 are damage, and no sign of UTF-16.
  @Test(arguments: ["t\0,u\na,b\n", "t,\0\0u\na,b\n", "\0t,u\nsome,words\n"])
  func zeroBytesAreNamed(text: String) {
    #expect {
      try read(text, as: .csv)
    } throws: {
      "\($0)".contains("r:1: holds a zero byte")
    }
  }

  /// Rows that show nothing are empty.
  @Test(arguments: [" ", "\u{200B}", " \u{FEFF}\u{A0}\u{200D}"])
  func invisibleTextsAreEmpty(text: String) throws {
    let errors = try read("{\"t\": \"\(text)\"}\n", as: .jsonl).errors
    #expect(errors == ["r:1: the text is empty"])
  }

  @Test(arguments: [
    ("BZh91AY", "bzip2 -dc"), ("\u{FD}7zXZ\0", "xz -dc"), ("PK\u{3}\u{4}", "unzip -p"), ("PAR1xx", "read_parquet"),
    ("PK\u{3}\u{4}    [Content_Types].xml", "read_excel"),
    ("PK\u{3}\u{4}  mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "odfpy"),
    ("SQLite format 3\0", "sqlite3 -header -csv"), ("<!DOCTYPE HTML><p>", "is a web page"),
    ("version https://git-lfs.github.com/spec/v1", "git lfs pull"),
  ])
  func otherFormatsAreNamedByTheirFirstBytes(beginning: String, message: String) {
    let bytes = beginning.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    #expect {
      try read(bytes, as: .csv)
    } throws: {
      "\($0)".contains(message)
    }
  }

  // MARK: - Separators

  @Test(arguments: [
    ("t;u\n1,5;b\n", ";", [["1,5", "b"]]), ("t\tu\n\"a\tb\"\tc\n", "\t", [["a\tb", "c"]]),
    ("t|u|v\na|b|c\n", "|", [["a", "b", "c"]]), ("\"t\";\"u, v\"\na;b\n", ";", [["a", "b"]]),
    ("t,\"u;v;w\"\na,b\n", ",", [["a", "b"]]), ("t;u, v, w\na;b\n", ";", [["a", "b"]]),
    // One column stays one, whatever its name and its rows hold.
    ("t\na;b\n", ",", [["a;b"]]), ("\"t\"\n\"a,b\"\n", ",", [["a,b"]]),
    ("t;u\n", ";", []), ("t;u", ";", []), ("t,u\na;b,c;d\n", ",", [["a;b", "c;d"]]),
    ("sep=;\nt;u\na;b\n", ";", [["a", "b"]]), ("SEP=|\r\nt|u\r\na,c|b\r\n", "|", [["a,c", "b"]]),
    ("\"sep=\t\"\nt\tu\na\tb\n", "\t", [["a", "b"]]), ("sep=,\nt,u\na;x,b;y\n", ",", [["a;x", "b;y"]]),
  ])
  func separatorsAreFound(text: String, separator: Character, rows: [[String]]) throws {
    let found = try read(text, as: .csv)
    #expect(found.reader.table == .quoted(separator: try #require(separator.asciiValue)), "\(text)")
    #expect(found.values == rows, "\(text)")
    #expect(found.reader.peculiarities.isEmpty == (separator == ","))
  }

  /// In a header without the column, the message says what stands there.
  @Test(arguments: [
    ("one,two\n", "has no column \"t\"; expected one of one, two"), ("t,t\na,b\n", "has the column \"t\" twice"),
    ("I waited for two weeks already.,late\n", "if that is a row, set data.header to false"),
    ("12,late\n", "the columns are then \"1\", \"2\" and so on"),
    ("why; not\nfine\n", "expected one of why; not"),
  ])
  func columnsThatAreMissing(text: String, message: String) throws {
    let errors = try read(text, as: .csv).errors
    #expect(errors.first?.contains(message) == true, "\(errors)")
  }

  /// Without a header, every row counts, and columns are found by number.
  @Test func tablesWithoutAHeader() throws {
    try withTemporaryFolder { folder in
      for (text, format) in [("a,b\na,b\nc\nd,e\n", DataFormat.csv), ("a\tb\na\tb\nc\nd\te\n", .tsv)] {
        try writeAtomically(text, to: folder + "/r")
        var reader = try RecordReader(folder + "/r", format: format, hasHeader: false)
        #expect(reader.header == ["1", "2"])
        let column = try reader.column("2", remedy: "")
        var texts: [String] = [], errors: [String] = []
        while let next = try reader.next() {
          do { texts.append(try next.get().text(in: column)) } catch { errors.append("\(error)") }
        }
        #expect(texts == ["b", "b", "e"] && errors.count == 1)
        #expect(errors[0].hasSuffix("r:3: expected 2 fields as in the first row, found 1"), "\(errors)")
        #expect {
          try reader.column("text", remedy: "choose one")
        } throws: {
          "\($0)".hasSuffix(
            "r: has no column \"text\": data.header is false, so its columns are \"1\" to \"2\" (choose one)")
        }
      }
      // The first row that can be read has the columns; a line that names the separator is no row.
      try writeAtomically("sep=;\n\"a\"b;c\nd;e\nf;g\n", to: folder + "/r")
      var reader = try RecordReader(folder + "/r", format: .csv, hasHeader: false)
      #expect(throws: InputError.self) { try reader.next()?.get() }
      #expect(try reader.next()?.get().place.hasSuffix("r:3") == true)
      #expect(try reader.next()?.get().place.hasSuffix("r:4") == true && reader.next() == nil)
      for (text, message) in [("", "is empty; expected rows"), ("\"a\"b,c\n", "r:1: after a closing quote")] {
        try writeAtomically(text, to: folder + "/r")
        #expect {
          try RecordReader(folder + "/r", format: .csv, hasHeader: false)
        } throws: {
          "\($0)".contains(message)
        }
      }
    }
  }

  @Test(arguments: [("a", "a"), (" \u{3000}a b\t\n", "a b"), ("", ""), (" \t", ""), ("\u{200B}", "\u{200B}")])
  func textsAreTrimmed(text: String, trimmed: String) { #expect(text.trimmed == trimmed) }

  @Test func aHeaderThatComesAgainIsNamed() throws {
    let found = try read("t,u\na,b\nt,u\nc,d\n", as: .csv)
    #expect(found.values == [["a", "b"], ["c", "d"]] && found.errors == ["r:3: repeats the header; remove the line"])
  }

  // MARK: - JSON

  @Test(arguments: [
    "[{\"t\":\"a\"},{\"t\":\"b\"}]", "[\n  {\n    \"t\": \"a\"\n  },\n  {\n    \"t\": \"b\"\n  }\n]\n",
    " \r\n[ {\"t\"\r:\"a\"} ,\r{\"t\":\"b\"} ] ", "{\n \"t\": \"a\"\n}\n{\n \"t\": \"b\"\n}",
    "{\"t\":\"a\"}\n{\"t\":\"b\"}",
  ])
  func listsAndObjectsAreRows(text: String) throws {
    let found = try read(text, as: .jsonl)
    #expect(found.values == [["a"], ["b"]] && found.errors.isEmpty, "\(found.errors)")
  }

  @Test func elementsKnowTheirPlacesAndMistakes() throws {
    let text = """
      [
        {"t": "[{,\\"}"},
        {"t": "a" "u": 1}, {"t": 1e},
        [1], 7,
        {"t": "open},
        {"t": "b"} {"t": "lost"},
        {"t": "c"},
      ]
      x
      """
    let found = try read(text, as: .jsonl)
    #expect(found.values == [["[{,\"}"], ["b"], ["c"]] && found.lines == ["2", "6", "7"], "\(found.lines)")
    let expected = [
      "r:3:13: malformed JSON", "r:3:30: malformed JSON", "r:4: expected an object { … }, found a list",
      "r:4: expected an object { … }, found 7", "r:5:16: malformed JSON: ", "r:6:14: malformed JSON: expected \",\"",
      "r:8:1: malformed JSON: expected a value behind the comma", "r:9:1: malformed JSON: expected the end",
    ]
    #expect(found.errors.count == expected.count, "\(found.errors)")
    for (error, message) in zip(found.errors, expected) { #expect(error.hasPrefix(message), "\(error)") }
  }

  @Test(arguments: [
    ("[{\"t\":\"a\"},\n{\"t\":", "r:2: the JSON value that starts here is not closed"),
    ("[{\"t\":\"a\"},\n", "r:2: the file ends before the \"]\""),
    ("[{\"t\":\"a\"}\n", "r:2: the file ends before the \"]\""),
  ])
  func whatIsNotClosedIsNamedAfterTheRowsBefore(text: String, message: String) throws {
    let found = try read(text, as: .jsonl)
    #expect(found.values == [["a"]] && found.errors.count == 1 && found.errors[0].hasPrefix(message), "\(found.errors)")
  }

  @Test(arguments: [
    ("{\"data\": [{\"t\": \"a\"}]}", "holds its rows under \"data\""),
    ("{\n\"version\": \"1\",\n\"rows\": [\n{\"row\": 1}]}", "jq -c '.[\"rows\"][]'"),
    ("{\"t\": [\"a\", \"b\"], \"label\": [1, 2]}", "holds columns (\"t\", \"label\")"),
    ("{\"t\": {\"0\": \"a\"}, \"label\": {\"0\": \"b\"}}", "orient=\"records\""),
  ])
  func objectsThatHoldAllRowsAreNamed(text: String, message: String) throws {
    let found = try read(text, as: .jsonl)
    #expect(found.values.isEmpty && found.errors.count == 1 && found.errors[0].contains(message), "\(found.errors)")
  }

  /// Two spellings of a letter are two keys and two columns.
  @Test func namesAreBytes() throws {
    let composed = "\u{E9}", decomposed = "e\u{301}"
    try withTemporaryFolder { folder in
      try writeAtomically("\(composed),\(decomposed)\n1,2\n", to: folder + "/r")
      var reader = try RecordReader(folder + "/r", format: .csv)
      let column = try reader.column(decomposed, remedy: "")
      #expect(try reader.next()?.get().text(in: column) == "2")
    }
  }
}
