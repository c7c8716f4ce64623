/// Executes the statements of a template, within limits: of nesting, of work, and so of time and memory.
final class TemplateInterpreter {
  /// The names of the global functions.
  static let functions = ["raise_exception", "namespace", "range", "dict"]

  private var output = ""
  private var depth = 0
  /// Steps of work that are left; a step is a statement, a value, or 16 bytes of text.
  private var work: Int
  private static let maximumDepth = 300
  private static let maximumWork = 5_000_000

  /// `inputBytes` is the size of the conversation.
  init(inputBytes: Int) {
    work = Self.maximumWork + 4 * min(inputBytes, 1 << 40)
  }

  /// How a body ended.
  private enum Ending {
    case normal
    case leaveLoop
    case nextPass
  }

  func render(_ body: [Statement], in scope: Scope) throws -> String {
    defer { scope.clear() }
    _ = try execute(body, in: scope)
    return output
  }

  /// Counts work, and refuses too much of it.
  func spend(_ steps: Int, at position: Int) throws {
    work -= steps
    if work < 0 { throw TemplateFault(position, "the template takes too many steps") }
  }

  /// Counts the work for a text.
  func made(_ text: String, at position: Int) throws -> Value {
    try spend(1 + text.utf8.count / 16, at: position)
    return .string(text)
  }

  /// Counts the work for a list.
  func made(_ values: [Value], at position: Int) throws -> Value {
    try spend(1 + values.count, at: position)
    return .list(values)
  }

  /// Refuses a value inside another one that is no plain data or nested too deep, and counts its parts: what reads,
  /// compares or frees values goes into them.
  private func requireData(_ value: Value, depth: Int = 0, at position: Int) throws {
    try spend(1, at: position)
    guard depth < 50 else { throw TemplateFault(position, "the value is nested more than 50 levels deep") }
    switch value {
    case .undefined, .none, .bool, .integer, .number, .string: break
    case .list(let values): for value in values { try requireData(value, depth: depth + 1, at: position) }
    case .mapping(let mapping):
      for member in mapping.members { try requireData(member.value, depth: depth + 1, at: position) }
    case .namespace, .loop, .macro, .function, .method:
      throw TemplateFault(position, "\(value.typeName) inside another value is not supported")
    }
  }

  /// A list or an object that holds only data.
  private func data(_ value: Value, at position: Int) throws -> Value {
    try requireData(value, at: position)
    return value
  }

  /// Runs a body with variables of its own.
  private func inScope<Result>(within scope: Scope, _ body: (Scope) throws -> Result) rethrows -> Result {
    let inner = Scope(parent: scope)
    // A macro refers to the scope that it is in.
    defer { inner.clear() }
    return try body(inner)
  }

  private func nested<Result>(at position: Int, _ body: () throws -> Result) throws -> Result {
    guard depth < Self.maximumDepth else {
      throw TemplateFault(position, "is nested more than \(Self.maximumDepth) levels deep")
    }
    depth += 1
    defer { depth -= 1 }
    return try body()
  }

  // MARK: - Statements

  private func write(_ text: String, at position: Int) throws {
    try spend(1 + text.utf8.count / 16, at: position)
    output += text
  }

  /// The text that a body writes.
  private func captured(_ body: [Statement], in scope: Scope) throws -> String {
    let before = output
    output = ""
    defer { output = before }
    _ = try inScope(within: scope) { try execute(body, in: $0) }
    return output
  }

  private func execute(_ body: [Statement], in scope: Scope) throws -> Ending {
    for statement in body {
      let ending = try execute(statement, in: scope)
      if ending != .normal { return ending }
    }
    return .normal
  }

