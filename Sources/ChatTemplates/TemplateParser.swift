/// Makes statements of a template's tokens.
struct TemplateParser {
  private let tokens: [TemplateToken]
  private let end: Int
  private var index = 0
  private var depth = 0
  private static let maximumDepth = 100

  /// `end` is the length of the source, for messages.
  init(_ tokens: [TemplateToken], end: Int) {
    self.tokens = tokens
    self.end = end
  }

  mutating func template() throws -> [Statement] { try statements(until: []).body }

  // MARK: - Tokens

  private var current: TemplateToken.Kind? { index < tokens.count ? tokens[index].kind : nil }
  private var position: Int { index < tokens.count ? tokens[index].position : end }

  private func isSymbol(_ symbol: String) -> Bool { current == .symbol(symbol) }
  private func isName(_ name: String) -> Bool { current == .name(name) }

  private mutating func take(_ kind: TemplateToken.Kind) -> Bool {
    guard current == kind else { return false }
    index += 1
    return true
  }

  private mutating func expect(_ kind: TemplateToken.Kind, _ words: String) throws {
    guard take(kind) else { throw fault("expected \(words)") }
  }

  private mutating func expect(symbol: String) throws { try expect(.symbol(symbol), "\"\(symbol)\"") }

  private func fault(_ problem: String) -> TemplateFault {
    let found =
      switch current {
      case nil: "the template ends"
      case .text: "found text"
      case .beginOutput: "found \"{{\""
      case .endOutput: "found \"}}\""
      case .beginStatement: "found \"{%\""
      case .endStatement: "found \"%}\""
      case .name(let name), .symbol(let name): "found \"\(name)\""
      case .string: "found a string"
      case .integer, .number: "found a number"
      }
    return TemplateFault(position, "\(problem), \(found)")
  }

  private mutating func name(_ words: String) throws -> String {
    guard case .name(let name) = current else { throw fault("expected \(words)") }
    index += 1
    return name
  }

  private mutating func nested<Result>(_ parse: (inout TemplateParser) throws -> Result) throws -> Result {
    guard depth < Self.maximumDepth else {
      throw TemplateFault(position, "is nested more than \(Self.maximumDepth) levels deep")
    }
    depth += 1
    defer { depth -= 1 }
    return try parse(&self)
  }

  // MARK: - Statements

