import Diagnostics
import Testing

@Suite struct InputErrorTests {
  @Test(arguments: [
    ("a.tsv:3", "the text is empty", "a.tsv:3: the text is empty"), ("", "no place", "no place"),
    ("a\nb", "of\r\ntwo\u{2028}lines", "a b: of two lines"),
    ("\u{1B}[2J", "a\u{7}b\u{202E}c\u{0}", #"\u{1B}[2J: a\u{7}b\u{202E}c\u{0}"#),
    ("caf\u{10F7E9}", "é", #"caf\xE9: é"#),
  ])
  func isOneLine(place: String, problem: String, description: String) {
    #expect("\(InputError.badData(place, problem))" == description)
  }

  /// The place at the start and the remedy at the end stay.
  @Test func longValuesAreCut() {
    let long = String(repeating: "é", count: 100_000)
    let error = "\(InputError.badData("a.tsv:3", "found \"\(long)\"; use another word"))"
    #expect(error.hasPrefix("a.tsv:3: found \"éé") && error.hasSuffix("éé\"; use another word"))
    #expect(error.count < 1000)
  }

  /// Control characters take more room on the line than in the value.
  @Test func longValuesOfControlCharactersAreCut() {
    let long = String(repeating: "\u{7F}", count: 790)
    let error = "\(InputError.badData(long, "found \"\(long)\"; use another word"))"
    #expect(error.count < 1200 && error.hasSuffix("\\u{7F}\"; use another word"))
  }
}