  private func execute(_ statement: Statement, in scope: Scope) throws -> Ending {
    switch statement {
    case .text(let text): try write(text, at: 0)
    case .output(let expression):
      try write(evaluate(expression, in: scope).text(), at: expression.position)
    case .condition(let branches, let otherwise):
      for (condition, body) in branches where try evaluate(condition, in: scope).isTrue {
        return try nested(at: condition.position) { try execute(body, in: scope) }
      }
      return try nested(at: 0) { try execute(otherwise, in: scope) }
    case .loop(let loop):
      try nested(at: loop.items.position) { try execute(loop, in: scope) }
    case .set(let targets, let value):
      try set(targets, to: evaluate(value, in: scope), isTuple: targets.count > 1, at: value.position, in: scope)
    case .setBlock(let target, let filters, let body):
      let text = try nested(at: target.position) { try captured(body, in: scope) }
      try set([target], to: filtered(text, by: filters, in: scope), isTuple: false, at: target.position, in: scope)
    case .macro(let definition): scope[definition.name] = .macro(Macro(definition: definition, scope: scope))
    case .scope(let body): return try nested(at: 0) { try inScope(within: scope) { try execute(body, in: $0) } }
    case .filtered(let filters, let body):
      let text = try nested(at: 0) { try captured(body, in: scope) }
      try write(filtered(text, by: filters, in: scope).text(), at: filters.first?.position ?? 0)
    case .leaveLoop: return .leaveLoop
    case .nextPass: return .nextPass
    }
    return .normal
  }

  private func filtered(_ text: String, by filters: [Expression.Call], in scope: Scope) throws -> Value {
    var value = Value.string(text)
    for call in filters { value = try filter(value, call, evaluated(call.arguments, in: scope)) }
    return value
  }

  private func execute(_ loop: Statement.Loop, in scope: Scope) throws {
    var items = try elements(of: evaluate(loop.items, in: scope), at: loop.items.position)
    func bind(_ item: Value, in inner: Scope) throws {
      try set(loop.targets, to: item, isTuple: loop.isTuple, at: loop.items.position, in: inner)
    }
    if let condition = loop.condition {
      items = try items.filter { item in
        try inScope(within: scope) { inner in
          try bind(item, in: inner)
          return try evaluate(condition, in: inner).isTrue
        }
      }
    }
    if items.isEmpty {
      _ = try inScope(within: scope) { try execute(loop.otherwise, in: $0) }
      return
    }
    for (index, item) in items.enumerated() {
      try spend(1, at: loop.items.position)
      let ending = try inScope(within: scope) { inner in
        try bind(item, in: inner)
        inner["loop"] = .loop(LoopState(items: items, index: index))
        return try execute(loop.body, in: inner)
      }
      if ending == .leaveLoop { break }
    }
  }

  private func set(
    _ targets: [Statement.Target], to value: Value, isTuple: Bool, at position: Int, in scope: Scope
  ) throws {
    let values = isTuple ? try elements(of: value, at: position) : [value]
    guard values.count == targets.count else {
      throw TemplateFault(position, "has \(values.count) values for \(targets.count) variables")
    }
    for (target, value) in zip(targets, values) {
      guard let attribute = target.attribute else {
        scope[target.name] = value
        continue
      }
      guard case .namespace(let namespace) = scope[target.name] else {
        throw TemplateFault(target.position, "\"\(target.name)\" is no namespace, so it has no attributes to set")
      }
      guard !attribute.hasPrefix("_") else {
        throw TemplateFault(target.position, "an attribute of a namespace cannot begin with \"_\"")
      }
      namespace.attributes[attribute] = try data(value, at: position)
    }
  }

  /// The elements of a list, the keys of an object, or the characters of a string.
  func elements(of value: Value, at position: Int) throws -> [Value] {
    let elements: [Value]
    switch value {
    case .list(let values): elements = values
    case .mapping(let mapping): elements = mapping.members.map { .string($0.key) }
    case .string(let text): elements = text.unicodeScalars.map { .string(String($0)) }
    case .undefined: elements = []
    default: throw TemplateFault(position, "expected a list, found \(value.typeName)")
    }
    try spend(elements.count, at: position)
    return elements
  }

