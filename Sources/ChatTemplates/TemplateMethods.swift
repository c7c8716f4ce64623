/// The methods of strings, lists and objects.
extension TemplateInterpreter {
  static let methodsOfMappings: Set<String> = ["get", "items", "keys", "values"]
  /// All of Python's, so that one that is not supported is refused by its name.
  static let methodsOfStrings: Set<String> = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map",
    "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
    "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "maketrans", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
  ]

  /// The result of a method.
  func call(_ name: String, of value: Value, _ arguments: TemplateArguments, at position: Int) throws -> Value {
    switch value {
    case .string(let text): return try call(name, of: text, arguments, at: position)
    case .mapping(let mapping):
      switch name {
      case "get":
        guard let key = arguments.values.first else { throw TemplateFault(position, "\"get\" needs a key") }
        return key.string.flatMap { mapping[$0] } ?? arguments.value(1, "default") ?? .none
      case "items": return try made(mapping.members.map { .list([.string($0.key), $0.value]) }, at: position)
      case "keys": return try made(mapping.members.map { .string($0.key) }, at: position)
      default: return try made(mapping.members.map(\.value), at: position)
      }
    case .list where name == "append":
      throw TemplateFault(position, "lists cannot be changed; use \"set list = list + [item]\"")
    case .list(let values):
      let item = arguments.values.first ?? .none
      try spend(values.count, at: position)
      if name == "count" { return .integer(values.count { $0.equals(item) }) }
      guard let index = values.firstIndex(where: { $0.equals(item) }) else {
        throw TemplateFault(position, "the list does not have the item")
      }
      return .integer(index)
    default: throw TemplateFault(position, "\(value.typeName) has no method \"\(name)\"")
    }
  }

  private func call(_ name: String, of text: String, _ arguments: TemplateArguments, at position: Int) throws -> Value {
    try spend(1 + text.utf8.count / 16, at: position)
    /// The text of an argument; nil if it is none.
    func argument(_ index: Int, _ name: String) throws -> String? {
      switch arguments.value(index, name) {
      case nil, .some(.none): return nil
      case .string(let value): return value
      case .some(let other): throw TemplateFault(position, "expected a string, found \(other.typeName)")
      }
    }
    func needed(_ index: Int, _ name: String) throws -> [Unicode.Scalar] {
      guard let argument = try argument(index, name) else {
        throw TemplateFault(position, "an argument (\"\(name)\") is missing")
      }
      return Array(argument.unicodeScalars)
    }
    let scalars = { Array(text.unicodeScalars) }
    switch name {
    case "strip": return .string(trimmed(text, try argument(0, "chars")))
    case "lstrip": return .string(trimmed(text, try argument(0, "chars"), end: false))
    case "rstrip": return .string(trimmed(text, try argument(0, "chars"), start: false))
    case "upper": return .string(text.uppercased())
    case "lower": return .string(lowercased(text))
    case "capitalize": return .string(capitalized(text))
    case "title": return .string(titledByCase(text))
    case "startswith", "endswith":
      let values: [Value] =
        if case .list(let values)? = arguments.values.first { values } else { Array(arguments.values.prefix(1)) }
      guard arguments.values.count == 1, case let parts = values.compactMap(\.string), parts.count == values.count
      else {
        throw TemplateFault(position, "\"\(name)\" takes a string or several in parentheses")
      }
      return .bool(
        parts.contains { part in
          name == "startswith"
            ? text.utf8.starts(with: part.utf8) : text.utf8.reversed().starts(with: part.utf8.reversed())
        })
    case "removeprefix":
      let part = try needed(0, "prefix"), all = scalars()
      return .string(all.starts(with: part) ? String(all.dropFirst(part.count)) : text)
    case "removesuffix":
      let part = try needed(0, "suffix"), all = scalars()
      return .string(all.reversed().starts(with: part.reversed()) ? String(all.dropLast(part.count)) : text)
    case "find":
      return .integer(firstPlace(of: try needed(0, "sub"), in: scalars(), from: 0) ?? -1)
    case "count":
      let part = try needed(0, "sub")
      return .integer(part.isEmpty ? scalars().count + 1 : places(of: part, in: scalars(), limit: nil).count)
    case "replace":
      return try made(
        replaced(scalars(), needed(0, "old"), needed(1, "new"), limit: arguments.value(2, "count")?.integer),
        at: position)
    case "split", "rsplit":
      let limit = arguments.value(1, "maxsplit")?.integer
      guard let separator = try argument(0, "sep") else {
        guard limit == nil || limit == -1 else {
          throw TemplateFault(position, "\"maxsplit\" without a separator is not supported")
        }
        return try made(scalars().split(whereSeparator: isSpace).map { .string(String($0)) }, at: position)
      }
      guard !separator.isEmpty else { throw TemplateFault(position, "the separator of \"\(name)\" is empty") }
      let parts = split(scalars(), Array(separator.unicodeScalars), limit: limit, fromEnd: name == "rsplit")
      return try made(parts.map { .string($0) }, at: position)
    case "splitlines":
      guard arguments.values.isEmpty, arguments.named.isEmpty else {
        throw TemplateFault(position, "an argument of \"splitlines\" is not supported")
      }
      var lines = String(text.map { $0.isNewline ? "\n" : $0 }).unicodeScalars.split(
        separator: "\n", omittingEmptySubsequences: false)
      if lines.last?.isEmpty == true { lines.removeLast() }
      return try made(lines.map { .string(String($0)) }, at: position)
    case "join":
      let parts = try elements(of: arguments.values.first ?? .none, at: position)
      guard case let texts = parts.compactMap(\.string), texts.count == parts.count else {
        throw TemplateFault(position, "expected strings to join")
      }
      return try made(texts.joined(separator: text), at: position)
    case "isdigit", "isspace", "isalpha", "isupper", "islower":
      return .bool(try has(name, text))
    default: throw TemplateFault(position, "the method \"\(name)\" is not supported")
    }
  }

  private func has(_ name: String, _ text: String) throws -> Bool {
    let scalars = text.unicodeScalars
    return switch name {
    case "isdigit":
      !scalars.isEmpty
        && scalars.allSatisfy { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
    case "isspace": !scalars.isEmpty && scalars.allSatisfy(isSpace)
    case "isalpha":
      !scalars.isEmpty
        && scalars.allSatisfy {
          [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter].contains(
            $0.properties.generalCategory)
        }
    case "isupper": text.contains(where: \.isCased) && text.uppercased() == text
    default: text.contains(where: \.isCased) && lowercased(text) == text
    }
  }
}

