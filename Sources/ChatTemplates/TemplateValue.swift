/// A value in a template; those of Python that templates compute with.
indirect enum Value {
  /// A variable, attribute or item that is not there, by its name.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A list or a tuple.
  case list([Value])
  case mapping(Mapping)
  case namespace(Namespace)
  case loop(LoopState)
  case macro(Macro)
  /// A function by its name.
  case function(String)
  /// A method of a value by its name.
  case method(Value, String)
}

/// A dictionary in the order of its keys, which are strings.
struct Mapping {
  private(set) var members: [(key: String, value: Value)] = []

  init(_ members: [(key: String, value: Value)] = []) {
    for (key, value) in members { self[key] = value }
  }

  /// The value of a key; nil if there is none.
  subscript(key: String) -> Value? {
    get { members.first { isSame($0.key, key) }?.value }
    set {
      guard let newValue else { return }
      if let index = members.firstIndex(where: { isSame($0.key, key) }) {
        members[index].value = newValue
      } else {
        members.append((key, newValue))
      }
    }
  }
}

/// Attributes that statements in any scope can set.
final class Namespace {
  var attributes = Mapping()
}

/// The variables of a part of a template, and those around it.
final class Scope {
  private let parent: Scope?
  private var variables: [String: Value] = [:]

  init(parent: Scope?) { self.parent = parent }

  subscript(name: String) -> Value? {
    get { variables[name] ?? parent?[name] }
    set { variables[name] = newValue }
  }

  /// Removes its variables.
  func clear() { variables = [:] }
}

/// What `loop` is inside a loop.
struct LoopState {
  let items: [Value]
  let index: Int

  /// The value of an attribute; nil if there is none.
  subscript(name: String) -> Value? {
    switch name {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(items.count)
    case "previtem": index > 0 ? items[index - 1] : .undefined("previtem")
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined("nextitem")
    default: nil
    }
  }
}

/// A macro with the variables around it.
struct Macro {
  let definition: Statement.MacroDefinition
  let scope: Scope
}

/// Whether two strings have the same characters; unlike `==`, canonically equivalent ones differ, as in Python.
func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

extension Value {
  /// Whether it counts as true.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let values): !values.isEmpty
    case .mapping(let mapping): !mapping.members.isEmpty
    case .namespace, .loop, .macro, .function, .method: true
    }
  }

  /// Its type in messages.
  var typeName: String {
    switch self {
    case .undefined(let name): "\"\(name)\", which is not defined"
    case .none: "none"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .list: "a list"
    case .mapping: "an object"
    case .namespace: "a namespace"
    case .loop: "a loop"
    case .macro, .function, .method: "a function"
    }
  }

  /// The number that it is in arithmetic; nil if it is none.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The whole number that it is in arithmetic; nil if it is none.
  var integer: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var string: String? { if case .string(let value) = self { value } else { nil } }

  /// Whether it equals another value in Python.
  func equals(_ other: Value) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let a), .string(let b)): return isSame(a, b)
    case (.list(let a), .list(let b)): return a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
    case (.mapping(let a), .mapping(let b)):
      return a.members.count == b.members.count
        && a.members.allSatisfy { member in b[member.key].map { $0.equals(member.value) } ?? false }
    case (.namespace(let a), .namespace(let b)): return a === b
    default:
      if let a = integer, let b = other.integer { return a == b }
      if let a = number, let b = other.number { return a == b }
      return false
    }
  }

  /// Its text as Python prints it; inside a list, strings are in quotes.
  func text(isInside: Bool = false) -> String {
    switch self {
    case .undefined: ""
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): String(value)
    case .number(let value): value.isFinite ? "\(value)" : value.isNaN ? "nan" : value < 0 ? "-inf" : "inf"
    case .string(let value): isInside ? Self.quoted(value) : value
    case .list(let values): "[" + values.map { $0.text(isInside: true) }.joined(separator: ", ") + "]"
    case .mapping(let mapping):
      "{"
        + mapping.members.map { "\(Self.quoted($0.key)): \($0.value.text(isInside: true))" }.joined(separator: ", ")
        + "}"
    case .namespace, .loop, .macro, .function, .method: "<\(typeName)>"
    }
  }

  /// A string as Python shows it in a list.
  private static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
    var result = String.UnicodeScalarView([quote])
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case quote: result.append(contentsOf: ["\\", quote])
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case "\0"..<" ", "\u{7F}": result.append(contentsOf: "\\x\(hexadecimal(scalar.value, digits: 2))".unicodeScalars)
      default: result.append(scalar)
      }
    }
    result.append(quote)
    return String(result)
  }

  /// The value as `json.dumps(…, ensure_ascii=False)` writes it, on one line or indented.
  func json(indent: Int? = nil, level: Int = 0) -> String? {
    func list(_ parts: [String], _ open: String, _ close: String) -> String {
      guard let indent, !parts.isEmpty else { return open + parts.joined(separator: ", ") + close }
      func line(_ level: Int) -> String { "\n" + String(repeating: " ", count: indent * level) }
      return open + parts.map { line(level + 1) + $0 }.joined(separator: ",") + line(level) + close
    }
    switch self {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer, .number: return text()
    case .string(let value): return Self.jsonString(value)
    case .list(let values):
      let parts = values.compactMap { $0.json(indent: indent, level: level + 1) }
      return parts.count == values.count ? list(parts, "[", "]") : nil
    case .mapping(let mapping):
      let parts = mapping.members.compactMap { member in
        member.value.json(indent: indent, level: level + 1).map { "\(Self.jsonString(member.key)): \($0)" }
      }
      return parts.count == mapping.members.count ? list(parts, "{", "}") : nil
    case .undefined, .namespace, .loop, .macro, .function, .method: return nil
    }
  }

  private static func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\0"..<" ": result += "\\u\(hexadecimal(scalar.value, digits: 4))"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

private func hexadecimal(_ value: UInt32, digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
