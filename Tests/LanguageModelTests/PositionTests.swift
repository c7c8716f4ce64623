import LanguageModel
import Testing
import TestSupport

@Suite struct PositionTests {
  /// Beyond a longrope model's original positions other factors would count; ALiBi has no limit.
  @Test(
    arguments: [("phi3-longrope", 48), ("phi3", 64), ("gemma", 64), ("bloom", nil), ("falcon-rw", nil)]
      as [(String, Int?)])
  func modelsKnowTheirLastPosition(name: String, positions: Int?) throws {
    #expect(try FrozenModel(path: fixtures + "/families/" + name).decoder.maximumPositions == positions)
  }
}
