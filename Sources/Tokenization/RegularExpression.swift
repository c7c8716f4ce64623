/// A parsed regular expression of the kind that `PatternMatcher` matches: what the byte-level tokenizers of known
/// families split by, which is a small part of Oniguruma's dialect.
///
/// The part: alternatives, groups, classes (nested ones too), `\p{…}`, `\s`, `\w`, `\d`, `(?i:…)` over ASCII, the quantifiers
/// `? * + {n} {n,m}` and, after one character, `?+ *+ ++`, lookahead by one character, and `$`, the end of a line. `Oniguruma` matches the rest.
package indirect enum RegularExpression: Equatable, Sendable {
  case character(CharacterSet)
  case sequence([RegularExpression])
  case alternatives([RegularExpression])
  /// As often as possible from `atLeast` to `atMost` times, nil for any number.
  case repetition(RegularExpression, atLeast: Int, atMost: Int?)
  /// Whether the next character is in the set; negated: is not in it, or there is none.
  case lookahead(CharacterSet, isNegated: Bool)

  /// GPT-2's pattern, which `ByteLevel` splits by.
  package static let wordsOfGPT2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// The pattern is not of this kind.
  package struct Unsupported: Error {}

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
    case .repetition(let part, let atLeast, _): atLeast == 0 || part.matchesEmptyText
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
    guard position == scalars.count else { throw Unsupported() }
    return expression
  }

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard scalars[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  private mutating func takeAny() throws(Unsupported) -> Unicode.Scalar {
    guard let scalar = next else { throw Unsupported() }
    position += 1
    return scalar
  }

  private mutating func parseAlternatives() throws(Unsupported) -> RegularExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Unsupported() }
    var alternatives = [try parseSequence()]
    while take("|") { alternatives.append(try parseSequence()) }
    return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
  }

  private mutating func parseSequence() throws(Unsupported) -> RegularExpression {
    var parts: [RegularExpression] = []
    var letters = ""
    while let scalar = next, scalar != "|", scalar != ")" {
      if ignoresCase {
        // With case ignored, Oniguruma matches "ß" with "ss", "ﬁ" with "fi", and so on.
        letters.unicodeScalars.append(Unicode.Scalar(scalar.value | 0x20) ?? scalar)
        if ["ss", "st", "ff", "fi", "fl"].contains(where: letters.hasSuffix) { throw Unsupported() }
      }
      parts.append(try parseQuantifiers(of: try parseAtom()))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  // MARK: - Quantifiers

  private mutating func parseQuantifiers(of atom: RegularExpression) throws(Unsupported) -> RegularExpression {
    guard let quantifier = next, "?*+{".unicodeScalars.contains(quantifier) else { return atom }
    position += 1
    let bounds: (atLeast: Int, atMost: Int?) =
      switch quantifier {
      case "?": (0, 1)
      case "*": (0, nil)
      case "+": (1, nil)
      default: try parseCounts()
      }
    if case .lookahead = atom { throw Unsupported() }
    let isPossessive = quantifier != "{" && take("+")
    // A lazy one, or one of another.
    if let following = next, "?*+{".unicodeScalars.contains(following) { throw Unsupported() }
    let repetition = RegularExpression.repetition(atom, atLeast: bounds.atLeast, atMost: bounds.atMost)
    guard isPossessive else { return repetition }
    // A possessive match never backtracks: no further repetition may follow it.
    guard case .character(let set) = atom else { throw Unsupported() }
    let noMore = RegularExpression.lookahead(set, isNegated: true)
    return bounds.atMost == 1 ? .alternatives([atom, noMore]) : .sequence([repetition, noMore])
  }

  /// The rest of `{n}` or `{n,m}`, after the brace.
  private mutating func parseCounts() throws(Unsupported) -> (Int, Int?) {
    let first = try parseCount()
    let last = take(",") ? try parseCount() : first
    guard take("}"), first <= last else { throw Unsupported() }
    return (first, last)
  }

  /// A number of one to three digits.
  private mutating func parseCount() throws(Unsupported) -> Int {
    var digits = ""
    while let scalar = next, ("0"..."9").contains(scalar) {
      digits.unicodeScalars.append(scalar)
      position += 1
    }
    guard digits.utf8.count <= 3, let count = Int(digits) else { throw Unsupported() }
    return count
  }

  // MARK: - Atoms

  private mutating func parseAtom() throws(Unsupported) -> RegularExpression {
    let scalar = try takeAny()
    switch scalar {
    case "(": return try parseGroup()
    case "[": return .character(try parseClass())
    case "\\": return .character(try parseEscape())
    case "$": return .lookahead(.complement(.only("\n")), isNegated: true)
    case ".", "^", "*", "+", "?", "{", "}", "]": throw Unsupported()
    default: return .character(try matching(scalar))
    }
  }

  private mutating func parseGroup() throws(Unsupported) -> RegularExpression {
    let outer = ignoresCase
    defer { ignoresCase = outer }
    var lookahead: Bool?
    if take("?") {
      if take("i:") {
        ignoresCase = true
      } else if take("!") {
        lookahead = false
      } else if take("=") {
        lookahead = true
      } else if !take(":") {
        throw Unsupported()
      }
    }
    let inner = try parseAlternatives()
    guard take(")") else { throw Unsupported() }
    guard let lookahead else { return inner }
    guard case .character(let set) = inner else { throw Unsupported() }
    return .lookahead(set, isNegated: !lookahead)
  }

  /// The set of a literal character: the character alone or, with case ignored, all its cases.
  private func matching(_ scalar: Unicode.Scalar) throws(Unsupported) -> CharacterSet {
    try matching(scalar, scalar)
  }

  /// The set of a range of characters, with all their cases if case is ignored.
  private func matching(_ first: Unicode.Scalar, _ last: Unicode.Scalar) throws(Unsupported) -> CharacterSet {
    let range = CharacterSet.range(first, last)
    guard ignoresCase else { return range }
    guard last.isASCII else { throw Unsupported() }
    var sets = [range]
    for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
      let lower = Unicode.Scalar(letter), upper = Unicode.Scalar(letter & ~0x20)
      guard (first...last).contains(lower) || (first...last).contains(upper) else { continue }
      sets += [.only(lower), .only(upper)]
      if lower == "s" { sets.append(.only("\u{17F}")) }  // ſ
      if lower == "k" { sets.append(.only("\u{212A}")) }  // the Kelvin sign
    }
    return sets.count == 1 ? range : .union(sets)
  }

  // MARK: - Escapes

  /// Parses the rest of an escape, after the backslash.
  private mutating func parseEscape() throws(Unsupported) -> CharacterSet {
    if take("s") { return .whitespace }
    if take("S") { return .complement(.whitespace) }
    if take("w") { return .wordCharacter }
    if take("W") { return .complement(.wordCharacter) }
    if take("d") { return .categories([.decimalNumber]) }
    if take("D") { return .complement(.categories([.decimalNumber])) }
    if take("p{") { return try parseProperty() }
    if take("P{") { return .complement(try parseProperty()) }
    return try matching(try parseEscapedCharacter())
  }

  private mutating func parseEscapedCharacter() throws(Unsupported) -> Unicode.Scalar {
    let scalar = try takeAny()
    switch scalar {
    case "r": return "\r"
    case "n": return "\n"
    case "t": return "\t"
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
        throw Unsupported()
      }
      return scalar
    }
  }

  private mutating func parseProperty() throws(Unsupported) -> CharacterSet {
    var name = ""
    while let scalar = next, scalar != "}" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard take("}"), !ignoresCase, let set = CharacterSet.categories(named: name) else { throw Unsupported() }
    return set
  }

  // MARK: - Classes

  /// Parses the rest of a class, after `[`, up to the matching `]`.
  private mutating func parseClass() throws(Unsupported) -> CharacterSet {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Unsupported() }
    let isComplement = take("^")
    var sets: [CharacterSet] = []
    while let scalar = next, scalar != "]" {
      if take("&&") || take("[:") { throw Unsupported() }
      position += 1
      if scalar == "[" {
        sets.append(try parseClass())
        continue
      }
      var first = scalar
      if scalar == "\\" {
        if let letter = next, "sSwWdDpP".unicodeScalars.contains(letter) {
          sets.append(try parseEscape())
          continue
        }
        first = try parseEscapedCharacter()
      }
      guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
        sets.append(try matching(first))
        continue
      }
      position += 1
      var last = try takeAny()
      if last == "\\" { last = try parseEscapedCharacter() }
      guard last != "[", first <= last else { throw Unsupported() }
      sets.append(try matching(first, last))
    }
    guard take("]"), !sets.isEmpty else { throw Unsupported() }
    let set = sets.count == 1 ? sets[0] : CharacterSet.union(sets)
    return isComplement ? .complement(set) : set
  }
}
