import Diagnostics

/// A value that a file holds as a JSON object with known keys.
package protocol FieldList: Sendable {
  /// The table of the keys, in file order: reading, writing and documentation all use it.
  static var fields: [Field<Self>] { get }
}

extension FieldList {
  /// The object.
  package var json: JSON { .object(members) }

  /// The members of the object.
  package var members: [JSON.Member] {
    Self.fields.compactMap { field in field.write(self).map { JSON.Member(field.name, $0) } }
  }

  /// Every key, including those inside objects and lists, after the key that holds them.
  package static var descriptions: [FieldDescription] {
    fields.flatMap { field in
      [
        FieldDescription(
          path: field.name, meaning: field.meaning, expected: field.expected, presence: field.presence)
      ] + field.inner.map { $0.inside(field.name) }
    }
  }
}

/// A value that a run writes to a file and reads again.
///
/// Keys that are not in the table come from a later version and are ignored.
package protocol Record: FieldList {
  /// A value whose members are replaced by reading.
  init()

  /// Checks, after reading, that the values are consistent.
  ///
  /// - Throws: `InputError.badData`.
  func validate(_ origin: FieldOrigin) throws
}

extension Record {
  /// Accepts any values.
  package func validate(_ origin: FieldOrigin) throws {}

  /// Reads an object.
  ///
  /// - Throws: `InputError.badData` for a missing key or an unexpected value.
  package init(_ json: JSON, _ origin: FieldOrigin) throws {
    guard json.object != nil else {
      throw InputError.badData(origin.file, "expected an object { … }, found \(json.shortDescription)")
    }
    self.init()
    for field in Self.fields where field.presence != .derived {
      let value = json[field.name]
      if value == nil, field.presence == .sometimes { continue }
      guard let value, try field.read(value, &self, origin) else { throw field.error(value, origin) }
    }
    try validate(origin)
  }

  /// Reads a file that holds one object.
  ///
  /// - Throws: `InputError` when the file is missing, malformed, or lacks a key or holds a wrong value.
  package init(file: String) throws {
    try self.init(JSON.read(file: file), FieldOrigin(file))
  }
}
