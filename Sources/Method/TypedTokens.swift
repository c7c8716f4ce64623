/// The role of a token in an example: `type mod 4`, and none for type 0.
package enum TokenRole: Int, Sendable, CaseIterable {
  /// Separators, end of text, padding.
  case none = 0
  /// "input: ".
  case inputTemplate
  /// The user's text.
  case input
  /// "output: ".
  case outputTemplate
  /// The label to predict; never moved.
  case label

  /// The role of a PEFT token type.
  package init(type: Int) {
    self = type <= 0 ? .none : TokenRole(rawValue: (type - 1) % 4 + 1) ?? .none
  }

  /// Whether tokens of this role are optimised.
  package var isTrained: Bool { self != .none && self != .label }

  /// The role in words.
  package var name: String {
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
package struct TypedTokens: Sendable, Equatable {
  package var ids: [Int]
  package var types: [Int]

  /// - Precondition: both have the same length.
  package init(ids: [Int] = [], types: [Int] = []) {
    precondition(ids.count == types.count)
    self.ids = ids
    self.types = types
  }

  package var count: Int { ids.count }

  package mutating func append(_ other: TypedTokens) {
    ids += other.ids
    types += other.types
  }

  /// The tokens with their non-zero types raised by an offset.
  package func raisingTypes(by offset: Int) -> TypedTokens {
    TypedTokens(ids: ids, types: types.map { $0 > 0 ? $0 + offset : $0 })
  }

  /// The tokens of a range.
  package subscript(range: Range<Int>) -> TypedTokens {
    TypedTokens(ids: Array(ids[range]), types: Array(types[range]))
  }

  /// The tokens at some positions.
  package func keeping(_ positions: [Int]) -> TypedTokens {
    TypedTokens(ids: positions.map { ids[$0] }, types: positions.map { types[$0] })
  }

  /// The offset for the types of following tokens: the largest type, rounded up to a multiple of 4.
  ///
  /// PEFT adds the largest type itself. That is equal if the tokens end with a label group, and turns templates into
  /// targets otherwise.
  package var nextTypeOffset: Int { ((types.max() ?? 0) + 3) / 4 * 4 }

  /// The number of tokens of an example that are computed: those before its last label, which is only predicted.
  ///
  /// - Precondition: it has a label.
  package var computedCount: Int {
    guard let last = labelPositions.last else { preconditionFailure("an example has a label") }
    return last
  }

  /// Positions of label tokens.
  package var labelPositions: [Int] { types.indices.filter { TokenRole(type: types[$0]) == .label } }
}
