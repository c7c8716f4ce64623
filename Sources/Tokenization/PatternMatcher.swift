/// Finds the matches of a pattern with a deterministic automaton, built lazily.
///
/// A state is the list of active threads, ordered by priority. Characters in the same sets of the pattern are one
/// symbol. Matches and lookaheads are decided once the next symbol is known, so a match ends before the symbol that
/// shows it.
package struct PatternMatcher: Sendable {
  private let pattern: Pattern
  /// The sets that contain the characters of each symbol, as bits; symbol 0 is the end of the text.
  private var symbols: [UInt64] = [0]
  /// The transition by state and byte, for bytes that are a character on their own; -1 while unknown, and for other
  /// bytes.
  private var byteTransitions = [Int32](repeating: -1, count: 512)
  /// The symbol of each scalar from U+0000 to the highest seen; 0 while unknown.
  private var symbolOfScalar: [UInt16] = []
  /// The threads of each state; state 0 has none, state 1 is the initial state.
  private var states: [[Int32]] = [[], [0]]
  private var stateOfThreads: [[Int32]: Int] = [[]: 0, [0]: 1]
  /// By state and symbol: the next state times two, plus one if a match ends before the symbol; -1 while unknown.
  private var transitions: [Int32]
  /// There is room for `1 << width` symbols.
  private var width = 5
  private static let largestCountOfStates = 2000

  package init(_ pattern: Pattern) {
    self.pattern = pattern
    transitions = Array(repeating: -1, count: 2 << width)
  }

  /// The end of the match that begins at `start`; nil if there is none; `end` is the end of the text.
  @inline(__always)
  package mutating func endOfMatch(from start: Int, to end: Int, in bytes: Span<UInt8>) -> Int? {
    var state = 1
    var position = start
    var found = -1
    while true {
      var length = 1
      var transition = -1
      if position < end { transition = Int(byteTransitions[state << 8 + Int(bytes[position])]) }
      if transition < 0 { (transition, length) = slowTransition(from: state, at: position, to: end, in: bytes) }
      if transition & 1 != 0 { found = position }
      state = transition >> 1
      if state == 0 { return found < 0 ? nil : found }
      position += length
    }
  }

  /// The bytes of the character at an offset.
  func lengthOfCharacter(at position: Int, in bytes: Span<UInt8>) -> Int {
    let lead = bytes[position]
    return pattern.spelling == .byteLetters || lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
  }

  /// The transition by the character at an offset, or by the end of the text, and the character's length.
  @inline(never)
  private mutating func slowTransition(
    from state: Int, at position: Int, to end: Int, in bytes: Span<UInt8>
  ) -> (transition: Int, length: Int) {
    let (symbol, length) = position < end ? self.symbol(at: position, in: bytes) : (0, 1)
    var transition = Int(transitions[state << width + symbol])
    if transition < 0 { transition = newTransition(from: state, symbol: symbol) }
    // If the automaton was rebuilt, the state may no longer exist.
    if position < end, pattern.spelling == .byteLetters || bytes[position] < 0x80, state < states.count,
      transitions[state << width + symbol] == transition
    {
      byteTransitions[state << 8 + Int(bytes[position])] = Int32(transition)
    }
    return (transition, length)
  }

  // MARK: - Symbols

  private mutating func symbol(at position: Int, in bytes: Span<UInt8>) -> (symbol: Int, length: Int) {
    let first = bytes[position]
    if pattern.spelling == .byteLetters { return (symbol(of: ByteAlphabet.letters[Int(first)]), 1) }
    if first < 0x80 { return (symbol(of: Unicode.Scalar(first)), 1) }
    let (value, length) = bytes.scalarValue(at: position)
    // Two planes hold nearly all text; the symbols of other scalars are computed each time.
    if value < 0x20000 {
      if value >= symbolOfScalar.count {
        let count = value < 0x3000 ? 0x3000 : value < 0x10000 ? 0x10000 : 0x20000
        symbolOfScalar += Array(repeating: 0, count: count - symbolOfScalar.count)
      }
      let known = Int(symbolOfScalar[Int(value)])
      if known != 0 { return (known, length) }
    }
    let symbol = symbol(of: Unicode.Scalar(value) ?? "\u{FFFD}")
    if value < 0x20000 { symbolOfScalar[Int(value)] = UInt16(symbol) }
    return (symbol, length)
  }

  private mutating func symbol(of scalar: Unicode.Scalar) -> Int {
    var bits: UInt64 = 0
    for (index, set) in pattern.sets.enumerated() where set.contains(scalar) { bits |= 1 << UInt64(index) }
    if let symbol = symbols.dropFirst().firstIndex(of: bits) { return symbol }
    symbols.append(bits)
    if symbols.count > 1 << width {
      width += 1
      transitions = Array(repeating: -1, count: states.count << width)
    }
    return symbols.count - 1
  }

  // MARK: - Transitions

  @inline(never)
  private mutating func newTransition(from state: Int, symbol: Int) -> Int {
    var closure = Closure(instructions: pattern.instructions, symbol: symbols[symbol])
    for thread in states[state] {
      if closure.follow(Int(thread)) { break }
    }
    if states.count == Self.largestCountOfStates, stateOfThreads[closure.threads] == nil {
      states.removeLast(states.count - 2)
      stateOfThreads = [[]: 0, [0]: 1]
      transitions = Array(repeating: -1, count: 2 << width)
      byteTransitions = Array(repeating: -1, count: 512)
      return newState(closure.threads) << 1 | (closure.hasMatch ? 1 : 0)
    }
    let transition = newState(closure.threads) << 1 | (closure.hasMatch ? 1 : 0)
    transitions[state << width + symbol] = Int32(transition)
    return transition
  }

  private mutating func newState(_ threads: [Int32]) -> Int {
    if let state = stateOfThreads[threads] { return state }
    states.append(threads)
    stateOfThreads[threads] = states.count - 1
    transitions += Array(repeating: -1, count: 1 << width)
    byteTransitions += Array(repeating: -1, count: 256)
    return states.count - 1
  }
}

