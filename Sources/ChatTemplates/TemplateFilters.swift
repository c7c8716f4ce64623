/// Filters and tests.
extension TemplateInterpreter {
  private func unsupported(_ call: Expression.Call, _ what: String) -> TemplateFault {
    TemplateFault(call.position, "the \(what) \"\(call.name)\" is not supported")
  }

  /// The value after a filter.
  func filter(_ value: Value, _ call: Expression.Call, _ arguments: TemplateArguments) throws -> Value {
    let position = call.position
    func text() throws -> String {
      if case .undefined(let name) = value { throw TemplateFault(position, "\"\(name)\" is not defined") }
      return value.text()
    }
    func argument(_ index: Int, _ name: String) throws -> String? {
      guard let value = arguments.value(index, name) else { return nil }
      if case .none = value { return nil }
      return value.text()
    }
    switch call.name {
    case "trim": return try made(trimmed(value.text(), argument(0, "chars")), at: position)
    case "upper", "lower": return try self.call(call.name, of: .string(value.text()), arguments, at: position)
    case "capitalize": return try made(capitalized(value.text()), at: position)
    case "title": return try made(titled(value.text()), at: position)
    case "string": return .string(value.text())
    case "safe": return value
    case "length", "count":
      switch value {
      case .string(let text): return .integer(text.unicodeScalars.count)
      default: return .integer(try elements(of: value, at: position).count)
      }
    case "default", "d":
      let isMissing =
        if case .undefined = value { true } else { arguments.value(1, "boolean")?.isTrue == true && !value.isTrue }
      return isMissing ? arguments.value(0, "default_value") ?? .string("") : value
    case "first":
      return try elements(of: value, at: position).first ?? .undefined("the first item")
    case "last": return try elements(of: value, at: position).last ?? .undefined("the last item")
    case "list": return .list(try elements(of: value, at: position))
    case "reverse":
      if case .string(let text) = value {
        return .string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
      }
      return .list(try elements(of: value, at: position).reversed())
    case "unique":
      var found: [Value] = []
      for item in try elements(of: value, at: position) where !found.contains(where: { $0.equals(item) }) {
        try spend(found.count, at: position)
        found.append(item)
      }
      return .list(found)
    case "items":
      if case .undefined = value { return .list([]) }
      guard case .mapping = value else { throw TemplateFault(position, "expected an object, found \(value.typeName)") }
      return try self.call("items", of: value, arguments, at: position)
    case "join":
      let parts = try attributes(arguments.value(1, "attribute"), of: elements(of: value, at: position), at: position)
      return try made(parts.map { $0.text() }.joined(separator: argument(0, "d") ?? ""), at: position)
    case "replace":
      return try self.call("replace", of: .string(text()), arguments, at: position)
    case "tojson":
      for (name, _) in arguments.named where name != "indent" && name != "ensure_ascii" {
        throw TemplateFault(position, "the argument \"\(name)\" of \"tojson\" is not supported")
      }
      guard arguments.value(0, "ensure_ascii").map({ !$0.isTrue }) ?? true else {
        throw TemplateFault(position, "\"ensure_ascii\" of \"tojson\" is not supported")
      }
      guard let json = value.json(indent: arguments.value(1, "indent")?.integer.map { min(max($0, 0), 64) }) else {
        throw TemplateFault(position, "\(value.typeName) cannot be written as JSON")
      }
      return try made(json, at: position)
    case "int": return .integer(wholeNumber(value) ?? arguments.value(0, "default")?.integer ?? 0)
    case "float": return .number(value.number ?? value.string.flatMap { Double(trimmed($0, nil)) } ?? 0)
    case "abs":
      if let number = value.integer, number != .min { return .integer(abs(number)) }
      guard let number = value.number else {
        throw TemplateFault(position, "expected a number, found \(value.typeName)")
      }
      return .number(abs(number))
    case "map":
      guard arguments.named.map(\.key) == ["attribute"] || arguments.named.isEmpty else {
        throw unsupported(call, "filter")
      }
      let items = try elements(of: value, at: position)
      if let name = arguments.values.first?.text() {
        let inner = Expression.Call(name: name, arguments: Expression.Arguments(), position: position)
        let rest = TemplateArguments(values: Array(arguments.values.dropFirst()), named: [])
        return .list(try items.map { try filter($0, inner, rest) })
      }
      return .list(try attributes(arguments.named.first?.value, of: items, at: position))
    case "select", "reject", "selectattr", "rejectattr":
      let items = try elements(of: value, at: position)
      let isOfAttributes = call.name.hasSuffix("attr")
      let tested = isOfAttributes ? try attributes(arguments.values.first, of: items, at: position) : items
      var rest = Array(arguments.values.dropFirst(isOfAttributes ? 1 : 0))
      let name = rest.isEmpty ? nil : rest.removeFirst().text()
      let inner = name.map { Expression.Call(name: $0, arguments: Expression.Arguments(), position: position) }
      let isWanted = call.name.hasPrefix("select")
      return .list(
        try zip(items, tested).filter { _, tested in
          let passes =
            try inner.map { try test(tested, $0, TemplateArguments(values: rest, named: [])) } ?? tested.isTrue
          return passes == isWanted
        }.map(\.0))
    default: throw unsupported(call, "filter")
    }
  }

