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

  @Test func severalLinesStayLines() {
    #expect(
      messageLines("a\n\tb\r\n\u{9B}c\u{2028}d\u{2066}\u{10F7E9}")
        == #"""
        a
        \tb\u{D}
        \u{9B}c\u{2028}d\u{2066}\xE9
        """#.replacing(#"\t"#, with: "\t"))
  }

  @Test(arguments: [
    ("caf\u{E9} é", "cafe\u{301} é", false, #""caf\u{E9} é""#, #""cafe\u{301} é""#),
    ("a", "a\u{200B}", false, #""a""#, #""a\u{200B}""#), ("a b", "a\u{A0}b", false, #""a b""#, #""a\u{A0}b""#),
    ("É", "é", true, #""É""#, #""é""#), ("É a", "é\u{A0}a", true, #""É a""#, #""é\u{A0}a""#),
  ])
  func namesThatLookAlikeAreToldApart(a: String, b: String, lettersDiffer: Bool, first: String, second: String) {
    #expect(quotedApart(a, b, lettersDiffer: lettersDiffer) == (first, second))
  }

  @Test func longNamesAreCut() {
    let long = String(repeating: "x", count: 100_000)
    let names = quotedApart(long + "a", long + "\u{200B}a", lettersDiffer: false)
    #expect(names.0.count < 70 && names.1.count < 80 && names.1.contains(#"\u{200B}"#) && names.0 != names.1)
    #expect(quoted(long).count == 63 && quoted("a b") == #""a b""#)
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