  // MARK: - Expressions

  func evaluate(_ expression: Expression, in scope: Scope) throws -> Value {
    try spend(1, at: expression.position)
    let position = expression.position
    return try nested(at: position) {
      switch expression.kind {
      case .literal(let literal): return Value(literal)
      case .name(let name): return scope[name] ?? .undefined(name)
      case .list(let values): return try data(.list(values.map { try evaluate($0, in: scope) }), at: position)
      case .mapping(let members):
        let members = Mapping(
          try members.map { key, value in
            let name = try evaluate(key, in: scope)
            guard let text = name.string else {
              throw TemplateFault(key.position, "the key is \(name.typeName); only strings are supported")
            }
            return (text, try evaluate(value, in: scope))
          })
        return try data(.mapping(members), at: position)
      case .attribute(let value, let name):
        return try attribute(name, of: evaluate(value, in: scope), at: position)
      case .item(let value, let index):
        return try item(evaluate(index, in: scope), of: evaluate(value, in: scope), at: position)
      case .slice(let value, let start, let end, let step):
        let bounds = try [start, end, step].map { try $0.flatMap { try bound($0, in: scope) } }
        return try slice(evaluate(value, in: scope), bounds[0], bounds[1], bounds[2], at: position)
      case .call(let function, let arguments):
        return try call(evaluate(function, in: scope), evaluated(arguments, in: scope), at: position)
      case .filter(let value, let call):
        return try filter(evaluate(value, in: scope), call, evaluated(call.arguments, in: scope))
      case .test(let value, let call, let isNegated):
        return .bool(try test(evaluate(value, in: scope), call, evaluated(call.arguments, in: scope)) != isNegated)
      case .not(let value): return .bool(try !evaluate(value, in: scope).isTrue)
      case .negative(let value):
        return try binary("-", .integer(0), evaluate(value, in: scope), at: position)
      case .positive(let value):
        return try binary("+", .integer(0), evaluate(value, in: scope), at: position)
      case .and(let left, let right):
        let value = try evaluate(left, in: scope)
        return value.isTrue ? try evaluate(right, in: scope) : value
      case .or(let left, let right):
        let value = try evaluate(left, in: scope)
        return value.isTrue ? value : try evaluate(right, in: scope)
      case .binary(let symbol, let left, let right):
        return try binary(symbol, evaluate(left, in: scope), evaluate(right, in: scope), at: position)
      case .comparison(let first, let others):
        var left = try evaluate(first, in: scope)
        for (symbol, expression) in others {
          let right = try evaluate(expression, in: scope)
          guard try compare(symbol, left, right, at: position) else { return .bool(false) }
          left = right
        }
        return .bool(true)
      case .conditional(let value, let condition, let otherwise):
        if try evaluate(condition, in: scope).isTrue { return try evaluate(value, in: scope) }
        return try otherwise.map { try evaluate($0, in: scope) } ?? .undefined("the value without an else")
      }
    }
  }

  /// The values of arguments.
  private func evaluated(_ arguments: Expression.Arguments, in scope: Scope) throws -> TemplateArguments {
    TemplateArguments(
      values: try arguments.values.map { try evaluate($0, in: scope) },
      named: try arguments.named.map { ($0.name, try evaluate($0.value, in: scope)) })
  }

  private func undefined(_ name: String, _ position: Int) -> TemplateFault {
    TemplateFault(position, "\"\(name)\" is not defined")
  }

  private func attribute(_ name: String, of value: Value, at position: Int) throws -> Value {
    switch value {
    case .undefined(let missing): throw undefined(missing, position)
    case .mapping(let mapping):
      if TemplateInterpreter.methodsOfMappings.contains(name) { return .method(value, name) }
      return mapping[name] ?? .undefined(name)
    case .string: return TemplateInterpreter.methodsOfStrings.contains(name) ? .method(value, name) : .undefined(name)
    case .list: return ["append", "index", "count"].contains(name) ? .method(value, name) : .undefined(name)
    case .namespace(let namespace): return namespace.attributes[name] ?? .undefined(name)
    case .loop(let loop):
      guard !["changed", "cycle", "depth", "depth0"].contains(name) else {
        throw TemplateFault(position, "\"loop.\(name)\" is not supported")
      }
      return loop[name] ?? .undefined(name)
    default: return .undefined(name)
    }
  }

