import Insights
import Testing

@Suite struct DraftTests {
  /// The first template unless another is clearly better.
  @Test(arguments: [
    ([0.89, 0.77, 0.72, 1.14], 0), ([2.37, 1.83, 2.74, 2.15], 1), ([57.36, 62.34, 50.82, 58.99], 2),
    ([3, 3, 3, 0.1], 3),
    ([0.5], 0), ([.nan, 1], 1), ([.infinity, .infinity], 0),
  ])
  func preferredTemplates(losses: [Double], expected: Int) {
    #expect(ConfigurationDraft.preferredTemplate(losses: losses) == expected)
  }
}
