import Diagnostics
import FileFormats
import Method

/// A part of the configuration that is a JSON object with known keys.
package protocol ConfigurationSection: FieldList {}

/// A key as the reference documentation lists it.
package struct ConfigurationKeyDescription: Sendable, Equatable {
  /// The key with its section: "training.learning_rate".
  package let path: String
  package let meaning: String
  package let expected: String
  /// The default, as JSON.
  package let defaultValue: String
}

extension ConfigurationSection {
  /// Takes the values of a JSON object's members; absent keys keep their value.
  ///
  /// - Throws: `InputError.badData` for an unknown key (with the nearest known one), a repeated key, a wrong value.
  package mutating func read(_ json: JSON, _ origin: FieldOrigin) throws {
    guard let members = json.object else {
      let name = origin.section.isEmpty ? "the file" : "\"\(origin.section.dropLast())\""
      throw InputError.badData(origin.file, "\(name) must be an object { … }, found \(json.shortDescription)")
    }
    var seen: Set<String> = []
    for member in members {
      guard let field = Self.fields.first(where: { $0.name == member.key }) else {
        throw origin.error(
          member.key, "is an unknown key" + Configuration.suggestion(for: member.key, among: Self.fields.map(\.name)))
      }
      guard seen.insert(field.name).inserted else { throw origin.error(field.name, "appears twice") }
      guard try field.read(member.value, &self, origin) else { throw field.error(member.value, origin) }
    }
  }
}

extension Configuration {
  /// What to write instead of an unknown key: the nearest in its section, else keys of this name elsewhere, else the
  /// nearest of all.
  fileprivate static func suggestion(for key: String, among names: [String]) -> String {
    let paths = descriptions.map(\.path)
    func name(_ path: String) -> String { path.split(separator: ".").last.map(String.init) ?? path }
    func answer(_ paths: [String]) -> String {
      "; did you mean \(paths.map { "\"\($0)\"" }.joined(separator: " or "))?"
    }
    if let near = nearest(to: key, among: names) { return answer([near]) }
    let same = paths.filter { name($0) == key }
    if !same.isEmpty { return answer(same) }
    if let near = nearest(to: key, among: paths.map(name)) { return answer(paths.filter { name($0) == near }) }
    return Diagnostics.suggestion(for: key, among: names)
  }

  /// Every key except section names, in file order, for documentation.
  package static var reference: [ConfigurationKeyDescription] {
    let defaults = Configuration().json
    return descriptions.compactMap { key in
      let value = key.path.split(separator: ".").reduce(defaults) { section, name in
        guard let value = section[String(name)] else { preconditionFailure("\(key.path) is not written") }
        return value
      }
      let isSection = value.object != nil
      return isSection
        ? nil
        : ConfigurationKeyDescription(
          path: key.path, meaning: key.meaning, expected: key.expected, defaultValue: value.compact)
    }
  }
}

extension Field {
  /// A section: an object with keys of its own.
  static func section<Section: ConfigurationSection>(
    _ name: String, _ path: Path<Section>, _ meaning: String
  ) -> Field {
    .object(name, path, meaning) { json, section, origin in try section.read(json, origin) }
  }
}

extension FieldType where Value == Int {
  /// A number of bytes, as a number or as a string with a unit: "6GB".
  static var bytes: FieldType {
    FieldType(
      expected: "a number of bytes, or a string such as \"6GB\" or \"800MB\"",
      read: { json in
        let units = [("GB", 1e9), ("MB", 1e6)]
        let text = json.string ?? ""
        let unit = units.first { text.hasSuffix($0.0) }
        let count = unit.map { (Double(text.dropLast(2)) ?? 0) * $0.1 } ?? json.number ?? 0
        return (1...1e15).contains(count) ? Int(count) : nil
      },
      write: JSON.integer)
  }
}

extension FieldType where Value == String {
  /// The pattern of an input.
  static var inputPattern: FieldType {
    FieldType(
      expected: "a string with {} or {column} in it ({{ and }} are braces)",
      read: { json in json.string.flatMap { TemplatePattern($0) == nil ? nil : $0 } }, write: JSON.string)
  }

  /// A string with exactly one `{}`.
  static var outputPattern: FieldType {
    FieldType(
      expected: "a string with one {} in it ({{ and }} are braces)",
      read: { json in json.string.flatMap { TemplatePattern($0)?.fields == [""] ? $0 : nil } }, write: JSON.string)
  }
}

extension FieldType where Value == [Int] {
  /// Token ids, masks and types.
  static var wholeNumbers: FieldType { .list("a list of whole numbers of at least 0", of: .integer(from: 0)) }
}

extension FieldType where Value == [LabelWord] {
  /// The words to predict for labels.
  static var labelWords: FieldType {
    FieldType(
      expected: "an object from labels in the data, all different, to the words the model predicts",
      read: { json in
        guard let members = json.object, !members.isEmpty else { return nil }
        // As labels of rows are read.
        let words = members.compactMap { member in
          member.value.string.flatMap { $0.isEmpty ? nil : LabelWord(label: member.key.trimmed, word: $0) }
        }
        return words.count == members.count && Set(words.map { ExactText($0.label) }).count == words.count ? words : nil
      },
      write: { .object($0.map { JSON.Member($0.label, .string($0.word)) }) })
  }
}

extension FieldType where Value == DataConfiguration.Truncation? {
  /// Where texts are cut.
  static var truncation: FieldType {
    FieldType(
      expected: "false, \"end\" (or true), \"start\" or \"middle\"",
      read: { json -> Value? in
        if let isCut = json.bool { return .some(isCut ? .end : nil) }
        return json.string.flatMap(DataConfiguration.Truncation.init).map { .some($0) }
      },
      write: { $0.map { .string($0.rawValue) } ?? .bool(false) })
  }
}

extension FieldType where Value == DataConfiguration.ClassWeights {
  /// The weights of labels.
  static var classWeights: FieldType {
    FieldType(
      expected: "\"balanced\", or an object from labels, all different, to positive numbers of at most 1e6",
      read: { json in
        if json.string == "balanced" { return .balanced }
        guard let members = json.object, !members.isEmpty else { return nil }
        let weights = members.compactMap { member in
          member.value.number.flatMap { number in
            number > 0 && number <= 1e6
              ? DataConfiguration.LabelWeight(label: member.key.trimmed, weight: number) : nil
          }
        }
        return weights.count == members.count && Set(weights.map { ExactText($0.label) }).count == weights.count
          ? .each(weights) : nil
      },
      write: { weights in
        switch weights {
        case .balanced: .string("balanced")
        case .each(let all): .object(all.map { JSON.Member($0.label, .number($0.weight)) })
        }
      })
  }
}
