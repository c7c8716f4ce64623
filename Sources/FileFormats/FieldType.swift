/// The values a key takes: their name in error messages, and their form in JSON.
package struct FieldType<Value>: Sendable {
  let expected: String
  /// The keys inside a value; their paths are relative to the value's key.
  let inner: [FieldDescription]
  /// The value of a key; nil if it is not as expected.
  let read: @Sendable (JSON, _ key: String, FieldOrigin) throws -> Value?
  let write: @Sendable (Value) -> JSON

  /// Values without inner keys.
  package init(
    expected: String, read: @escaping @Sendable (JSON) -> Value?, write: @escaping @Sendable (Value) -> JSON
  ) {
    self.init(expected: expected, inner: [], read: { json, _, _ in read(json) }, write: write)
  }

  /// Values without inner keys, of which `read` may say what is wrong; nil: they are not as expected.
  package init(
    expected: String, reading read: @escaping @Sendable (JSON, _ key: String, FieldOrigin) throws -> Value?,
    write: @escaping @Sendable (Value) -> JSON
  ) {
    self.init(expected: expected, inner: [], read: read, write: write)
  }

  private init(
    expected: String, inner: [FieldDescription],
    read: @escaping @Sendable (JSON, _ key: String, FieldOrigin) throws -> Value?,
    write: @escaping @Sendable (Value) -> JSON
  ) {
    self.expected = expected
    self.inner = inner
    self.read = read
    self.write = write
  }

  /// The values of another type, and null for nil.
  package static func null<Wrapped>(or type: FieldType<Wrapped>) -> FieldType where Value == Wrapped? {
    FieldType(
      expected: type.expected + " or null", inner: type.inner,
      read: { json, key, origin -> Value? in
        if json.isNull { return .some(nil) }
        guard let value = try type.read(json, key, origin) else { return nil }
        return .some(value)
      },
      write: { $0.map(type.write) ?? .null })
  }

  /// The values of another type; null, or the number that stands for it in Hugging Face's files, for nil.
  package static func null<Wrapped>(or type: FieldType<Wrapped>, number: Int) -> FieldType where Value == Wrapped? {
    FieldType(
      expected: type.expected + ", or null or \(number)", inner: type.inner,
      read: { json, key, origin -> Value? in
        if json.isNull || json.integer == number { return .some(nil) }
        guard let value = try type.read(json, key, origin) else { return nil }
        return .some(value)
      },
      write: { $0.map(type.write) ?? .null })
  }

  /// Lists of values; `expected` is the list's name in messages.
  package static func list<Element>(_ expected: String, of type: FieldType<Element>) -> FieldType
  where Value == [Element] {
    FieldType(
      expected: expected, inner: type.inner.map { $0.inside("[]") },
      read: { json, key, origin in
        guard let elements = json.array else { return nil }
        var values: [Element] = []
        for (index, element) in elements.enumerated() {
          guard let value = try type.read(element, "\(key)[\(index)]", origin) else { return nil }
          values.append(value)
        }
        return values
      },
      write: { .array($0.map(type.write)) })
  }
}

extension FieldType where Value: Record {
  /// Objects that are records.
  package static var record: FieldType {
    FieldType(
      expected: "an object", inner: Value.descriptions.map { $0.inside(".") },
      read: { json, key, origin in json.object == nil ? nil : try Value(json, origin.inside(key)) }, write: \.json)
  }
}

extension FieldType where Value == Int {
  /// Whole numbers from `lowest` to `highest`.
  package static func integer(from lowest: Int, to highest: Int = Int(Int32.max)) -> FieldType {
    FieldType(
      expected: "a whole number from \(lowest) to \(highest)",
      read: { json in json.integer.flatMap { (lowest...highest).contains($0) ? $0 : nil } },
      write: JSON.integer)
  }
}

extension FieldType where Value == Double {
  /// Finite numbers.
  package static var number: FieldType {
    FieldType(
      expected: "a number", read: { $0.number.flatMap { $0.isFinite ? $0 : nil } }, write: JSON.number)
  }

  /// Results of a computation, as JSON holds them: it has no literal for non-finite numbers.
  package static var measurement: FieldType {
    FieldType(
      expected: "a number, or null if it is not finite", read: { $0.isNull ? .nan : $0.number }, write: JSON.number)
  }

  /// Numbers of at least 0.
  package static var nonNegative: FieldType { number("a number from 0 to 1e30", in: 0...1e30) { _ in true } }
  /// Numbers above 0.
  package static var positive: FieldType { number("a positive number of at most 1e30", in: 0...1e30) { $0 > 0 } }
  /// Numbers from 0 to 1.
  package static var share: FieldType { number("a number from 0 to 1", in: 0...1) { _ in true } }
  /// Numbers from 0 to 1, without 1.
  package static var shareBelowOne: FieldType { number("a number from 0, below 1", in: 0...1) { $0 < 1 } }
  /// Numbers between 0 and 1, both excluded.
  package static var fraction: FieldType { number("a number above 0 and below 1", in: 0...1) { $0 > 0 && $0 < 1 } }

  private static func number(
    _ expected: String, in range: ClosedRange<Double>, where isAllowed: @escaping @Sendable (Double) -> Bool
  ) -> FieldType {
    FieldType(
      expected: expected, read: { json in json.number.flatMap { range.contains($0) && isAllowed($0) ? $0 : nil } },
      write: JSON.number)
  }
}

extension FieldType where Value == Bool {
  /// True and false.
  package static var flag: FieldType { FieldType(expected: "true or false", read: \.bool, write: JSON.bool) }
}

extension FieldType where Value == String {
  /// Any string.
  package static var text: FieldType { FieldType(expected: "a string", read: \.string, write: JSON.string) }
}

extension FieldType where Value == JSON {
  /// Any values, kept unchanged.
  package static var anything: FieldType { FieldType(expected: "any value", read: { $0 }, write: { $0 }) }
}

extension FieldType where Value: RawRepresentable<String> & CaseIterable & Sendable {
  /// The cases of an enumeration, by their names.
  package static var choice: FieldType { choice(also: [:]) }

  /// The cases of an enumeration, by their names or other names that are read, but not written.
  package static func choice(also others: [String: Value]) -> FieldType {
    FieldType(
      expected: "one of " + Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "),
      read: { json in json.string.flatMap { Value(rawValue: $0) ?? others[$0] } }, write: { .string($0.rawValue) })
  }
}
