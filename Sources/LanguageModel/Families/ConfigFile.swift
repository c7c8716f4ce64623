import Diagnostics
import FileFormats
import Kernels
import System

/// The `config.json` of a Hugging Face model folder, or the metadata of a GGUF file in its terms, or an object in it, with
/// errors that name file and key.
///
/// Models have many keys that are irrelevant here; a family's file reads the others. A missing key means the default of
/// the family's class in transformers.
struct ConfigFile {
  let file: String
  let json: JSON
  /// The path of the object in the file: "rope_parameters.".
  private let place: String
  /// The keys under which the file has those of config.json, by their paths, if they differ (GGUF).
  private let origins: [String: String]

  init(folder: String) throws {
    file = folder + "/config.json"
    guard fileExists(file) else {
      throw InputError.missing(file, "not found; " + SafetensorsFolder.remedy(folder))
    }
    json = try JSON.read(file: file, allowing: .nonFinite)
    place = ""
    origins = [:]
  }

  /// The metadata of a GGUF model.
  init(_ metadata: GGUFConfiguration) {
    self.init(file: metadata.model.path, json: .object(metadata.members), place: "", origins: metadata.origins)
  }

  private init(file: String, json: JSON, place: String, origins: [String: String] = [:]) {
    self.file = file
    self.json = json
    self.place = place
    self.origins = origins
  }

  func invalid(_ key: String, _ expected: String) -> InputError {
    .badData(
      file,
      "\"\(origins[place + key] ?? place + key)\" must be \(expected), found \(json[key]?.shortDescription ?? "nothing")"
    )
  }

  /// Whether the key exists and is not null.
  func has(_ key: String) -> Bool { json[key].map { !$0.isNull } ?? false }

  /// An object in this one; nil if it is missing, null or empty.
  func section(_ key: String) throws -> ConfigFile? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let members = value.object else { throw invalid(key, "an object") }
    return members.isEmpty ? nil : ConfigFile(file: file, json: value, place: "\(place)\(key).", origins: origins)
  }

  /// The value of the first existing key.
  private func value<Value>(
    _ keys: [String], default fallback: Value?, _ expected: String, _ read: (JSON) -> Value?
  ) throws -> Value {
    precondition(!keys.isEmpty, "a value has a key")
    let key = keys.first(where: has) ?? keys[0]
    guard let json = json[key], !json.isNull else {
      if let fallback { return fallback }
      throw invalid(key, expected)
    }
    guard let value = read(json) else { throw invalid(key, expected) }
    return value
  }

  /// The width of a matrix or one of its parts: from 1 to 2²⁴, so that products of two do not overflow.
  func size(_ keys: String..., default fallback: Int? = nil) throws -> Int {
    try whole(keys, 1...Self.largestSize, default: fallback)
  }

  /// A size; nil if it is missing or null.
  func optionalSize(_ key: String) throws -> Int? {
    try has(key) ? whole([key], 1...Self.largestSize, default: nil) : nil
  }

  /// A number of tokens: from 1 to 2³¹ - 1; it sizes nothing.
  func length(_ keys: String..., default fallback: Int? = nil) throws -> Int {
    try whole(keys, 1...Int(Int32.max), default: fallback)
  }

  /// A number of tokens; nil if it is missing or null.
  func optionalLength(_ key: String) throws -> Int? {
    try has(key) ? whole([key], 1...Int(Int32.max), default: nil) : nil
  }

  /// A number of layers: from 1 to 10 000.
  func layers(_ keys: String..., default fallback: Int) throws -> Int {
    try whole(keys, 1...10_000, default: fallback)
  }

  /// A whole number in a range.
  func whole(_ keys: [String], _ range: ClosedRange<Int>, default fallback: Int?) throws -> Int {
    try value(keys, default: fallback, "a whole number from \(range.lowerBound) to \(range.upperBound)") { json in
      json.integer.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  private static let largestSize = 1 << 24

  func flag(_ key: String, default fallback: Bool) throws -> Bool {
    try value([key], default: fallback, "true or false", \.bool)
  }

  func positiveNumber(_ keys: String..., default fallback: Double? = nil) throws -> Double {
    try value(keys, default: fallback, "a positive number", Self.positive)
  }

  /// A positive number; nil if it is missing or null.
  func optionalPositiveNumber(_ key: String) throws -> Double? {
    guard has(key) else { return nil }
    let number: Double = try value([key], default: nil, "a positive number or null", Self.positive)
    return number
  }

  private static func positive(_ json: JSON) -> Double? {
    // As float32 it is finite and not 0.
    json.number.flatMap { (1e-30...1e30).contains($0) ? $0 : nil }
  }

  /// A list of `count` positive numbers.
  func positiveNumbers(_ key: String, count: Int) throws -> [Double] {
    try value([key], default: nil, "a list of \(count) positive numbers") { json in
      let numbers = json.array?.compactMap(Self.positive)
      return numbers?.count == count && json.array?.count == count ? numbers : nil
    }
  }

  func text(_ keys: String..., default fallback: String? = nil) throws -> String {
    try value(keys, default: fallback, "a string", \.string)
  }

  /// The kind of each of `count` layers; nil if the key is missing.
  func kinds(_ key: String, of known: [String], count: Int) throws -> [String]? {
    guard has(key) else { return nil }
    let expected = "a list of \(count) of " + known.map { "\"\($0)\"" }.joined(separator: ", ")
    let names: [String] = try value([key], default: nil, expected) { json in
      let names = (json.array ?? []).compactMap(\.string)
      return names.count == count && json.array?.count == count && names.allSatisfy(known.contains) ? names : nil
    }
    return names
  }

  /// Rejects every value except the given one for a key that would change the mathematics.
  func requireFlag(_ key: String, _ supported: Bool) throws {
    guard try flag(key, default: supported) == supported else {
      throw invalid(key, "\(supported); other values are not supported")
    }
  }

  private static let activations: [(String, Activation)] = [
    ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("gelu_fast", .geluTanh), ("gelu", .gelu),
    ("gelu_python", .gelu), ("relu", .relu), ("silu", .silu), ("swish", .silu),
  ]

  /// An activation function by its name in transformers (`ACT2FN`).
  func activation(_ keys: String..., default fallback: String) throws -> Activation {
    let names = Self.activations
    let name = try value(keys, default: fallback, "a string", \.string)
    guard let activation = names.first(where: { $0.0 == name })?.1 else {
      throw invalid(
        keys.first(where: has) ?? keys[0], "one of " + names.map { "\"\($0.0)\"" }.joined(separator: ", "))
    }
    return activation
  }
}

extension ConfigFile {
  /// The size of a head if the heads divide the width.
  func headSize(width: Int, heads: Int, key: String) throws -> Int {
    guard width % heads == 0 else { throw invalid(key, "a divisor of the width (\(width))") }
    return width / heads
  }

  /// Number of key-value heads: the number of heads, or a divisor of it.
  func keyValueHeads(_ key: String, heads: Int, default fallback: Int) throws -> Int {
    let count = try size(key, default: fallback)
    guard heads % count == 0 else { throw invalid(key, "a divisor of the number of heads (\(heads))") }
    return count
  }
}
