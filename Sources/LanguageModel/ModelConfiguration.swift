import FileFormats
import Kernels

/// The `config.json` of a Hugging Face model folder, with errors that name file and key.
///
/// Models carry many keys that do not concern us; a family's file reads those that do. A missing key means the default
/// of the family's class in transformers.
struct ModelConfiguration {
  let file: String
  let json: JSON

  init(folder: String) throws {
    file = folder + "/config.json"
    guard fileExists(file) else {
      throw InputError.missing(file, "not found; expected the folder of a Hugging Face model")
    }
    json = try JSON.read(file: file)
  }

  func invalid(_ key: String, _ expected: String) -> InputError {
    .badData(file, "\"\(key)\" must be \(expected), found \(json[key]?.shortDescription ?? "nothing")")
  }

  private func value<Value>(
    _ key: String, default fallback: Value?, _ expected: String, _ read: (JSON) -> Value?
  ) throws -> Value {
    guard let json = json[key], !json.isNull else {
      if let fallback { return fallback }
      throw invalid(key, expected)
    }
    guard let value = read(json) else { throw invalid(key, expected) }
    return value
  }

  /// A size: a whole number from 1 to 2³¹ - 1.
  func size(_ key: String, default fallback: Int? = nil) throws -> Int {
    try value(key, default: fallback, "a whole number of at least 1") { json in
      json.integer.flatMap { (1...Int(Int32.max)).contains($0) ? $0 : nil }
    }
  }

  func flag(_ key: String, default fallback: Bool) throws -> Bool {
    try value(key, default: fallback, "true or false", \.bool)
  }

  func positiveNumber(_ key: String, default fallback: Double) throws -> Double {
    try value(key, default: fallback, "a positive number") { json in json.number.flatMap { $0 > 0 ? $0 : nil } }
  }

  func text(_ key: String, default fallback: String) throws -> String {
    try value(key, default: fallback, "a text", \.string)
  }

  /// An activation function by its name in transformers (`ACT2FN`).
  func activation(_ key: String, default fallback: String) throws -> Activation {
    let names: [(String, Activation)] = [
      ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh), ("gelu_fast", .geluTanh), ("gelu", .gelu),
      ("relu", .relu), ("silu", .silu), ("swish", .silu),
    ]
    let name = try text(key, default: fallback)
    guard let activation = names.first(where: { $0.0 == name })?.1 else {
      throw invalid(key, "one of " + names.map { "\"\($0.0)\"" }.joined(separator: ", "))
    }
    return activation
  }
}
