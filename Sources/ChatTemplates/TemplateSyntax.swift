/// A statement of a template.
indirect enum Statement: Sendable {
  case text(String)
  case output(Expression)
  case condition([(condition: Expression, body: [Statement])], otherwise: [Statement])
  case loop(Loop)
  case set([Target], Expression)
  /// The text of a body, after filters.
  case setBlock(Target, filters: [Expression.Call], [Statement])
  case macro(MacroDefinition)
  /// A body with variables of its own: `generation`.
  case scope([Statement])
  case filtered([Expression.Call], [Statement])
  case leaveLoop(position: Int)
  case nextPass(position: Int)

  struct Loop: Sendable {
    let targets: [Target]
    let isTuple: Bool
    let items: Expression
    let condition: Expression?
    let body: [Statement]
    let otherwise: [Statement]
  }

  /// A variable, or an attribute of a namespace.
  struct Target: Sendable {
    let name: String
    let attribute: String?
    let position: Int
  }

  struct MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, value: Expression?)]
    let body: [Statement]
  }
}

/// An expression with the offset of the part that its errors name.
struct Expression: Sendable {
  let kind: Kind
  let position: Int

  init(_ kind: Kind, _ position: Int) {
    self.kind = kind
    self.position = position
  }

  indirect enum Kind: Sendable {
    case literal(Literal)
    case name(String)
    case list([Expression])
    case mapping([(key: Expression, value: Expression)])
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression, start: Expression?, end: Expression?, step: Expression?)
    case call(Expression, Arguments)
    case filter(Expression, Call)
    case test(Expression, Call, isNegated: Bool)
    case not(Expression)
    case negative(Expression)
    case positive(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case binary(String, Expression, Expression)
    case comparison(Expression, [(symbol: String, value: Expression)])
    case conditional(Expression, condition: Expression, otherwise: Expression?)
  }

  enum Literal: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
  }

  struct Arguments: Sendable {
    var values: [Expression] = []
    var named: [(name: String, value: Expression)] = []
  }

  /// A filter or a test with its arguments.
  struct Call: Sendable {
    let name: String
    let arguments: Arguments
    let position: Int
  }
}