  private func item(_ index: Value, of value: Value, at position: Int) throws -> Value {
    if case .undefined(let missing) = value { throw undefined(missing, position) }
    if let name = index.string {
      if case .mapping(let mapping) = value, let found = mapping[name] { return found }
      return try attribute(name, of: value, at: position)
    }
    guard let number = index.integer else { return .undefined(index.text()) }
    func place(_ count: Int) -> Int? {
      let place = number < 0 ? number.addingReportingOverflow(count).partialValue : number
      return (0..<count).contains(place) ? place : nil
    }
    switch value {
    case .list(let values): return place(values.count).map { values[$0] } ?? .undefined("item \(number)")
    case .string(let text):
      let scalars = Array(text.unicodeScalars)
      try spend(scalars.count / 16, at: position)
      return place(scalars.count).map { .string(String(scalars[$0])) } ?? .undefined("character \(number)")
    default: return .undefined("item \(number)")
    }
  }

  /// A bound of a slice; nil for none.
  private func bound(_ expression: Expression, in scope: Scope) throws -> Int? {
    let value = try evaluate(expression, in: scope)
    if case .none = value { return nil }
    guard let bound = value.integer else {
      throw TemplateFault(expression.position, "expected a whole number, found \(value.typeName)")
    }
    return bound
  }

  private func slice(_ value: Value, _ start: Int?, _ end: Int?, _ step: Int?, at position: Int) throws -> Value {
    let step = step ?? 1
    guard step != 0 else { throw TemplateFault(position, "the step of a slice is 0") }
    func sliced<Element>(_ all: [Element]) throws -> [Element] {
      try spend(all.count / 16, at: position)
      func clamped(_ bound: Int?, _ otherwise: Int) -> Int {
        guard let bound else { return otherwise }
        let place = bound < 0 ? bound + all.count : bound
        return step > 0 ? min(max(place, 0), all.count) : min(max(place, -1), all.count - 1)
      }
      let first = clamped(start, step > 0 ? 0 : all.count - 1), last = clamped(end, step > 0 ? all.count : -1)
      return stride(from: first, to: last, by: step).map { all[$0] }
    }
    switch value {
    case .list(let values): return try made(sliced(values), at: position)
    case .string(let text):
      return try made(String(String.UnicodeScalarView(sliced(Array(text.unicodeScalars)))), at: position)
    case .undefined(let name): throw undefined(name, position)
    default: throw TemplateFault(position, "\(value.typeName) cannot be sliced")
    }
  }

  // MARK: - Operators

  private func binary(_ symbol: String, _ left: Value, _ right: Value, at position: Int) throws -> Value {
    switch (symbol, left, right) {
    case ("~", _, _): return try made(left.text() + right.text(), at: position)
    case (_, .undefined(let name), _), (_, _, .undefined(let name)): throw undefined(name, position)
    case ("+", .string(let a), .string(let b)): return try made(a + b, at: position)
    case ("+", .list(let a), .list(let b)): return try made(a + b, at: position)
    case ("*", .string(let text), let count), ("*", let count, .string(let text)):
      guard let count = count.integer else { break }
      let steps = (text.utf8.count / 16 + 1).multipliedReportingOverflow(by: max(count, 0))
      try spend(steps.overflow ? .max : steps.partialValue, at: position)
      return .string(String(repeating: text, count: max(count, 0)))
    case ("%", .string, _): throw TemplateFault(position, "formatting with \"%\" is not supported")
    default:
      if let value = try arithmetic(symbol, left, right, at: position) { return value }
    }
    throw TemplateFault(position, "cannot compute \(left.typeName) \(symbol) \(right.typeName)")
  }

