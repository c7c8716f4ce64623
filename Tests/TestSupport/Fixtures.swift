import Diagnostics
import Glibc
import System

/// The folder Tests/Fixtures of the checkout the tests run in.
package let fixtures = System.folder(of: System.folder(of: #filePath)) + "/Fixtures"

/// The top folder of the checkout.
package let repository = System.folder(of: System.folder(of: fixtures))

/// Makes an empty folder for one test, hands it over, and removes it.
package func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = try makeTemporaryFolder()
  defer { try? removeRecursively(path) }
  return try body(path)
}

/// The same for a body that waits.
package func withTemporaryFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let path = try makeTemporaryFolder()
  defer { try? removeRecursively(path) }
  return try await body(path)
}

private func makeTemporaryFolder() throws -> String {
  var template = Array("/tmp/cpt-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw InputError.failure("/tmp", "cannot make a temporary folder") }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
package struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Numbers from -scale to scale.
  package mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in Float.random(in: -scale...scale, using: &self) }
  }
}
