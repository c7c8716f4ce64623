import Diagnostics
import FileFormats
import Method

/// A part of the configuration that is a JSON object with known keys.
protocol ConfigurationSection: Sendable {
  /// The one table of this section's keys: reading, writing, documentation and suggestions come from it.
  static var keys: [ConfigurationKey<Self>] { get }
}

/// One key of a configuration section: its name in the file, what it means, what values it takes, and where it goes.
struct ConfigurationKey<Root>: Sendable {
  let name: String
  let meaning: String
  /// What values are allowed, as an error message ends: "a whole number of at least 1".
  let expected: String
  /// The keys inside, for a section.
  var inner: [ConfigurationKeyDescription] = []
  /// Stores the value; false where it is not as expected.
  let read: @Sendable (JSON, inout Root, ConfigurationOrigin) throws -> Bool
  let write: @Sendable (Root) -> JSON
}

/// A key as the reference documentation lists it.
package struct ConfigurationKeyDescription: Sendable, Equatable {
  /// The key with its section: "training.learning_rate".
  package let path: String
  package let meaning: String
  package let expected: String
  /// The default, as JSON.
  package let defaultValue: String
}

/// Where values come from, for messages: a file, and the command line's `--set` for some paths.
struct ConfigurationOrigin: Sendable {
  let file: String
  var overridden: Set<String> = []
  /// The path of the object being read, with a dot behind: "training.".
  var section = ""

  func place(of key: String) -> String {
    overridden.contains(section + key) ? "--set \(section + key)" : file
  }

  func error(_ key: String, _ problem: String) -> InputError {
    .badData(place(of: key), "\"\(section + key)\" \(problem)")
  }
}

extension ConfigurationSection {
  /// Takes over the members of a JSON object; keys it lacks keep what they have.
  ///
  /// - Throws: `InputError.badData` for an unknown key (with the nearest known one), a repeated key, a wrong value.
  mutating func read(_ json: JSON, _ origin: ConfigurationOrigin) throws {
    guard let members = json.object else {
      let name = origin.section.isEmpty ? "the configuration" : "\"\(origin.section.dropLast())\""
      throw InputError.badData(origin.file, "\(name) must be an object { … }, found \(json.shortDescription)")
    }
    var seen: Set<String> = []
    for member in members {
      guard let key = Self.keys.first(where: { $0.name == member.key }) else {
        throw origin.error(member.key, "is no known key" + suggestion(for: member.key, among: Self.keys.map(\.name)))
      }
      guard seen.insert(key.name).inserted else { throw origin.error(key.name, "stands twice") }
      guard try key.read(member.value, &self, origin) else {
        throw origin.error(key.name, "must be \(key.expected), found \(member.value.shortDescription)")
      }
    }
  }

  /// Every key with its value.
  var json: JSON { .object(Self.keys.map { JSON.Member($0.name, $0.write(self)) }) }

  static func descriptions(of defaults: Self, prefix: String = "") -> [ConfigurationKeyDescription] {
    keys.flatMap { key in
      key.inner.isEmpty
        ? [
          ConfigurationKeyDescription(
            path: prefix + key.name, meaning: key.meaning, expected: key.expected,
            defaultValue: key.write(defaults).compact)
        ] : key.inner
    }
  }
}

extension ConfigurationKey {
  typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

  private static func key<Value>(
    _ name: String, _ path: Path<Value>, _ meaning: String, expected: String,
    from read: @escaping @Sendable (JSON) -> Value?, to write: @escaping @Sendable (Value) -> JSON
  ) -> ConfigurationKey {
    ConfigurationKey(
      name: name, meaning: meaning, expected: expected,
      read: { json, root, _ in
        guard let value = read(json) else { return false }
        root[keyPath: path] = value
        return true
      },
      write: { write($0[keyPath: path]) })
  }

  /// The same key with `null` for nil.
  private static func optional<Value>(
    _ name: String, _ path: Path<Value?>, _ meaning: String, expected: String,
    from read: @escaping @Sendable (JSON) -> Value?, to write: @escaping @Sendable (Value) -> JSON
  ) -> ConfigurationKey {
    key(
      name, path, meaning, expected: expected + " or null",
      from: { json -> Value?? in json.isNull ? .some(nil) : read(json).map { .some($0) } },
      to: { $0.map(write) ?? .null })
  }

  private static func wholeNumbers(_ lowest: Int) -> String { "a whole number from \(lowest) to \(Int32.max)" }

  private static func wholeNumber(_ lowest: Int) -> @Sendable (JSON) -> Int? {
    { json in json.integer.flatMap { (lowest...Int(Int32.max)).contains($0) ? $0 : nil } }
  }

  static func integer(_ name: String, _ path: Path<Int>, from lowest: Int, _ meaning: String) -> ConfigurationKey {
    key(
      name, path, meaning, expected: wholeNumbers(lowest), from: wholeNumber(lowest), to: JSON.integer
    )
  }

  static func integer(_ name: String, _ path: Path<Int?>, from lowest: Int, _ meaning: String) -> ConfigurationKey {
    optional(
      name, path, meaning, expected: wholeNumbers(lowest), from: wholeNumber(lowest), to: JSON.integer
    )
  }

