/// A compiled regular expression: a machine whose threads run in parallel, ordered by priority.
///
/// Source: Russ Cox, "Regular Expression Matching: the Virtual Machine Approach" (2009).
package struct Pattern: Sendable {
  /// How the bytes of a text encode characters.
  package enum Spelling: Sendable {
    case utf8
    /// Each byte is a letter of `ByteAlphabet`.
    case byteLetters
  }

  enum Instruction: Sendable {
    /// Consumes a character of a set.
    case character(set: Int)
    /// Continues if the next character is in a set, or is not.
    case lookahead(set: Int, isNegated: Bool)
    /// Continues at both places, the first with higher priority.
    case fork(Int, Int)
    case jump(Int)
    case match
  }

  private(set) var instructions: [Instruction] = []
  /// The distinct sets of the instructions, at most 64.
  private(set) var sets: [CharacterSet] = []
  let spelling: Spelling

  /// Compiles an expression.
  ///
  /// - Throws: `RegularExpression.Unsupported` if it matches the empty text or is too large.
  package init(_ expression: RegularExpression, spelling: Spelling = .utf8) throws(RegularExpression.Unsupported) {
    self.spelling = spelling
    if expression.matchesEmptyText { throw .init() }
    try append(expression)
    instructions.append(.match)
  }

  private mutating func append(_ expression: RegularExpression) throws(RegularExpression.Unsupported) {
    guard instructions.count < 10_000 else { throw .init() }
    switch expression {
    case .character(let set):
      instructions.append(.character(set: try index(of: set)))
    case .lookahead(let set, let isNegated):
      instructions.append(.lookahead(set: try index(of: set), isNegated: isNegated))
    case .sequence(let parts):
      for part in parts { try append(part) }
    case .alternatives(let parts):
      var jumps: [Int] = []
      for part in parts.dropLast() {
        let fork = appendPlaceholder()
        try append(part)
        jumps.append(appendPlaceholder())
        instructions[fork] = .fork(fork + 1, instructions.count)
      }
      if let last = parts.last { try append(last) }
      for jump in jumps { instructions[jump] = .jump(instructions.count) }
    case .repetition(let part, let atLeast, let atMost):
      for _ in 0..<atLeast { try append(part) }
      if let atMost {
        var forks: [Int] = []
        for _ in atLeast..<atMost {
          forks.append(appendPlaceholder())
          try append(part)
        }
        for fork in forks { instructions[fork] = .fork(fork + 1, instructions.count) }
      } else {
        let fork = appendPlaceholder()
        try append(part)
        instructions.append(.jump(fork))
        instructions[fork] = .fork(fork + 1, instructions.count)
      }
    }
  }

  private mutating func appendPlaceholder() -> Int {
    instructions.append(.match)
    return instructions.count - 1
  }

  private mutating func index(of set: CharacterSet) throws(RegularExpression.Unsupported) -> Int {
    if let index = sets.firstIndex(of: set) { return index }
    guard sets.count < 64 else { throw .init() }
    sets.append(set)
    return sets.count - 1
  }
}
