/// A parsed regular expression in the dialect of Oniguruma, which Hugging Face tokenizers uses.
///
/// It covers the part of the dialect that tokenizers' patterns need: alternatives, groups, classes (nested ones too),
/// `\p{…}`, `\s`, `\d`, `\w`, `(?i:…)`, the quantifiers `? * + {n,m}`, lazy or, after one character, possessive, and
/// lookahead by one character. Anything else is rejected by name.
package indirect enum RegularExpression: Equatable, Sendable {
  case character(CharacterSet)
  case sequence([RegularExpression])
  case alternatives([RegularExpression])
  /// From `atLeast` to `atMost` times, nil for any number; greedy unless it is lazy.
  case repetition(RegularExpression, atLeast: Int, atMost: Int?, isLazy: Bool)
  /// Whether the next character is in the set; negated: is not in it, or there is none.
  case lookahead(CharacterSet, isNegated: Bool)

  /// GPT-2's pattern, which `ByteLevel` splits by.
  package static let wordsOfGPT2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// The error for an unsupported construct in a pattern.
  package struct Unsupported: Error {
    /// The construct as in the pattern, or its mistake.
    package var construct: String
  }

  /// Parses a pattern.
  package init(_ pattern: String) throws(Unsupported) {
    var parser = RegularExpressionParser(pattern)
    self = try parser.parse()
  }

  /// The expression that matches only this text.
  init(literal: String) {
    self = .sequence(literal.unicodeScalars.map { .character(.only($0)) })
  }

  /// Whether it can match without consuming a character.
  var matchesEmptyText: Bool {
    switch self {
    case .character: false
    case .sequence(let parts): parts.allSatisfy(\.matchesEmptyText)
    case .alternatives(let parts): parts.contains(where: \.matchesEmptyText)
    case .repetition(let part, let atLeast, _, _): atLeast == 0 || part.matchesEmptyText
    case .lookahead: true
    }
  }
}

/// Reads a pattern from left to right.
private struct RegularExpressionParser {
  private typealias Unsupported = RegularExpression.Unsupported

  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var ignoresCase = false
  private var depth = 0