  /// The items, or an attribute of each.
  private func attributes(_ attribute: Value?, of items: [Value], at position: Int) throws -> [Value] {
    guard let attribute else { return items }
    guard let name = attribute.string, !name.contains(".") else {
      throw TemplateFault(position, "expected the name of one attribute")
    }
    return items.map { item in
      if case .mapping(let mapping) = item { mapping[name] ?? .undefined(name) } else { .undefined(name) }
    }
  }

  /// The whole number that `int` makes of a value; nil if it makes none.
  private func wholeNumber(_ value: Value) -> Int? {
    if let number = value.integer { return number }
    if let text = value.string.map({ trimmed($0, nil) }), let number = Int(text) { return number }
    let number = value.number ?? value.string.flatMap { Double(trimmed($0, nil)) }
    return number.flatMap { Int(exactly: $0.rounded(.towardZero)) }
  }

  /// Whether a value passes a test.
  func test(_ value: Value, _ call: Expression.Call, _ arguments: TemplateArguments) throws -> Bool {
    func other() throws -> Value {
      guard let other = arguments.values.first else {
        throw TemplateFault(call.position, "the test \"\(call.name)\" needs a value to compare with")
      }
      return other
    }
    func compared(_ symbol: String) throws -> Bool { try compare(symbol, value, other(), at: call.position) }
    switch (call.name, value) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined), ("none", .none), ("boolean", .bool): return true
    case ("true", .bool(let value)): return value
    case ("false", .bool(let value)): return !value
    case ("undefined", _), ("none", _), ("boolean", _), ("true", _), ("false", _): return false
    case ("string", _): return value.string != nil
    case ("mapping", .mapping): return true
    case ("mapping", _): return false
    case ("iterable", .list), ("iterable", .mapping), ("iterable", .string), ("iterable", .undefined): return true
    case ("sequence", .list), ("sequence", .mapping), ("sequence", .string), ("sequence", .undefined): return true
    case ("iterable", _), ("sequence", _): return false
    case ("number", _): return value.number != nil
    case ("integer", .integer), ("float", .number): return true
    case ("integer", _), ("float", _): return false
    case ("callable", .macro), ("callable", .function), ("callable", .method): return true
    case ("callable", _): return false
    case ("odd", _), ("even", _), ("divisibleby", _):
      guard let number = value.integer else {
        throw TemplateFault(call.position, "expected a whole number, found \(value.typeName)")
      }
      guard call.name == "divisibleby" else { return (number % 2 == 0) == (call.name == "even") }
      guard let divisor = try other().integer, divisor != 0 else {
        throw TemplateFault(call.position, "\"divisibleby\" needs a whole number other than 0")
      }
      return number.remainderReportingOverflow(dividingBy: divisor).partialValue == 0
    case ("lower", _): return value.text().contains(where: \.isCased) && lowercased(value.text()) == value.text()
    case ("upper", _): return value.text().contains(where: \.isCased) && value.text().uppercased() == value.text()
    case ("==", _), ("!=", _), ("<", _), ("<=", _), (">", _), (">=", _): return try compared(call.name)
    case ("equalto", _), ("eq", _), ("sameas", _): return try compared("==")
    case ("ne", _): return try compared("!=")
    case ("in", _): return try compared("in")
    case ("lt", _), ("lessthan", _): return try compared("<")
    case ("le", _): return try compared("<=")
    case ("gt", _), ("greaterthan", _): return try compared(">")
    case ("ge", _): return try compared(">=")
    default: throw unsupported(call, "test")
    }
  }
}