  /// The result for numbers; nil for other values.
  private func arithmetic(_ symbol: String, _ left: Value, _ right: Value, at position: Int) throws -> Value? {
    if let a = left.integer, let b = right.integer, symbol != "/", symbol != "**" {
      let result: (partialValue: Int, overflow: Bool)
      switch symbol {
      case "+": result = a.addingReportingOverflow(b)
      case "-": result = a.subtractingReportingOverflow(b)
      case "*": result = a.multipliedReportingOverflow(by: b)
      case "//", "%":
        guard b != 0 else { throw TemplateFault(position, "divides by zero") }
        let quotient = a.dividedReportingOverflow(by: b), rest = a.remainderReportingOverflow(dividingBy: b)
        // Python rounds down.
        let isBelow = rest.partialValue != 0 && (rest.partialValue < 0) != (b < 0)
        result =
          symbol == "//"
          ? (quotient.partialValue - (isBelow ? 1 : 0), quotient.overflow)
          : (rest.partialValue + (isBelow ? b : 0), false)
      default: return nil
      }
      guard !result.overflow else { throw TemplateFault(position, "the result is too large") }
      return .integer(result.partialValue)
    }
    guard let a = left.number, let b = right.number else { return nil }
    switch symbol {
    case "+": return .number(a + b)
    case "-": return .number(a - b)
    case "*": return .number(a * b)
    case "/", "//", "%":
      guard b != 0 else { throw TemplateFault(position, "divides by zero") }
      if symbol == "/" { return .number(a / b) }
      let quotient = (a / b).rounded(.down)
      return .number(symbol == "//" ? quotient : a - quotient * b)
    case "**":
      guard let base = left.integer, let exponent = right.integer, (0...64).contains(exponent) else {
        throw TemplateFault(position, "\"**\" is supported for whole numbers, with exponents up to 64")
      }
      return try (0..<exponent).reduce(Value.integer(1)) { result, _ in
        try binary("*", result, .integer(base), at: position)
      }
    default: return nil
    }
  }

  func compare(_ symbol: String, _ left: Value, _ right: Value, at position: Int) throws -> Bool {
    switch symbol {
    case "==": return left.equals(right)
    case "!=": return !left.equals(right)
    case "in": return try contains(right, left, at: position)
    case "not in": return try !contains(right, left, at: position)
    default: break
    }
    let isLess: Bool, isEqual: Bool
    if let a = left.number, let b = right.number {
      (isLess, isEqual) = (a < b, a == b)
    } else if let a = left.string, let b = right.string {
      // UTF-8 has the order of the characters' numbers.
      (isLess, isEqual) = (a.utf8.lexicographicallyPrecedes(b.utf8), isSame(a, b))
    } else {
      throw TemplateFault(position, "cannot compare \(left.typeName) with \(right.typeName)")
    }
    switch symbol {
    case "<": return isLess
    case "<=": return isLess || isEqual
    case ">": return !isLess && !isEqual
    default: return !isLess
    }
  }

  private func contains(_ whole: Value, _ part: Value, at position: Int) throws -> Bool {
    switch whole {
    case .string(let text):
      guard let part = part.string else {
        throw TemplateFault(position, "expected a string in a string, found \(part.typeName)")
      }
      try spend(1 + text.utf8.count / 16, at: position)
      return part.isEmpty || firstPlace(of: Array(part.unicodeScalars), in: Array(text.unicodeScalars), from: 0) != nil
    case .mapping(let mapping): return part.string.map { mapping[$0] != nil } ?? false
    case .list, .undefined: return try elements(of: whole, at: position).contains { $0.equals(part) }
    default: throw TemplateFault(position, "expected a list or a string, found \(whole.typeName)")
    }
  }

  // MARK: - Calls

