import Method
import Testing

@Suite struct SeededGeneratorTests {
  private func numbers(_ seed: Int, _ purpose: SeededGenerator.Purpose, index: Int = 0) -> [UInt64] {
    var generator = SeededGenerator(seed: seed, purpose, index: index)
    return (0..<3).map { _ in generator.next() }
  }

  /// Splits, context, order and the others are drawn independently.
  @Test func seedPurposeAndIndexEachHaveTheirStream() {
    let purposes: [SeededGenerator.Purpose] = [
      .split, .context, .trainingRows, .order, .sampling, .virtualTokens,
    ]
    let streams = purposes.flatMap { purpose in
      [(0, 0), (1, 0), (0, 1), (1, 1)].map { numbers($0.0, purpose, index: $0.1) }
    }
    #expect(Set(streams).count == 24 && Set(streams.flatMap { $0 }).count == 72)
    #expect(numbers(1, .order, index: 1) == numbers(1, .order, index: 1))
  }
}
