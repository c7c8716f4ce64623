import Diagnostics
import Method
import Testing
import TestSupport
import Tokenization

/// Where virtual tokens start.
@Suite struct VirtualTokenTests {
  private func tokens(_ change: (inout PromptTuningConfiguration) -> Void, seed: Int = 0) throws -> [Int] {
    var configuration = PromptTuningConfiguration()
    configuration.virtualTokens = 7
    change(&configuration)
    let tokenizer = try Tokenizer(path: repository + "/configs/quickstart/model")
    return try configuration.tokens(
      vocabularySize: 1024, maximumPositions: 512, tokenizer: tokenizer, seed: seed)
  }

  /// More than the model has positions are refused before they are drawn.
  @Test func asManyAsPositions() throws {
    #expect(try tokens { $0.virtualTokens = 511 }.count == 511)
    #expect(
      throws: InputError.badData(
        "prompt_tuning.num_virtual_tokens", "is 512, the model has 512 positions; use fewer")
    ) {
      try tokens { $0.virtualTokens = 512 }
    }
  }

  /// A text is cut or repeated, as by PEFT.
  @Test func atAText() throws {
    let tokenizer = try Tokenizer(path: repository + "/configs/quickstart/model")
    let text = "refund parcel", ids = try tokenizer.encode(text).map(\.id)
    try #require((2...6).contains(ids.count))
    let found = try tokens {
      $0.initialization = .text
      $0.text = text
    }
    #expect(found == Array((ids + ids + ids + ids).prefix(7)))
    let cut = try tokens {
      $0.initialization = .text
      $0.text = text
      $0.virtualTokens = 1
    }
    #expect(cut == [ids[0]])
    #expect(throws: InputError.self) {
      try tokens {
        $0.initialization = .text
        $0.text = ""
      }
    }
  }

  @Test func atTokensThatTheSeedDraws() throws {
    let first = try tokens { _ in }
    #expect(Set(first).count > 3 && first.allSatisfy { (0..<1024).contains($0) })
    #expect(try tokens({ _ in }) == first)
    #expect(try tokens({ _ in }, seed: 1) != first)
  }
}
