import Diagnostics
import Testing

@Suite struct SuggestionTests {
  @Test(arguments: [("lerning_rate", "learning_rate"), ("evla", "eval"), ("zzzz", nil), ("evaxyz", nil), ("x", "a")])
  func suggestsTheNearestName(word: String, expected: String?) {
    #expect(nearest(to: word, among: ["learning_rate", "eval", "a", "max_steps"]) == expected)
  }
}
