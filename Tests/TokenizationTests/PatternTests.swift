import Testing
import Tokenization

/// Matching by regular expressions, and what of them is refused.
@Suite struct PatternTests {
  /// The matches that follow each other from the beginning, joined by "|".
  private func matches(_ pattern: String, _ text: String) throws -> String {
    var matcher = PatternMatcher(try Pattern(RegularExpression(pattern)))
    var pieces: [String] = []
    var start = 0
    let bytes = Array(text.utf8)
    while start < bytes.count, let end = matcher.endOfMatch(from: start, to: bytes.count, in: bytes.span) {
      pieces.append(String(decoding: bytes[start..<end], as: UTF8.self))
      start = end
    }
    return pieces.joined(separator: "|")
  }

  @Test(arguments: [
    // The first alternative that matches is taken, not the longest.
    ("a|ab", "aab", "a|a"), ("ab|a", "aab", "a|ab"), ("(?:ab|a)(?:c|bcd)?", "abcd", "abc"),
    ("a+?b?", "aab", "a|ab"), ("a{2}", "aaaaa", "aa|aa"), ("a{1,3}", "aaaaa", "aaa|aa"), ("a{,2}b", "aab", "aab"),
    ("a{2,}", "aaaaa", "aaaaa"), ("a{x", "a{x", "a{x"), ("(a(b)*)", "abba", "abb|a"),
    // What is possessive gives nothing back.
    ("a++a|b|a", "aaab", "a|a|a|b"), ("a*+b|a", "aaba", "aab|a"), ("a?+a|a", "aab", "aa"), ("a+a", "aaa", "aaa"),
    // Lookahead sees the end as no character.
    (#"\s+(?!\S)|\s|\S"#, "  a  ", " | |a|  "), ("a(?=b)|.", "abac", "a|b|a|c"),
    // Classes: nested, negated, ranges and escapes.
    ("[^(a|[bc])]+|.", "xyaz|(", "xy|a|z|||("), ("[a-c-]+|.", "a-cd", "a-c|d"), (#"[\]\\^-]+"#, #"]\^-"#, #"]\^-"#),
    (#"\p{Lu}\P{Lu}*"#, "AbcÉd", "Abc|Éd"), (#"\p{^L}|\p{L}+"#, "ab1", "ab|1"), (#"\d+|\D"#, "1٣x", "1٣|x"),
    (#"\w+|\W"#, "a_é-", "a_é|-"), (#"[\x41\u00e9\x{1F642}]+"#, "Aé🙂", "Aé🙂"),
    ("(?i:'[s-t]|k)", "'S'ſ'tK\u{212A}", "'S|'ſ|'t|K|\u{212A}"),
    (".+", "ab\nc", "ab"),
  ])
  func matchesAsOniguruma(pattern: String, text: String, expected: String) throws {
    #expect(try matches(pattern, text) == expected)
  }

  @Test(arguments: [
    ("^a", "\"^\""), ("a$", "\"$\""), (#"\ba"#, #""\b""#), ("(?<!a)b", "\"(?<\""), ("(?!ab)c", "\"(?!ab)\""),
    ("(?i)a", "\"(?i\""), ("a{1,2}+", "\"a{1,2}+\""), ("a{2}?", "\"a{2}?\""), ("a**", "\"a**\""),
    ("(?:ab)++", "\"(?:ab)++\""), ("[a&&b]", "\"&&\""), ("[[:alpha:]]", "\"[:\""), (#"\p{Greek}"#, #""\p{Greek}""#),
    ("(?i:é)", "\"é\""), ("(?i:ss)", "\"ss\" with case ignored"), ("[]", "\"[]\""), ("[a", "\"[a\""),
    ("(a", "a \"(\" without \")\""), ("a)", "a \")\" without \"(\""), ("[z-a]", "\"z-a\""), ("*a", "\"*\""),
    (#"a\"#, #"a "\" at the end"#), ("a{5000}", "\"a{5000}\""), ("a?", "a pattern that matches the empty text"),
    ("(?:(?:a{1000}){1000}){1000}", "a pattern of this size"), (#"\xE9"#, #""\xE9""#), ("(?=a)+b", "\"(?=a)+\""),
  ])
  func refusesByName(pattern: String, construct: String) throws {
    do {
      _ = try Pattern(RegularExpression(pattern))
      Issue.record("nothing was refused")
    } catch {
      #expect(error.construct == construct)
    }
  }

  /// More states than the automaton keeps, and more symbols than it begins with.
  @Test func automataThatGrowStayRight() throws {
    let letters = (0..<60).compactMap { Unicode.Scalar(0x4E00 + $0) }
    let alternatives = letters.map { "\($0){1,60}" }.joined(separator: "|")
    let text = letters.map { String(repeating: Character($0), count: 90) }.joined()
    let expected = letters.flatMap { letter in [60, 30].map { String(repeating: Character(letter), count: $0) } }
    #expect(try matches(alternatives, text) == expected.joined(separator: "|"))
  }
}
