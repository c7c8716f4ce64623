/// The part a token plays in an example; `type mod 4` says it, and type 0 is none.
public enum TokenRole: Int, Sendable, CaseIterable {
  /// Separators, end of text, padding.
  case none = 0
  /// "input: ".
  case inputTemplate
  /// The user's text.
  case input
  /// "output: ".
  case outputTemplate
  /// What is to be predicted; never moved.
  case label

  /// The role a PEFT token type stands for.
  public init(type: Int) {
    self = type <= 0 ? .none : TokenRole(rawValue: (type - 1) % 4 + 1) ?? .none
  }

  /// Whether tokens of this role are optimised.
  public var isTrained: Bool { self != .none && self != .label }

  /// The role in words.
  public var name: String {
    switch self {
    case .none: "none"
    case .inputTemplate: "input template"
    case .input: "input"
    case .outputTemplate: "output template"
    case .label: "label"
    }
  }
}

/// Token ids with PEFT's token types: `type mod 4` is the role, `(type - 1) div 4` the example.
public struct TypedTokens: Sendable, Equatable {
  public var ids: [Int]
  public var types: [Int]

  /// - Precondition: both are of one length.
  public init(ids: [Int] = [], types: [Int] = []) {
    precondition(ids.count == types.count)
    self.ids = ids
    self.types = types
  }

  public var count: Int { ids.count }

  public mutating func append(_ other: TypedTokens) {
    ids += other.ids
    types += other.types
  }

  /// The tokens with their non-zero types raised.
  public func raisingTypes(by offset: Int) -> TypedTokens {
    TypedTokens(ids: ids, types: types.map { $0 > 0 ? $0 + offset : $0 })
  }

  /// The tokens of a range.
  public subscript(range: Range<Int>) -> TypedTokens {
    TypedTokens(ids: Array(ids[range]), types: Array(types[range]))
  }

  /// What the types of tokens that follow are raised by: the next multiple of 4 of the largest type.
  ///
  /// PEFT adds the largest type itself, which is the same whenever the tokens end with a label group, and turns
  /// templates into targets otherwise.
  public var nextTypeOffset: Int { ((types.max() ?? 0) + 3) / 4 * 4 }

  /// Positions of label tokens.
  public var labelPositions: [Int] { types.indices.filter { TokenRole(type: types[$0]) == .label } }
}