  private static func realNumber(_ range: ClosedRange<Double>, _ isAllowed: @escaping @Sendable (Double) -> Bool)
    -> @Sendable (JSON) -> Double?
  {
    { json in json.number.flatMap { range.contains($0) && isAllowed($0) ? $0 : nil } }
  }

  static func nonNegative(_ name: String, _ path: Path<Double>, _ meaning: String) -> ConfigurationKey {
    key(
      name, path, meaning, expected: "a number of at least 0", from: realNumber(0...1e30) { _ in true }, to: JSON.number
    )
  }

  static func positive(_ name: String, _ path: Path<Double>, _ meaning: String) -> ConfigurationKey {
    key(name, path, meaning, expected: "a positive number", from: realNumber(0...1e30) { $0 > 0 }, to: JSON.number)
  }

  static func positive(_ name: String, _ path: Path<Double?>, _ meaning: String) -> ConfigurationKey {
    optional(name, path, meaning, expected: "a positive number", from: realNumber(0...1e30) { $0 > 0 }, to: JSON.number)
  }

  static func fraction(_ name: String, _ path: Path<Double?>, _ meaning: String) -> ConfigurationKey {
    optional(
      name, path, meaning, expected: "a number above 0 and below 1", from: realNumber(0...1) { $0 > 0 && $0 < 1 },
      to: JSON.number)
  }

  static func flag(_ name: String, _ path: Path<Bool>, _ meaning: String) -> ConfigurationKey {
    key(name, path, meaning, expected: "true or false", from: \.bool, to: JSON.bool)
  }

  static func text(_ name: String, _ path: Path<String>, _ meaning: String) -> ConfigurationKey {
    key(name, path, meaning, expected: "a text", from: \.string, to: JSON.string)
  }

  static func text(_ name: String, _ path: Path<String?>, _ meaning: String) -> ConfigurationKey {
    optional(name, path, meaning, expected: "a text", from: \.string, to: JSON.string)
  }

  /// A number of bytes, as one or as a text with a unit: "6GB".
  static func bytes(_ name: String, _ path: Path<Int?>, _ meaning: String) -> ConfigurationKey {
    optional(
      name, path, meaning, expected: "a number of bytes, or a text such as \"6GB\" or \"800MB\"",
      from: { json in
        let units = [("GB", 1e9), ("MB", 1e6)]
        let text = json.string ?? ""
        let unit = units.first { text.hasSuffix($0.0) }
        let count = unit.map { (Double(text.dropLast(2)) ?? 0) * $0.1 } ?? json.number ?? 0
        return (1...1e15).contains(count) ? Int(count) : nil
      }, to: JSON.integer)
  }

  /// A text with exactly one `{}`.
  static func pattern(_ name: String, _ path: Path<String>, _ meaning: String) -> ConfigurationKey {
    key(
      name, path, meaning, expected: "a text with one {} in it",
      from: { json in json.string.flatMap { Template.parts(of: $0) == nil ? nil : $0 } }, to: JSON.string)
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: Path<Value>, _ meaning: String
  ) -> ConfigurationKey {
    key(
      name, path, meaning, expected: "one of " + Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "),
      from: { $0.string.flatMap(Value.init) }, to: { .string($0.rawValue) })
  }

  static func integers(_ name: String, _ path: Path<[Int]?>, _ meaning: String) -> ConfigurationKey {
    optional(
      name, path, meaning, expected: "a list of whole numbers of at least 0",
      from: { json in
        guard let values = json.array, case let integers = values.compactMap(wholeNumber(0)),
          integers.count == values.count
        else { return nil }
        return integers
      }, to: { .array($0.map(JSON.integer)) })
  }

  static func labelWords(_ name: String, _ path: Path<[LabelWord]?>, _ meaning: String) -> ConfigurationKey {
    optional(
      name, path, meaning, expected: "an object from labels in the data to the words the model predicts, all different",
      from: { json in
        guard let members = json.object, !members.isEmpty, Set(members.map(\.key)).count == members.count else {
          return nil
        }
        let words = members.compactMap { member in
          member.value.string.flatMap { $0.isEmpty ? nil : LabelWord(label: member.key, word: $0) }
        }
        return words.count == members.count && Set(words.map(\.word)).count == words.count ? words : nil
      }, to: { .object($0.map { JSON.Member($0.label, .string($0.word)) }) })
  }

  /// A value that is carried along as it is.
  static func carried(_ name: String, _ path: Path<JSON>, _ meaning: String) -> ConfigurationKey {
    key(name, path, meaning, expected: "any value", from: { $0 }, to: { $0 })
  }

  /// A section: an object with keys of its own.
  static func section<Section: ConfigurationSection>(
    _ name: String, _ path: Path<Section>, defaults: Section, _ meaning: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name: name, meaning: meaning, expected: "an object",
      inner: Section.descriptions(of: defaults, prefix: name + "."),
      read: { json, root, origin in
        var inner = origin
        inner.section = name + "."
        try root[keyPath: path].read(json, inner)
        return true
      },
      write: { $0[keyPath: path].json })
  }
}
