import FileFormats
import Glibc

/// The folder Tests/Fixtures of the checkout the tests run in.
public let fixtures = FileFormats.folder(of: FileFormats.folder(of: #filePath)) + "/Fixtures"

/// The top folder of the checkout.
public let repository = FileFormats.folder(of: FileFormats.folder(of: fixtures))

/// Makes an empty folder for one test, hands it over, and removes it.
public func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/cpt-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw InputError.failure("/tmp", "cannot make a temporary folder") }
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer { try? removeRecursively(path) }
  return try body(path)
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
public struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Numbers from -scale to scale.
  public mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in Float.random(in: -scale...scale, using: &self) }
  }
}
