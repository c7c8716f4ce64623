import Diagnostics

/// One key of a JSON object that holds a `Root`: its name, its meaning, its allowed values, and their property.
package struct Field<Root>: Sendable {
  /// The property that stores the value.
  package typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

  /// The key.
  package let name: String
  /// The meaning of the value, for documentation.
  package let meaning: String
  /// The allowed values, as an error message ends: "a whole number from 1 to 9".
  package let expected: String
  /// When an object has the key.
  package let presence: FieldPresence
  /// The keys inside the value; their paths are relative to this key.
  package let inner: [FieldDescription]
  /// Stores a value; false if it is not as expected.
  package let read: @Sendable (JSON, inout Root, FieldOrigin) throws -> Bool
  /// The value in JSON; nil if the key is left out.
  package let write: @Sendable (Root) -> JSON?
}

/// When an object has a key.
package enum FieldPresence: Sendable {
  /// A record without the key is an error; a configuration keeps the default.
  case always
  /// Without the key, the value is nil.
  case sometimes
  /// Always written and never read: the value follows from other keys.
  case derived
}

/// A key as documentation lists it.
package struct FieldDescription: Sendable, Equatable {
  /// The key with the keys around it: "training.seed", "cells[].loss".
  package let path: String
  /// The meaning of the value.
  package let meaning: String
  /// The allowed values.
  package let expected: String
  /// When an object has the key.
  package let presence: FieldPresence

  /// The same key inside another one.
  func inside(_ prefix: String) -> FieldDescription {
    FieldDescription(path: prefix + path, meaning: meaning, expected: expected, presence: presence)
  }
}

/// Where values come from, for error messages.
package struct FieldOrigin: Sendable {
  /// A file, or a line of it: "metrics.jsonl:3".
  package let file: String
  /// The sources of values that do not come from the file, by path: "--set training.seed".
  package let otherPlaces: [String: String]
  /// The path of the object being read, with a final dot: "training.".
  package private(set) var section = ""

  /// The origin of the values of a whole file or line.
  package init(_ file: String, otherPlaces: [String: String] = [:]) {
    self.file = file
    self.otherPlaces = otherPlaces
  }

  /// The origin of the values inside a key, or inside an element of a list: "training", "cells[2]".
  package func inside(_ part: String) -> FieldOrigin {
    var inner = self
    inner.section += part + "."
    return inner
  }

  /// The error for a key.
  package func error(_ key: String, _ problem: String) -> InputError {
    let path = section + key
    return .badData(otherPlaces[path] ?? file, "\"\(path)\" \(problem)")
  }
}

extension Field {
  /// A key that every object has.
  package init<Value>(_ name: String, _ path: Path<Value>, _ type: FieldType<Value>, _ meaning: String) {
    self.init(
      name: name, meaning: meaning, expected: type.expected, presence: .always, inner: type.inner,
      read: { json, root, origin in
        guard let value = try type.read(json, name, origin) else { return false }
        root[keyPath: path] = value
        return true
      },
      write: { type.write($0[keyPath: path]) })
  }

  /// A key that is absent if the value is nil.
  package static func optional<Value>(
    _ name: String, _ path: Path<Value?>, _ type: FieldType<Value>, _ meaning: String
  ) -> Field {
    Field(
      name: name, meaning: meaning, expected: type.expected, presence: .sometimes, inner: type.inner,
      read: { json, root, origin in
        guard let value = try type.read(json, name, origin) else { return false }
        root[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].map(type.write) })
  }

  /// A key that is written for readers of the file; its value follows from other keys.
  package static func derived<Value>(
    _ name: String, _ path: KeyPath<Root, Value> & Sendable, _ type: FieldType<Value>, _ meaning: String
  ) -> Field {
    Field(
      name: name, meaning: meaning, expected: type.expected, presence: .derived, inner: type.inner,
      read: { _, _, _ in true }, write: { type.write($0[keyPath: path]) })
  }

  /// A key whose value is an object that overrides existing values.
  package static func object<Value: FieldList>(
    _ name: String, _ path: Path<Value>, _ meaning: String,
    read: @escaping @Sendable (JSON, inout Value, FieldOrigin) throws -> Void
  ) -> Field {
    Field(
      name: name, meaning: meaning, expected: "an object", presence: .always,
      inner: Value.descriptions.map { $0.inside(".") },
      read: { json, root, origin in
        try read(json, &root[keyPath: path], origin.inside(name))
        return true
      },
      write: { $0[keyPath: path].json })
  }

  /// The same key in an object that includes this object's keys among its own.
  package func within<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> Field<Outer> {
    Field<Outer>(
      name: name, meaning: meaning, expected: expected, presence: presence, inner: inner,
      read: { [read] json, outer, origin in try read(json, &outer[keyPath: path], origin) },
      write: { [write] outer in write(outer[keyPath: path]) })
  }

  /// The error for a wrong value of this key; nil: the key is missing.
  package func error(_ found: JSON?, _ origin: FieldOrigin) -> InputError {
    origin.error(name, "must be \(expected), found \(found?.shortDescription ?? "nothing")")
  }
}
