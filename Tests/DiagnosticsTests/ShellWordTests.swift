import Diagnostics
import Testing

@Suite struct ShellWordTests {
  @Test(arguments: [
    ("runs/a-1_b.csv", "runs/a-1_b.csv"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("~x", "'~x'"),
    ("$(x)", "'$(x)'"), ("é ü", "'é ü'"), ("a\n'b\\", #"$'a\n\'b\\'"#), ("\u{1B}[31m", #"$'\x1B[31m'"#),
    ("a\u{202E}b", #"$'a\xE2\x80\xAEb'"#), ("caf\u{10F7E9}", #"$'caf\xE9'"#), ("\t\u{85}", #"$'\t\xC2\x85'"#),
  ])
  func isOneWord(text: String, word: String) {
    #expect(shellWord(text) == word)
  }
}