/// The threads after one symbol.
private struct Closure {
  let instructions: [Pattern.Instruction]
  /// The sets that the symbol is in.
  let symbol: UInt64
  private(set) var threads: [Int32] = []
  private(set) var hasMatch = false
  private var isVisited: [Bool]

  init(instructions: [Pattern.Instruction], symbol: UInt64) {
    self.instructions = instructions
    self.symbol = symbol
    isVisited = Array(repeating: false, count: instructions.count + 1)
  }

  private func contains(_ set: Int) -> Bool { symbol >> UInt64(set) & 1 != 0 }

  /// Follows a thread to all places where it consumes the symbol; true once it matches, which ends all threads of lower
  /// priority.
  mutating func follow(_ thread: Int) -> Bool {
    var stack = [thread]
    while let place = stack.popLast() {
      if isVisited[place] { continue }
      isVisited[place] = true
      switch instructions[place] {
      case .character(let set):
        if contains(set) { threads.append(Int32(place + 1)) }
      case .lookahead(let set, let isNegated):
        if contains(set) != isNegated { stack.append(place + 1) }
      case .fork(let first, let second): stack += [second, first]
      case .jump(let target): stack.append(target)
      case .match:
        hasMatch = true
        return true
      }
    }
    return false
  }
}

extension Span<UInt8> {
  /// The scalar that begins at an offset of valid UTF-8, and its number of bytes.
  func scalarValue(at position: Int) -> (value: UInt32, length: Int) {
    func continuation(_ offset: Int) -> UInt32 { UInt32(self[position + offset] & 0x3F) }
    let first = UInt32(self[position])
    switch first {
    case ..<0x80: return (first, 1)
    case ..<0xE0: return ((first & 0x1F) << 6 | continuation(1), 2)
    case ..<0xF0: return ((first & 0x0F) << 12 | continuation(1) << 6 | continuation(2), 3)
    default:
      return ((first & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3), 4)
    }
  }
}