  /// Statements up to one of these names, which is taken with its `{%`; an empty list: up to the end.
  private mutating func statements(until names: [String]) throws -> (body: [Statement], name: String) {
    let start = position
    return try nested { parser in
      var body: [Statement] = []
      while let token = parser.current {
        switch token {
        case .text(let text):
          parser.index += 1
          body.append(.text(text))
        case .beginOutput:
          parser.index += 1
          let value = try parser.tuple()
          try parser.expect(.endOutput, "\"}}\"")
          body.append(.output(value))
        case .beginStatement:
          parser.index += 1
          let name = try parser.name("a statement")
          if names.contains(name) { return (body, name) }
          body.append(try parser.statement(name))
        default: throw parser.fault("expected text or a tag")
        }
      }
      guard names.isEmpty else {
        throw TemplateFault(start, "expected \(names.map { "\"\($0)\"" }.joined(separator: " or ")), the template ends")
      }
      return (body, "")
    }
  }

  private mutating func endStatement() throws { try expect(.endStatement, "\"%}\"") }

  /// A body up to one of these names, with the ends of its first and its last tag.
  private mutating func block(until names: String...) throws -> (body: [Statement], name: String) {
    try endStatement()
    return try statements(until: names)
  }

  private mutating func statement(_ name: String) throws -> Statement {
    let start = tokens[index - 1].position
    let statement: Statement
    switch name {
    case "if": statement = try condition()
    case "for": statement = try loop()
    case "set": return try set()
    case "macro": statement = try macro()
    case "generation": statement = .scope(try block(until: "endgeneration").body)
    case "filter":
      var calls: [Expression.Call] = []
      repeat { calls.append(try call(of: "filter")) } while take(.symbol("|"))
      statement = .filtered(calls, try block(until: "endfilter").body)
    case "break": statement = .leaveLoop(position: start)
    case "continue": statement = .nextPass(position: start)
    default: throw TemplateFault(start, "the statement \"\(name)\" is not supported")
    }
    try endStatement()
    return statement
  }

  private mutating func condition() throws -> Statement {
    var branches: [(condition: Expression, body: [Statement])] = []
    while true {
      let condition = try tuple(allowsConditional: false)
      let (body, end) = try block(until: "elif", "else", "endif")
      branches.append((condition, body))
      if end == "elif" { continue }
      return .condition(branches, otherwise: end == "else" ? try block(until: "endif").body : [])
    }
  }

  private mutating func loop() throws -> Statement {
    let (targets, isTuple) = try targets()
    guard take(.name("in")) else { throw fault("expected \"in\"") }
    let items = try tuple(allowsConditional: false)
    let condition = take(.name("if")) ? try expression() : nil
    if isName("recursive") { throw TemplateFault(position, "\"recursive\" loops are not supported") }
    let (body, end) = try block(until: "else", "endfor")
    let otherwise = end == "else" ? try block(until: "endfor").body : []
    return .loop(
      Statement.Loop(
        targets: targets, isTuple: isTuple, items: items, condition: condition, body: body, otherwise: otherwise))
  }

  private mutating func targets() throws -> (targets: [Statement.Target], isTuple: Bool) {
    var targets: [Statement.Target] = []
    var isTuple = false
    let isParenthesised = take(.symbol("("))
    repeat {
      if !targets.isEmpty, isName("in") || isSymbol("=") || isSymbol(")") { break }
      let start = position
      let name = try name("the name of a variable")
      guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
        throw TemplateFault(start, "cannot set \"\(name)\"")
      }
      let attribute = take(.symbol(".")) ? try self.name("the name of an attribute") : nil
      targets.append(Statement.Target(name: name, attribute: attribute, position: start))
      if isSymbol(",") { isTuple = true }
    } while take(.symbol(","))
    if isParenthesised { try expect(symbol: ")") }
    return (targets, isTuple)
  }

  private mutating func set() throws -> Statement {
    let (targets, _) = try targets()
    if take(.symbol("=")) {
      let value = try tuple()
      try endStatement()
      return .set(targets, value)
    }
    guard let target = targets.first, targets.count == 1 else { throw fault("expected \"=\"") }
    var filters: [Expression.Call] = []
    while take(.symbol("|")) { filters.append(try call(of: "filter")) }
    let body = try block(until: "endset").body
    try endStatement()
    return .setBlock(target, filters: filters, body)
  }

  private mutating func macro() throws -> Statement {
    let name = try name("the name of a macro")
    var parameters: [(name: String, value: Expression?)] = []
    try expect(symbol: "(")
    while !take(.symbol(")")) {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let parameter = try self.name("the name of a parameter")
      parameters.append((parameter, take(.symbol("=")) ? try expression() : nil))
    }
    let body = try block(until: "endmacro").body
    return .macro(Statement.MacroDefinition(name: name, parameters: parameters, body: body))
  }

  // MARK: - Expressions

  /// An expression, or several with commas between them, which are a list.
  private mutating func tuple(allowsConditional: Bool = true) throws -> Expression {
    func one(_ parser: inout TemplateParser) throws -> Expression {
      allowsConditional ? try parser.expression() : try parser.nested { try $0.or() }
    }
    let start = position
    let first = try one(&self)
    guard isSymbol(",") else { return first }
    var values = [first]
    while take(.symbol(",")) {
      switch current {
      case .endOutput, .endStatement, .symbol(")"), .symbol("]"), .name("in"): break
      default:
        values.append(try one(&self))
        continue
      }
      break
    }
    return Expression(.list(values), start)
  }

  private mutating func expression() throws -> Expression {
    try nested { parser in
      var value = try parser.or()
      while case let start = parser.position, parser.take(.name("if")) {
        let condition = try parser.or()
        let otherwise = parser.take(.name("else")) ? try parser.expression() : nil
        value = Expression(.conditional(value, condition: condition, otherwise: otherwise), start)
      }
      return value
    }
  }

  private mutating func or() throws -> Expression {
    var left = try and()
    while case let start = position, take(.name("or")) { left = Expression(.or(left, try and()), start) }
    return left
  }

  private mutating func and() throws -> Expression {
    var left = try not()
    while case let start = position, take(.name("and")) { left = Expression(.and(left, try not()), start) }
    return left
  }

  private mutating func not() throws -> Expression {
    let start = position
    guard take(.name("not")) else { return try comparison() }
    return Expression(.not(try nested { try $0.not() }), start)
  }

  private mutating func comparison() throws -> Expression {
    let start = position
    let left = try binary(0)
    var others: [(symbol: String, value: Expression)] = []
    while true {
      if case .symbol(let symbol) = current, ["==", "!=", "<", "<=", ">", ">="].contains(symbol) {
        index += 1
        others.append((symbol, try binary(0)))
      } else if take(.name("in")) {
        others.append(("in", try binary(0)))
      } else if isName("not"), index + 1 < tokens.count, tokens[index + 1].kind == .name("in") {
        index += 2
        others.append(("not in", try binary(0)))
      } else {
        return others.isEmpty ? left : Expression(.comparison(left, others), start)
      }
    }
  }

  /// The operators that join two values, the loosest first.
  private static let operators = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]]

  private mutating func binary(_ level: Int) throws -> Expression {
    guard level < Self.operators.count else { return try unary() }
    var left = try binary(level + 1)
    while case .symbol(let symbol) = current, Self.operators[level].contains(symbol) {
      let start = position
      index += 1
      left = Expression(.binary(symbol, left, try binary(level + 1)), start)
    }
    return left
  }

  private mutating func unary(takesFilters: Bool = true) throws -> Expression {
    let start = position
    var value: Expression
    if take(.symbol("-")) {
      value = Expression(.negative(try nested { try $0.unary(takesFilters: false) }), start)
    } else if take(.symbol("+")) {
      value = Expression(.positive(try nested { try $0.unary(takesFilters: false) }), start)
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return takesFilters ? try filters(of: value) : value
  }

  private mutating func primary() throws -> Expression {
    let start = position
    guard let kind = current else { throw fault("expected a value") }
    index += 1
    switch kind {
    case .name("true"), .name("True"): return Expression(.literal(.bool(true)), start)
    case .name("false"), .name("False"): return Expression(.literal(.bool(false)), start)
    case .name("none"), .name("None"): return Expression(.literal(.none), start)
    case .name(let name): return Expression(.name(name), start)
    case .integer(let value): return Expression(.literal(.integer(value)), start)
    case .number(let value): return Expression(.literal(.number(value)), start)
    case .string(var text):
      while case .string(let more) = current {
        text += more
        index += 1
      }
      return Expression(.literal(.string(text)), start)
    case .symbol("("):
      if take(.symbol(")")) { return Expression(.list([]), start) }
      let value = try nested { try $0.tuple() }
      try expect(symbol: ")")
      return value
    case .symbol("["):
      var values: [Expression] = []
      while !take(.symbol("]")) {
        if !values.isEmpty {
          try expect(symbol: ",")
          if take(.symbol("]")) { break }
        }
        values.append(try expression())
      }
      return Expression(.list(values), start)
    case .symbol("{"):
      var members: [(key: Expression, value: Expression)] = []
      while !take(.symbol("}")) {
        if !members.isEmpty {
          try expect(symbol: ",")
          if take(.symbol("}")) { break }
        }
        let key = try expression()
        try expect(symbol: ":")
        members.append((key, try expression()))
      }
      return Expression(.mapping(members), start)
    default:
      index -= 1
      throw fault("expected a value")
    }
  }

  /// Attributes, items, slices and calls after a value.
  private mutating func postfix(_ value: Expression) throws -> Expression {
    var value = value
    while true {
      let start = position
      if take(.symbol(".")) {
        if case .integer(let index) = current {
          self.index += 1
          value = Expression(.item(value, Expression(.literal(.integer(index)), start)), start)
        } else {
          value = Expression(.attribute(value, try name("the name of an attribute")), start)
        }
      } else if take(.symbol("[")) {
        value = try item(of: value, start)
      } else if isSymbol("(") {
        value = Expression(.call(value, try arguments()), start)
      } else {
        return value
      }
    }
  }

  private mutating func item(of value: Expression, _ start: Int) throws -> Expression {
    func part(_ parser: inout TemplateParser) throws -> Expression? {
      parser.isSymbol(":") || parser.isSymbol("]") ? nil : try parser.expression()
    }
    let first = try part(&self)
    guard take(.symbol(":")) else {
      guard let first else { throw fault("expected an index") }
      try expect(symbol: "]")
      return Expression(.item(value, first), start)
    }
    let end = try part(&self)
    let step = take(.symbol(":")) ? try part(&self) : nil
    try expect(symbol: "]")
    return Expression(.slice(value, start: first, end: end, step: step), start)
  }

  private mutating func arguments() throws -> Expression.Arguments {
    var arguments = Expression.Arguments()
    var isFirst = true
    try expect(symbol: "(")
    while !take(.symbol(")")) {
      if !isFirst {
        try expect(symbol: ",")
        if take(.symbol(")")) { break }
      }
      isFirst = false
      if isSymbol("*") || isSymbol("**") {
        throw fault("lists of arguments (\"*\", \"**\") are not supported; expected a value")
      }
      if case .name(let name) = current, index + 1 < tokens.count, tokens[index + 1].kind == .symbol("=") {
        index += 2
        arguments.named.append((name, try expression()))
      } else {
        guard arguments.named.isEmpty else { throw fault("expected a named argument") }
        arguments.values.append(try expression())
      }
    }
    return arguments
  }

  /// Filters, tests and calls after a value.
  private mutating func filters(of value: Expression) throws -> Expression {
    var value = value
    while true {
      let start = position
      if take(.symbol("|")) {
        value = Expression(.filter(value, try call(of: "filter")), start)
      } else if take(.name("is")) {
        let isNegated = take(.name("not"))
        value = Expression(.test(value, try test(), isNegated: isNegated), start)
      } else if isSymbol("(") {
        value = Expression(.call(value, try arguments()), start)
      } else {
        return value
      }
    }
  }

  private mutating func call(of what: String) throws -> Expression.Call {
    let start = position
    let name = try name("the name of a \(what)")
    return Expression.Call(
      name: name, arguments: isSymbol("(") ? try arguments() : Expression.Arguments(), position: start)
  }

  /// A test, whose only argument needs no parentheses.
  private mutating func test() throws -> Expression.Call {
    let start = position
    let test = try call(of: "test")
    guard tokens[index - 1].kind == .name(test.name) else { return test }
    switch current {
    case .name("else"), .name("or"), .name("and"), .name("is"), .name("if"), .name("in"), .name("not"): return test
    case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
      var arguments = Expression.Arguments()
      arguments.values = [try postfix(primary())]
      return Expression.Call(name: test.name, arguments: arguments, position: start)
    default: return test
    }
  }
}
