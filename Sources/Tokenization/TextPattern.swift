import Diagnostics

/// What `Split` and `Replace` look for in a text.
enum TextPattern: Sendable {
  case automaton(Pattern)
  /// What an automaton cannot match.
  case oniguruma(Oniguruma, Pattern.Spelling)

  /// The matches in a range of a text, in order.
  ///
  /// - Throws: `InputError.badData` for a pattern that needs too many steps for the text.
  func matches(in text: Span<UInt8>, _ range: Range<Int>) throws -> [Range<Int>] {
    switch self {
    case .oniguruma(let expression, let spelling): return try expression.matches(in: text, range, spelling: spelling)
    case .automaton(let pattern):
      var matcher = PatternMatcher(pattern)
      var matches: [Range<Int>] = []
      var position = range.lowerBound
      while position < range.upperBound {
        if let end = matcher.endOfMatch(from: position, to: range.upperBound, in: text) {
          matches.append(position..<end)
          position = end
        } else {
          position += matcher.lengthOfCharacter(at: position, in: text)
        }
      }
      return matches
    }
  }
}

extension Oniguruma {
  /// The matches in a range of a text, which to the pattern is all there is; an empty text has none.
  func matches(in text: Span<UInt8>, _ range: Range<Int>, spelling: Pattern.Spelling) throws -> [Range<Int>] {
    if range.isEmpty { return [] }
    let start = range.lowerBound
    guard spelling == .byteLetters else {
      return try matches(in: text.extracting(range)).map { ($0.lowerBound + start)..<($0.upperBound + start) }
    }
    var letters: [UInt8] = []
    /// The byte of the text that each byte of its letters stands for.
    var origins: [Int] = []
    for position in range {
      let letter = ByteAlphabet.spelling(of: text[position])
      letters += letter
      for _ in letter { origins.append(position) }
    }
    origins.append(range.upperBound)
    return try matches(in: letters.span).map { origins[$0.lowerBound]..<origins[$0.upperBound] }
  }
}

extension Members {
  /// The text of a member `{"String": "…"}` called `pattern`, unless it is empty.
  var literalPattern: String? {
    guard let members = self["pattern"]?.object, members.count == 1, members[0].key == "String" else { return nil }
    return members[0].value.string.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// A member `pattern`, `{"String": "…"}` or `{"Regex": "…"}`.
  ///
  /// - Throws: `InputError.badData` for another value, and for a mistake in the pattern.
  func textPattern(spelling: Pattern.Spelling = .utf8) throws -> TextPattern {
    if let text = literalPattern, let pattern = try? Pattern(RegularExpression(literal: text), spelling: spelling) {
      return .automaton(pattern)
    }
    guard let members = self["pattern"]?.object, members.count == 1, let text = members[0].value.string else {
      throw expected("{\"String\": \"…\"} or {\"Regex\": \"…\"}", of: "pattern")
    }
    let key = "pattern.\(members[0].key)"
    switch members[0].key {
    case "String":
      return .oniguruma(try Oniguruma(literal: text, name: path(key), file: file), spelling)
    case "Regex":
      if let pattern = try? Pattern(RegularExpression(text), spelling: spelling) { return .automaton(pattern) }
      return .oniguruma(try Oniguruma(text, name: path(key), file: file), spelling)
    default: throw badData(key, "is unknown; expected one of String, Regex")
    }
  }
}

extension Oniguruma {
  /// The expression that matches only this text.
  fileprivate convenience init(literal: String, name: String, file: String) throws {
    var pattern = ""
    for scalar in literal.unicodeScalars {
      if scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil { pattern += "\\" }
      pattern.unicodeScalars.append(scalar)
    }
    try self.init(pattern, name: name, file: file)
  }
}
