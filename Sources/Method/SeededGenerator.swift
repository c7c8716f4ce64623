/// Random numbers that depend only on a seed and a purpose: SplitMix64 (Steele, Lea, Flood 2014).
///
/// Each purpose has its own stream, so a draw does not depend on the number of draws before it, and a resumed run needs
/// no stored state.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  /// The purposes of draws.
  package enum Purpose: UInt64 {
    case split = 1
    case context
    case trainingRows
    case order
    case sampling
    case virtualTokens
    case shots
    case folds
    case resampling
    case contextDropout
  }

  private var state: UInt64

  package init(seed: Int, _ purpose: Purpose, index: Int = 0) {
    state = UInt64(bitPattern: Int64(seed))
    for part in [purpose.rawValue, UInt64(index)] { state = next() ^ (part &* 0xD6E8_FEB8_6659_FD93) }
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
