extension Normalizer {
  /// Reads a normalizer of a tokenizer.json; nil if it changes no text.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  init?(reading members: Members) throws {
    switch members.type {
    case "NFC", "NFD", "NFKC", "NFKD":
      try members.check(known: ["type"])
      guard let form = members.type.flatMap(NormalizationForm.init) else { return nil }
      self = .form(form)
    case "Prepend":
      try members.check(known: ["type", "prepend"])
      self = .prepend(Array(try members.string("prepend").utf8))
    case "Replace":
      try members.check(known: ["type", "pattern", "content"])
      let content = Array(try members.string("content").utf8)
      switch try members.pattern("pattern") {
      case .literal(let text): self = .replace(Array(text.utf8), by: content)
      case .expression(let expression):
        self = .replaceMatches(try members.compile(expression, of: "pattern"), by: content)
      }
    case "Sequence":
      try members.check(known: ["type", "normalizers"])
      let parts = try members.objects("normalizers").compactMap { try Normalizer(reading: $0) }
      if parts.isEmpty { return nil }
      self = parts.count == 1 ? parts[0] : .sequence(parts)
    default: throw members.unsupportedType(["NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence"])
    }
  }
}

/// The search pattern of `Split` and `Replace`.
enum TextPattern {
  /// A non-empty text.
  case literal(String)
  case expression(RegularExpression)

  /// The expression that matches it.
  var expression: RegularExpression {
    switch self {
    case .literal(let text): RegularExpression(literal: text)
    case .expression(let expression): expression
    }
  }
}

extension Members {
  /// A member `{"String": "…"}` or `{"Regex": "…"}`.
  func pattern(_ key: String) throws -> TextPattern {
    guard let members = self[key]?.object, members.count == 1, let text = members[0].value.string, !text.isEmpty else {
      throw expected("{\"String\": \"…\"} or {\"Regex\": \"…\"} with a string that is not empty", of: key)
    }
    switch members[0].key {
    case "String": return .literal(text)
    case "Regex":
      do {
        return .expression(try RegularExpression(text))
      } catch {
        throw badData("\(key).Regex", "has \(error.construct), which is not supported")
      }
    default: throw badData("\(key).\(members[0].key)", "is unknown; expected one of String, Regex")
    }
  }

  /// Compiles the expression of a member.
  func compile(
    _ expression: RegularExpression, spelling: Pattern.Spelling = .utf8, of key: String
  ) throws -> Pattern {
    do {
      return try Pattern(expression, spelling: spelling)
    } catch {
      throw badData(key, "is \(error.construct), which is not supported")
    }
  }
}
