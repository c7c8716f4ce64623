import Diagnostics
import FileFormats

/// The members of an object, all known and none repeated.
struct Members {
  private let object: JSON
  /// The object's name in messages.
  let name: String
  let file: String

  /// The members of an object, to be checked with `check(known:)` once its type is known.
  init(of value: JSON, called name: String, in file: String) throws {
    object = value
    self.name = name
    self.file = file
    guard value.object != nil else {
      throw InputError.badData(
        file, "\(name.isEmpty ? "" : name + ": ")expected an object, found \(value.shortDescription)")
    }
  }

  /// These members, with those of an object in place of all others but `vocab` and `merges`.
  func replacing(_ others: JSON?) throws -> Members {
    guard let others = others?.object else { return self }
    let kept = ["vocab", "merges"].compactMap { key in object[key].map { JSON.Member(key, $0) } }
    return try Members(of: .object(others + kept), called: name, in: file)
  }

  init(of value: JSON, called name: String, in file: String, known: [String]) throws {
    try self.init(of: value, called: name, in: file)
    try check(known: known)
  }

  /// Rejects unknown or repeated members.
  func check(known: [String]) throws {
    guard let members = object.object else { return }
    var seen: [String] = []
    for member in members {
      guard known.contains(member.key) else {
        throw badData(member.key, "is unknown; expected one of \(known.joined(separator: ", "))")
      }
      if seen.contains(member.key) { throw badData(member.key, "appears twice") }
      seen.append(member.key)
    }
  }

  /// The value of a member; nil if it is absent or null.
  subscript(key: String) -> JSON? {
    object[key].flatMap { $0.isNull ? nil : $0 }
  }

  /// A member that must be true or false, and is required if there is no default.
  func bool(_ key: String, default: Bool? = nil) throws -> Bool {
    if let value = self[key]?.bool { return value }
    if let `default`, self[key] == nil { return `default` }
    throw expected("true or false", of: key)
  }

  func expected(_ expectation: String, of key: String) -> InputError {
    badData(key, "is \(object[key]?.shortDescription ?? "missing"); expected \(expectation)")
  }

  func unsupported(_ key: String, _ found: String, supported: String) -> InputError {
    badData(key, "is \(found); supported: \(supported)")
  }

  func badData(_ key: String, _ problem: String) -> InputError {
    .badData(file, "\(path(key)) \(problem)")
  }

  /// The name of a member in messages, with the object's name.
  func path(_ key: String) -> String { "\(name.isEmpty ? "" : name + ".")\(key)" }

  /// A member that must be a string.
  func string(_ key: String) throws -> String {
    guard let value = self[key]?.string else { throw expected("a string", of: key) }
    return value
  }

  /// The member `type`; nil if it is missing.
  var type: String? { self["type"]?.string }

  /// The error for an object of an unsupported type.
  func unsupportedType(_ supported: [String]) -> InputError {
    .badData(
      file,
      "\(name) is \(self["type"]?.shortDescription ?? "without a type"); supported: \(supported.joined(separator: ", "))"
    )
  }

  /// The objects of a member that must be a list of objects, for a `Sequence`.
  func objects(_ key: String) throws -> [Members] {
    guard let values = self[key]?.array else { throw expected("a list", of: key) }
    return try values.enumerated().map { index, value in
      try Members(of: value, called: "\(path(key))[\(index)]", in: file)
    }
  }
}
