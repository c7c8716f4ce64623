import Glibc
import Kernels

/// A rotary embedding as described by config.json, and the number of positions it supports.
///
/// Source: transformers, `modeling_rope_utils.py`. transformers 5 writes `rope_parameters`, 4 wrote `rope_theta` and
/// `rope_scaling`. Keys missing from the object come from the top level, or else from the family.
struct RotaryConfiguration {
  let rotary: Rotary
  let maximumPositions: Int

  /// The differences between families.
  struct Family {
    var pairing = Rotary.Pairing.halves
    var thetaKey = "rope_theta"
    var theta = 10000.0
    /// The top-level key of the rotated share of a head, and its default; nil: the plain type rotates all of it.
    var partial: (key: String, share: Double)?
    /// Default of the original training positions, if the top level has their key; nil: the object has it, default all.
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
  ///   - found: the object that describes the embedding; nil: no object.
  ///   - headSize: the size of a head.
  ///   - positions: `max_position_embeddings`.
  ///   - family: the family's differences.
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
    let size = share <= 1 ? Int(Double(headSize) * share) : 0
    guard size >= 2, size <= headSize, size % 2 == 0 else {
      let isOwn = found?.has("partial_rotary_factor") == true
      throw (isOwn ? own : configuration).invalid(
        isOwn ? "partial_rotary_factor" : family.partial?.key ?? "head_dim",
        "such that an even number of a head's \(headSize) numbers are rotated")
    }
    let plain = Rotary.frequencies(theta: theta, size: size).map(Double.init)
    let key = "original_max_position_embeddings"
    let original =
      try family.originalPositions != nil || configuration.has(key)
      ? configuration.size(key, default: family.originalPositions) : own.size(key, default: positions)

    var factor = 1.0
    var limit = positions
    let frequencies: [Double]
    switch type {
    case "default": frequencies = plain
    // It changes nothing within the positions the model was trained on, and we do not exceed them.
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
      // Beyond the original positions, the long factors apply to all tokens of a text, so shorter and longer examples
      // could not share one computed context. We therefore stay within the original positions.
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
    guard factor.isFinite, frequencies.allSatisfy(\.isFinite) else {
      throw configuration.invalid(family.thetaKey, "such that the rotary embedding is finite")
    }
    rotary = Rotary(inverseFrequencies: frequencies.map(Float.init), pairing: family.pairing, factor: Float(factor))
    maximumPositions = limit
  }

  /// Low frequencies are stretched, high ones kept, those between blended. Source: YaRN (arXiv 2309.00071).
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