  init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  mutating func parse() throws(RegularExpression.Unsupported) -> RegularExpression {
    let expression = try parseAlternatives()
    guard position == scalars.count else { throw Unsupported(construct: "a \")\" without \"(\"") }
    return expression
  }

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard scalars[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  /// The pattern from `start` to here, quoted.
  private func construct(from start: Int) -> Unsupported {
    var text = "\""
    for scalar in scalars[start..<min(max(position, start + 1), scalars.count)] { text.unicodeScalars.append(scalar) }
    return Unsupported(construct: text + "\"")
  }

  private mutating func parseAlternatives() throws(Unsupported) -> RegularExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Unsupported(construct: "more than 100 levels of nesting") }
    var alternatives = [try parseSequence()]
    while take("|") { alternatives.append(try parseSequence()) }
    return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
  }

  private mutating func parseSequence() throws(Unsupported) -> RegularExpression {
    var parts: [RegularExpression] = []
    var letters = ""
    while let scalar = next, scalar != "|", scalar != ")" {
      let start = position
      if ignoresCase {
        // With case ignored, Oniguruma matches "ß" with "ss", "ﬁ" with "fi", and so on.
        letters.unicodeScalars.append(Unicode.Scalar(scalar.value | 0x20) ?? scalar)
        if ["ss", "st", "ff", "fi", "fl"].contains(where: letters.hasSuffix) {
          throw Unsupported(construct: "\"\(letters.suffix(2))\" with case ignored")
        }
      }
      parts.append(try parseQuantifiers(of: try parseAtom(), from: start))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  // MARK: - Quantifiers

  private mutating func parseQuantifiers(
    of atom: RegularExpression, from start: Int
  ) throws(Unsupported) -> RegularExpression {
    let bounds: (atLeast: Int, atMost: Int?)
    var isCounted = false
    switch next {
    case "?": bounds = (0, 1)
    case "*": bounds = (0, nil)
    case "+": bounds = (1, nil)
    case "{":
      guard let counts = parseCounts() else { return atom }
      bounds = counts
      isCounted = true
    default: return atom
    }
    if !isCounted { position += 1 }
    if let atMost = bounds.atMost, atMost < bounds.atLeast || atMost > 1000 { throw construct(from: start) }
    if bounds.atLeast > 1000 { throw construct(from: start) }
    var isLazy = false
    var isPossessive = false
    if next == "?" || next == "+" {
      isLazy = next == "?"
      isPossessive = !isLazy
      position += 1
      // After "{…}", "+" is a quantifier of its own and "?" has another meaning for "{n}".
      if isCounted { throw construct(from: start) }
    }
    if next == "?" || next == "*" || next == "+" {
      position += 1
      throw construct(from: start)
    }
    if case .lookahead = atom { throw construct(from: start) }
    let repetition = RegularExpression.repetition(
      atom, atLeast: bounds.atLeast, atMost: bounds.atMost, isLazy: isLazy)
    guard isPossessive else { return repetition }
    // A possessive match never backtracks: no further repetition may follow it.
    guard case .character(let set) = atom else { throw construct(from: start) }
    let noMore = RegularExpression.lookahead(set, isNegated: true)
    return bounds.atMost == 1 ? .alternatives([atom, noMore]) : .sequence([repetition, noMore])
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else is a literal brace.
  private mutating func parseCounts() -> (atLeast: Int, atMost: Int?)? {
    guard let close = scalars[position...].firstIndex(of: "}") else { return nil }
    var text = ""
    for scalar in scalars[(position + 1)..<close] { text.unicodeScalars.append(scalar) }
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false)
    guard numbers.count <= 2, text != ",", numbers.allSatisfy({ $0.isEmpty || $0.allSatisfy(\.isWholeNumber) }),
      text.utf8.allSatisfy({ $0 < 0x80 }), text.utf8.count < 12, !text.isEmpty
    else { return nil }
    position = close + 1
    let first = Int(numbers[0])
    guard numbers.count == 2 else { return (first ?? 0, first ?? 0) }
    return (first ?? 0, Int(numbers[1]))
  }

  // MARK: - Atoms

  private mutating func parseAtom() throws(Unsupported) -> RegularExpression {
    let start = position
    guard let scalar = next else { throw Unsupported(construct: "an empty pattern") }
    position += 1
    switch scalar {
    case "(": return try parseGroup(from: start)
    case "[": return .character(try parseClass(from: start))
    case "\\": return .character(try parseEscape(from: start))
    case ".": return .character(.complement(.only("\n")))
    case "^", "$", "*", "+", "?": throw construct(from: start)
    default: return .character(try matching(scalar, from: start))
    }
  }

  private mutating func parseGroup(from start: Int) throws(Unsupported) -> RegularExpression {
    let outer = ignoresCase
    defer { ignoresCase = outer }
    if take("?") {
      if take("!") || take("=") {
        let isNegated = scalars[position - 1] == "!"
        let inner = try parseAlternatives()
        guard take(")") else { throw Unsupported(construct: "a \"(\" without \")\"") }
        guard case .character(let set) = inner else { throw construct(from: start) }
        return .lookahead(set, isNegated: isNegated)
      }
      if take("i:") {
        ignoresCase = true
      } else if !take(":") {
        position = min(position + 1, scalars.count)
        throw construct(from: start)
      }
    }
    let inner = try parseAlternatives()
    guard take(")") else { throw Unsupported(construct: "a \"(\" without \")\"") }
    return inner
  }

  /// The set of a literal character: the character alone or, with case ignored, all its cases.
  private func matching(_ scalar: Unicode.Scalar, from start: Int) throws(Unsupported) -> CharacterSet {
    guard ignoresCase else { return .only(scalar) }
    let properties = scalar.properties
    guard scalar.isASCII else {
      if properties.changesWhenCaseFolded || properties.changesWhenCaseMapped { throw construct(from: start) }
      return .only(scalar)
    }
    return cases(of: .range(scalar, scalar), first: scalar, last: scalar)
  }

  /// A set of ASCII characters with their other cases.
  private func cases(of set: CharacterSet, first: Unicode.Scalar, last: Unicode.Scalar) -> CharacterSet {
    var sets = [set]
    for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
      let lower = Unicode.Scalar(letter), upper = Unicode.Scalar(letter & ~0x20)
      guard (first...last).contains(lower) || (first...last).contains(upper) else { continue }
      sets += [.only(lower), .only(upper)]
      if lower == "s" { sets.append(.only("\u{17F}")) }  // ſ
      if lower == "k" { sets.append(.only("\u{212A}")) }  // the Kelvin sign
    }
    return sets.count == 1 ? set : .union(sets)
  }

  // MARK: - Escapes

  /// Parses the rest of an escape, after the backslash.
  private mutating func parseEscape(from start: Int) throws(Unsupported) -> CharacterSet {
    guard let scalar = next else { throw Unsupported(construct: "a \"\\\" at the end") }
    position += 1
    switch scalar {
    case "s": return .whitespace
    case "S": return .complement(.whitespace)
    case "d": return .categories([.decimalNumber])
    case "D": return .complement(.categories([.decimalNumber]))
    case "w": return .wordCharacter
    case "W": return .complement(.wordCharacter)
    case "p", "P": return try parseProperty(from: start, isNegated: scalar == "P")
    default: return try matching(try parseEscapedCharacter(scalar, from: start), from: start)
    }
  }

  private mutating func parseEscapedCharacter(
    _ scalar: Unicode.Scalar, from start: Int
  ) throws(Unsupported) -> Unicode.Scalar {
    switch scalar {
    case "r": return "\r"
    case "n": return "\n"
    case "t": return "\t"
    case "f": return "\u{C}"
    case "v": return "\u{B}"
    case "x", "u":
      var digits = ""
      if scalar == "x", take("{") {
        while let digit = next, digit != "}" {
          digits.unicodeScalars.append(digit)
          position += 1
        }
        guard take("}") else { throw construct(from: start) }
      } else {
        for _ in 0..<(scalar == "x" ? 2 : 4) {
          guard let digit = next else { throw construct(from: start) }
          digits.unicodeScalars.append(digit)
          position += 1
        }
      }
      // Oniguruma treats \x80 to \xFF as bytes.
      guard let value = UInt32(digits, radix: 16), let named = Unicode.Scalar(value),
        digits.utf8.count > 2 || named.isASCII
      else { throw construct(from: start) }
      return named
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
        throw construct(from: start)
      }
      return scalar
    }
  }

  private mutating func parseProperty(from start: Int, isNegated: Bool) throws(Unsupported) -> CharacterSet {
    guard take("{") else { throw construct(from: start) }
    let isComplement = take("^") != isNegated
    var name = ""
    while let scalar = next, scalar != "}" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard take("}"), !ignoresCase, let set = CharacterSet.categories(named: name) else { throw construct(from: start) }
    return isComplement ? .complement(set) : set
  }

  // MARK: - Classes

  /// Parses the rest of a class, after `[`, up to the matching `]`.
  private mutating func parseClass(from start: Int) throws(Unsupported) -> CharacterSet {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Unsupported(construct: "more than 100 levels of nesting") }
    let isComplement = take("^")
    var sets: [CharacterSet] = []
    while let scalar = next, scalar != "]" {
      let item = position
      if take("&&") || take("[:") { throw construct(from: item) }
      position += 1
      if scalar == "[" {
        sets.append(try parseClass(from: item))
        continue
      }
      var first = scalar
      if scalar == "\\" {
        if let letter = next, "sSdDwWpP".unicodeScalars.contains(letter) {
          sets.append(try parseEscape(from: item))
          continue
        }
        first = try parseEscapedCharacter(try takeAny(from: item), from: item)
      }
      guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
        sets.append(try matching(first, from: item))
        continue
      }
      position += 1
      var last = try takeAny(from: item)
      if last == "\\" { last = try parseEscapedCharacter(try takeAny(from: item), from: item) }
      guard last != "[", first <= last, !ignoresCase || last.isASCII else { throw construct(from: item) }
      sets.append(ignoresCase ? cases(of: .range(first, last), first: first, last: last) : .range(first, last))
    }
    guard take("]"), !sets.isEmpty else { throw construct(from: start) }
    let set = sets.count == 1 ? sets[0] : CharacterSet.union(sets)
    return isComplement ? .complement(set) : set
  }

  private mutating func takeAny(from start: Int) throws(Unsupported) -> Unicode.Scalar {
    guard let scalar = next else { throw construct(from: start) }
    position += 1
    return scalar
  }
}
