import FileFormats
import Testing

@Suite struct NumberTextTests {
  @Test(arguments: [
    (0.5, 3, "0.500"), (2.0 / 3, 3, "0.667"), (-2.0 / 3, 1, "-0.7"), (-0.01, 1, "0.0"), (9.96, 1, "10.0"),
    (1234.5, 0, "1235"), (0.05, 2, "0.05"), (.infinity, 2, "inf"), (1e20, 2, "1e+20"),
  ])
  func digitsAfterThePoint(value: Double, digits: Int, text: String) {
    #expect(fixed(value, digits) == text)
  }

  @Test(arguments: [
    (3e-4, "3.0e-04"), (0.0, "0"), (-12345.0, "-1.2e+04"), (9.96e-5, "1.0e-04"), (1e100, "1.0e+100"), (1.0, "1.0e+00"),
  ])
  func twoDigitsAndAnExponent(value: Double, text: String) {
    #expect(scientific(value) == text)
  }

  @Test(arguments: [
    (41.6, "42 s"), (59.4, "59 s"), (187.0, "3:07"), (3599.6, "1:00:00"), (3723.0, "1:02:03"), (0.0, "0 s"),
    (1e300, "1e+300 s"),
    (.infinity, "inf s"), (.nan, "nan s"),
  ])
  func spansOfTime(seconds: Double, text: String) {
    #expect(duration(seconds) == text)
  }

  @Test(arguments: [(999, "1.0 kB"), (1_440_000, "1.4 MB"), (2_500_000_000, "2.5 GB")])
  func numbersOfBytes(bytes: Int, text: String) {
    #expect(byteCount(bytes) == text && percent(0.7126) == "71.3 %")
  }
}