// MARK: - Texts

/// A text without white space, or without some characters, at its ends.
func trimmed(_ text: String, _ characters: String?, start: Bool = true, end: Bool = true) -> String {
  let unwanted = characters.map { Set($0.unicodeScalars) }
  func isUnwanted(_ scalar: Unicode.Scalar) -> Bool { unwanted?.contains(scalar) ?? isSpace(scalar) }
  var rest = text.unicodeScalars[...]
  while start, let scalar = rest.first, isUnwanted(scalar) { rest.removeFirst() }
  while end, let scalar = rest.last, isUnwanted(scalar) { rest.removeLast() }
  return String(rest)
}

/// A text in lower case.
func lowercased(_ text: String) -> String { text.lowercased() }

/// The first character in title case, the others in lower case.
func capitalized(_ text: String) -> String {
  guard let first = text.unicodeScalars.first else { return text }
  return first.properties.titlecaseMapping + lowercased(String(text.unicodeScalars.dropFirst()))
}

/// Python's `str.title`: each letter after one that has no case, or at the start, in title case.
func titledByCase(_ text: String) -> String {
  var result = "", isInside = false
  for scalar in text.unicodeScalars {
    let isCased = scalar.properties.isCased
    result +=
      !isCased ? String(scalar) : isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
    isInside = isCased
  }
  return result
}

/// Jinja's filter `title`: the first character of each word in upper case; words end at white space, hyphens and opening
/// brackets.
func titled(_ text: String) -> String {
  var result = "", isInside = false
  for scalar in text.unicodeScalars {
    let isBreak = isSpace(scalar) || ["-", "(", "{", "[", "<"].contains(scalar)
    result +=
      isBreak ? String(scalar) : isInside ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
    isInside = !isBreak
  }
  return result
}

/// The places of a part that do not overlap, from the start; at most `limit`.
private func places(of part: [Unicode.Scalar], in text: [Unicode.Scalar], limit: Int?) -> [Int] {
  var places: [Int] = [], start = 0
  while limit.map({ $0 < 0 || places.count < $0 }) ?? true, let place = firstPlace(of: part, in: text, from: start) {
    places.append(place)
    start = place + part.count
  }
  return places
}

private func replaced(
  _ text: [Unicode.Scalar], _ old: [Unicode.Scalar], _ new: [Unicode.Scalar], limit: Int?
) -> String {
  if old.isEmpty {
    var result: [Unicode.Scalar] = [], left = limit.map { $0 < 0 ? Int.max : $0 } ?? .max
    for scalar in text {
      if left > 0 { result += new }
      left -= left > 0 ? 1 : 0
      result.append(scalar)
    }
    return String((left > 0 ? result + new : result)[...])
  }
  var result: [Unicode.Scalar] = [], start = 0
  for place in places(of: old, in: text, limit: limit) {
    result += text[start..<place] + new
    start = place + old.count
  }
  return String((result + text[start...])[...])
}

private func split(_ text: [Unicode.Scalar], _ separator: [Unicode.Scalar], limit: Int?, fromEnd: Bool) -> [String] {
  if fromEnd {
    return split(text.reversed(), separator.reversed(), limit: limit, fromEnd: false).reversed().map { part in
      String(String.UnicodeScalarView(part.unicodeScalars.reversed()))
    }
  }
  var parts: [String] = [], start = 0
  for place in places(of: separator, in: text, limit: limit) {
    parts.append(String(text[start..<place]))
    start = place + separator.count
  }
  return parts + [String(text[start...])]
}
