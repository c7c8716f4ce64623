import Diagnostics
import Testing

@Suite struct InputErrorTests {
  @Test(arguments: [
    ("a.tsv:3", "the text is empty", "a.tsv:3: the text is empty"), ("", "no place", "no place"),
    ("a\nb", "of\r\ntwo\u{2028}lines", "a b: of two lines"),
  ])
  func isOneLine(place: String, problem: String, description: String) {
    #expect("\(InputError.badData(place, problem))" == description)
  }
}