  private func call(_ function: Value, _ arguments: TemplateArguments, at position: Int) throws -> Value {
    switch function {
    case .macro(let macro): return try call(macro, arguments, at: position)
    case .method(let value, let name): return try call(name, of: value, arguments, at: position)
    case .function(let name): return try call(name, arguments, at: position)
    case .undefined("strftime_now"):
      throw TemplateFault(
        position,
        "\"strftime_now\" is not supported: the date would change the prompt from day to day; write a date "
          + "into a copy of the template")
    case .undefined(let name): throw TemplateFault(position, "the function \"\(name)\" is not supported")
    default: throw TemplateFault(position, "\(function.typeName) cannot be called")
    }
  }

  private func call(_ macro: Macro, _ arguments: TemplateArguments, at position: Int) throws -> Value {
    let definition = macro.definition, scope = Scope(parent: macro.scope)
    defer { scope.clear() }
    guard arguments.values.count <= definition.parameters.count else {
      throw TemplateFault(position, "\"\(definition.name)\" takes \(definition.parameters.count) arguments")
    }
    for (name, _) in arguments.named where !definition.parameters.contains(where: { $0.name == name }) {
      throw TemplateFault(position, "\"\(definition.name)\" has no parameter \"\(name)\"")
    }
    for (index, (name, value)) in definition.parameters.enumerated() {
      if index < arguments.values.count {
        scope[name] = arguments.values[index]
      } else if let given = arguments.named.first(where: { $0.key == name }) {
        scope[name] = given.value
      } else {
        scope[name] = try value.map { try evaluate($0, in: scope) } ?? .undefined(name)
      }
    }
    return .string(try nested(at: position) { try captured(definition.body, in: scope) })
  }

  private func call(_ name: String, _ arguments: TemplateArguments, at position: Int) throws -> Value {
    switch name {
    case "raise_exception":
      throw TemplateFault(position, "the template says \"\(arguments.values.first?.text() ?? "")\"")
    case "namespace", "dict":
      guard arguments.values.isEmpty else { throw TemplateFault(position, "\"\(name)\" takes named arguments only") }
      let members = Mapping(arguments.named)
      try requireData(.mapping(members), at: position)
      if name == "dict" { return .mapping(members) }
      let namespace = Namespace()
      namespace.attributes = members
      return .namespace(namespace)
    default:
      let bounds = arguments.values.compactMap(\.integer)
      guard bounds.count == arguments.values.count, (1...3).contains(bounds.count), arguments.named.isEmpty,
        bounds.count < 3 || bounds[2] != 0
      else { throw TemplateFault(position, "\"range\" takes one to three whole numbers, and no step of 0") }
      let start = bounds.count > 1 ? bounds[0] : 0, end = bounds.count > 1 ? bounds[1] : bounds[0]
      let step = bounds.count > 2 ? bounds[2] : 1
      let places = stride(from: start, to: end, by: step)
      var values: [Value] = []
      for place in places {
        guard values.count < 100_000 else { throw TemplateFault(position, "\"range\" has more than 100000 numbers") }
        values.append(.integer(place))
      }
      return try made(values, at: position)
    }
  }
}

/// The values of arguments.
struct TemplateArguments {
  let values: [Value]
  let named: [(key: String, value: Value)]

  /// The argument at an index or with a name; nil if it is not given.
  func value(_ index: Int, _ name: String) -> Value? {
    index < values.count ? values[index] : named.first(where: { $0.key == name })?.value
  }
}

extension Value {
  fileprivate init(_ literal: Expression.Literal) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .string(value)
    }
  }
}

/// The first place of a sequence inside another one, from an offset; nil if it does not occur.
func firstPlace(of part: [Unicode.Scalar], in whole: [Unicode.Scalar], from start: Int) -> Int? {
  guard part.count <= whole.count else { return nil }
  return (start..<max(start, whole.count - part.count + 1)).first { place in
    whole[place..<(place + part.count)].elementsEqual(part)
  }
}
