import Diagnostics
import System

/// The metadata of a GGUF file: typed values by their keys, with errors that name file and key.
package struct GGUFMetadata: Sendable {
  /// The file.
  package let path: String
  private let entries: [String: GGUFValue]

  init(path: String, entries: [String: GGUFValue]) {
    self.path = path
    self.entries = entries
  }

  /// The value of a key; nil if it is missing.
  package subscript(key: String) -> GGUFValue? { entries[key] }

  /// The error for a value that is not as expected, or missing.
  package func invalid(_ key: String, _ expected: String) -> InputError {
    .badData(path, "\"\(key)\" must be \(expected), found \(entries[key]?.shortDescription ?? "nothing")")
  }

  private func value<Value>(_ key: String, _ expected: String, _ read: (GGUFValue) -> Value?) throws -> Value? {
    guard let entry = entries[key] else { return nil }
    guard let value = read(entry) else { throw invalid(key, expected) }
    return value
  }

  /// A whole number; nil if the key is missing.
  package func integer(_ key: String) throws -> Int? {
    try value(key, "a whole number") { if case .integer(let number) = $0 { number } else { nil } }
  }

  /// A string; nil if the key is missing.
  package func text(_ key: String) throws -> String? {
    try value(key, "a string of UTF-8") {
      if case .text(let bytes) = $0 { String(validating: bytes, as: UTF8.self) } else { nil }
    }
  }

  /// A truth value; nil if the key is missing.
  package func flag(_ key: String) throws -> Bool? {
    try value(key, "true or false") { if case .flag(let flag) = $0 { flag } else { nil } }
  }

  /// The bytes of a list of strings; nil if the key is missing.
  package func texts(_ key: String) throws -> [[UInt8]]? {
    try value(key, "a list of strings") { if case .list(let list) = $0 { list.texts } else { nil } }
  }

  /// A list of whole numbers; nil if the key is missing.
  package func integers(_ key: String) throws -> [Int]? {
    try value(key, "a list of whole numbers") { if case .list(let list) = $0 { list.integers } else { nil } }
  }

  /// A list of numbers; nil if the key is missing.
  package func numbers(_ key: String) throws -> [Double]? {
    try value(key, "a list of numbers") { if case .list(let list) = $0 { list.numbers } else { nil } }
  }
}

/// A value of GGUF metadata.
package enum GGUFValue: Sendable {
  case integer(Int)
  case number(Double)
  case flag(Bool)
  /// Usually UTF-8.
  case text([UInt8])
  case list(GGUFList)

  /// A value as JSON: a list only if all its numbers are equal, as one number (sizes that are stored for each layer).
  package var json: JSON? {
    switch self {
    case .integer(let number): .integer(number)
    case .number(let number): .number(number)
    case .flag(let flag): .bool(flag)
    case .text(let bytes): String(validating: bytes, as: UTF8.self).map(JSON.string)
    case .list(let list): list.commonNumber
    }
  }

  /// The value for an error message.
  var shortDescription: String {
    if case .list(let list) = self { return "a list of \(list.count)" }
    if case .number(let number) = self, !number.isFinite { return "\(number)" }
    return json?.shortDescription ?? "bytes that are not UTF-8"
  }
}

/// A list in GGUF metadata, decoded from the mapped file on demand.
package struct GGUFList: Sendable {
  let type: GGUFValueType
  /// The number of elements.
  package let count: Int
  private let file: MappedFile
  private let start: Int

  init(type: GGUFValueType, count: Int, file: MappedFile, start: Int) {
    self.type = type
    self.count = count
    self.file = file
    self.start = start
  }

  /// The elements; the header was checked, so every one can be read.
  private var values: [GGUFValue] {
    var reader = GGUFReader(file, from: start)
    return (0..<count).compactMap { _ in try? reader.value(type, "") }
  }

  /// nil if they are not strings.
  var texts: [[UInt8]]? {
    guard type == .string else { return nil }
    return values.compactMap { if case .text(let bytes) = $0 { bytes } else { nil } }
  }

  /// nil if they are not whole numbers.
  var integers: [Int]? {
    let numbers = values.compactMap { if case .integer(let number) = $0 { number } else { nil as Int? } }
    return numbers.count == count ? numbers : nil
  }

  /// nil if they are not numbers.
  var numbers: [Double]? {
    let numbers = values.compactMap { value -> Double? in
      switch value {
      case .integer(let number): Double(number)
      case .number(let number): number
      default: nil
      }
    }
    return numbers.count == count ? numbers : nil
  }

  /// The number that all elements are; nil if they differ or are no numbers.
  fileprivate var commonNumber: JSON? {
    if let integers {
      guard let first = integers.first, integers.allSatisfy({ $0 == first }) else { return nil }
      return .integer(first)
    }
    guard let numbers, let first = numbers.first, numbers.allSatisfy({ $0 == first }) else { return nil }
    return .number(first)
  }
}
