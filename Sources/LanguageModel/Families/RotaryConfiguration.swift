import Glibc
import Kernels

/// A rotary embedding as config.json describes it, and how many positions it is good for.
///
/// Source: transformers, `modeling_rope_utils.py`. transformers 5 writes `rope_parameters`, 4 wrote `rope_theta` and
/// `rope_scaling`; what an object lacks is taken from the top level, else from the family.
struct RotaryConfiguration {
  let rotary: Rotary
  let maximumPositions: Int

  /// What families differ in.
  struct Family {
    var pairing = Rotary.Pairing.halves
    var thetaKey = "rope_theta"
    var theta = 10000.0
    /// The key of the share of a head that is turned, at the top level, and its default; nil: the plain type turns all.
    var partial: (key: String, share: Double)?
    /// The positions the model was first trained on, where only the top level says otherwise; nil: all, unless said.
    var originalPositions: Int?
  }

  /// Reads `rope_scaling`, else `rope_parameters`.
  init(
    _ configuration: ConfigFile, headSize: Int, positions: Int, family: Family = Family()
  ) throws {
    try self.init(
      configuration, parameters: configuration.section("rope_scaling") ?? configuration.section("rope_parameters"),
      headSize: headSize, positions: positions, family: family)
  }

  /// - Parameters:
  ///   - configuration: the whole config.json.
  ///   - found: the object that describes the embedding; nil: there is none.
  ///   - headSize: numbers of a head.
  ///   - positions: `max_position_embeddings`.
  ///   - family: what the family does differently.
  /// - Throws: `InputError.badData` naming the key.
  init(
    _ configuration: ConfigFile, parameters found: ConfigFile?, headSize: Int, positions: Int,
    family: Family
  ) throws {
    let own = found ?? configuration
    let type = try found?.text("rope_type", "type", default: "default") ?? "default"
    let theta =
      found?.has("rope_theta") == true
      ? try own.positiveNumber("rope_theta")
      : try configuration.positiveNumber(family.thetaKey, default: family.theta)
    var share = 1.0
    if found?.has("partial_rotary_factor") == true {
      share = type == "default" && family.partial == nil ? 1 : try own.positiveNumber("partial_rotary_factor")
    } else if let partial = family.partial {
      share = try configuration.positiveNumber(partial.key, default: partial.share)
    } else if type != "default" {
      share = try configuration.positiveNumber("partial_rotary_factor", default: 1)
    }
    let size = Int(Double(headSize) * share)
    guard size >= 2, size <= headSize, size % 2 == 0 else {
      throw configuration.invalid(
        family.partial?.key ?? "head_dim", "such that an even number of a head's \(headSize) numbers are turned")
    }
    let plain = (0..<(size / 2)).map { pow(theta, -2 * Double($0) / Double(size)) }
    let key = "original_max_position_embeddings"
    let original =
      try family.originalPositions != nil || configuration.has(key)
      ? configuration.size(key, default: family.originalPositions) : own.size(key, default: positions)

    var factor = 1.0
    var limit = positions
    let frequencies: [Double]
    switch type {
    case "default": frequencies = plain
    // It changes nothing within the positions the model was trained on, and we do not go beyond them.
    case "dynamic": frequencies = plain
    case "linear":
      let stretch = try own.positiveNumber("factor")
      frequencies = plain.map { $0 / stretch }
    case "llama3":
      let stretch = try own.positiveNumber("factor")
      let low = try own.positiveNumber("low_freq_factor"), high = try own.positiveNumber("high_freq_factor")
      guard high > low else { throw own.invalid("high_freq_factor", "greater than low_freq_factor (\(low))") }
      frequencies = plain.map { frequency in
        let turns = Double(original) * frequency / (2 * Double.pi)
        let smooth = min(1, max(0, (turns - low) / (high - low)))
        return (1 - smooth) * frequency / stretch + smooth * frequency
      }
    case "yarn":
      let stretch = try own.optionalPositiveNumber("factor") ?? Double(positions) / Double(original)
      frequencies = try Self.yarn(plain, own, theta: theta, size: size, original: original, factor: stretch)
      factor = try Self.yarnFactor(own, factor: stretch)
    case "longrope", "su":
      // Beyond the original positions the long factors count, for all tokens of a text: a context computed once could
      // not be shared by shorter and longer examples. So we stay within them.
      let short = try own.positiveNumbers("short_factor", count: size / 2)
      _ = try own.positiveNumbers("long_factor", count: size / 2)
      frequencies = zip(plain, short).map { $0 / $1 }
      let stretch = try own.optionalPositiveNumber("factor") ?? Double(positions) / Double(original)
      let ordinary = stretch <= 1 ? 1 : (1 + log(stretch) / log(Double(original))).squareRoot()
      factor = try own.optionalPositiveNumber("attention_factor") ?? ordinary
      limit = min(positions, original)
    default:
      throw own.invalid(
        found?.has("rope_type") == true ? "rope_type" : "type",
        "one of \"default\", \"linear\", \"dynamic\", \"llama3\", \"yarn\", \"longrope\"")
    }
    rotary = Rotary(inverseFrequencies: frequencies.map(Float.init), pairing: family.pairing, factor: Float(factor))
    maximumPositions = limit
  }

  /// Slow turns are stretched, fast ones stay, those between are blended. Source: YaRN (arXiv 2309.00071).
  private static func yarn(
    _ plain: [Double], _ own: ConfigFile, theta: Double, size: Int, original: Int, factor: Double
  ) throws -> [Double] {
    func pair(turning turns: Double) -> Double {
      Double(size) * log(Double(original) / (turns * 2 * Double.pi)) / (2 * log(theta))
    }
    var low = pair(turning: try own.positiveNumber("beta_fast", default: 32))
    var high = pair(turning: try own.positiveNumber("beta_slow", default: 1))
    if try own.flag("truncate", default: true) { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    low = max(low, 0)
    high = min(high, Double(size - 1))
    if low == high { high += 0.001 }
    return plain.enumerated().map { index, frequency in
      let ramp = min(1, max(0, (Double(index) - low) / (high - low)))
      return frequency / factor * ramp + frequency * (1 - ramp)
    }
  }

  private static func yarnFactor(_ own: ConfigFile, factor: Double) throws -> Double {
    if let given = try own.optionalPositiveNumber("attention_factor") { return given }
    func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    if let some = try own.optionalPositiveNumber("mscale"), let all = try own.optionalPositiveNumber("mscale_all_dim") {
      return scale(some) / scale(all)
    }
    return scale(1)
  }
}
