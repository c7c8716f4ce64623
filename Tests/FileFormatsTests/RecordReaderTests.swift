import FileFormats
import System
import Testing
import TestSupport

@Suite struct RecordReaderTests {
  @Test(
    arguments: [
      ("a.jsonl", .jsonl), ("a.json", .jsonl), ("a.NDJSON", .jsonl), ("a.csv", .csv), ("b.c/a.tsv", .tsv),
      ("a.txt", .lines), ("a", nil), ("a.parquet", nil),
    ] as [(String, DataFormat?)])
  func endingsSayTheFormat(path: String, format: DataFormat?) {
    #expect(DataFormat(endingOf: path) == format)
  }

  /// Blank lines are rows only where every line is a text.
  @Test(arguments: [
    (DataFormat.csv, "t\na\n\nb\n", ["r:2", "r:4"]), (.tsv, "t\n\na\n", ["r:3"]),
    (.jsonl, "{}\n \t\n{}\n", ["r:1", "r:3"]),
    (.lines, "a\n\nb", ["r:1", "r:2", "r:3"]),
  ])
  func recordsKnowTheirLines(format: DataFormat, text: String, places: [String]) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/r")
      var reader = try RecordReader(folder + "/r", format: format)
      var found: [String] = []
      while let record = try reader.next() { found.append(lastComponent(of: try record.get().place)) }
      #expect(found == places)
    }
  }
}
