import Testing
import Tokenization

/// Matching by regular expressions: by automaton, and by Oniguruma what automata do not know.
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
    ("a{2}", "aaaaa", "aa|aa"), ("a{1,3}", "aaaaa", "aaa|aa"), ("(a(b)*)", "abba", "abb|a"),
    // What is possessive gives nothing back.
    ("a++a|b|a", "aaab", "a|a|a|b"), ("a*+b|a", "aaba", "aab|a"), ("a?+a|a", "aab", "aa"), ("a+a", "aaa", "aaa"),
    // Lookahead sees the end as no character.
    (#"\s+(?!\S)|\s|\S"#, "  a  ", " | |a|  "), ("a(?=b)|[abc]", "abac", "a|b|a|c"),
    (#"\s+$|\s|[^\s]"#, "  a \nb  ", " | |a| |\n|b|  "),
    // Classes: nested, negated, ranges and escapes.
    ("[^(a|[bc])]+|[a|(]", "xyaz|(", "xy|a|z|||("), ("[a-c-]+|d", "a-cd", "a-c|d"), (#"[\]\\^-]+"#, #"]\^-"#, #"]\^-"#),
    (#"\p{Lu}[^\p{Lu}]*"#, "AbcÉd", "Abc|Éd"), (#"\w+|\W"#, "a_é-", "a_é|-"),
    (#"\p{L}+|\P{L}"#, "ab1", "ab|1"), (#"\d+|[\D]"#, "1٣x", "1٣|x"),
    ("(?i:'[s-t]|k)", "'S'ſ'tK\u{212A}", "'S|'ſ|'t|K|\u{212A}"),
  ])
  func matchesAsOniguruma(pattern: String, text: String, expected: String) throws {
    #expect(try matches(pattern, text) == expected)
  }

  /// What an automaton would match differently, or not at all.
  @Test(arguments: [
    "^a", "$+", #"\ba"#, "(?<!a)b", "(?!ab)c", "(?i)a", "a{1,2}+", "a{2}?", "a**", "(?:ab)++", "[a&&b]", "[[:alpha:]]",
    #"\p{Greek}"#, "(?i:é)", "(?i:ss)", "[]", "[a", "(a", "a)", "[z-a]", "*a", #"a\"#, "a{5000}", "a?",
    "(?:(?:a{999}){999}){999}", #"\xE9"#, "(?=a)+b", "a.b", "a+?", "a{2,}", "a{x", "a??", "a{}", "{",
  ])
  func othersAreNotForAutomata(pattern: String) throws {
    #expect(throws: RegularExpression.Unsupported.self) { try Pattern(RegularExpression(pattern)) }
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
