extension PreTokenizer {
  /// Reads the member `pre_tokenizer` of a tokenizer.json.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  init(reading members: Members) throws { try append(members) }

  /// The pre-tokenizer `ByteLevel` alone.
  static func byteLevel(addsPrefixSpace: Bool) throws -> PreTokenizer {
    var result = PreTokenizer()
    try result.appendByteLevel(addsPrefixSpace: addsPrefixSpace, splits: true)
    return result
  }

  private var spelling: Pattern.Spelling { spellsBytes ? .byteLetters : .utf8 }

  private mutating func append(_ members: Members) throws {
    switch members.type {
    case "Sequence":
      try members.check(known: ["type", "pretokenizers"])
      for part in try members.objects("pretokenizers") { try append(part) }
    case "ByteLevel":
      try members.check(known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
      if spellsBytes { throw members.unsupportedType(["one ByteLevel"]) }
      try appendByteLevel(
        addsPrefixSpace: try members.bool("add_prefix_space", default: true),
        splits: try members.bool("use_regex", default: true))
    case "Metaspace": try appendMetaspace(members)
    case "Split":
      try members.check(known: ["type", "pattern", "behavior", "invert"])
      steps.append(
        .split(
          Splitter(
            pattern: try members.textPattern(spelling: spelling), behavior: try members.behavior(),
            isInverted: try members.bool("invert"))))
    case "Digits":
      try members.check(known: ["type", "individual_digits"])
      let isIndividual = try members.bool("individual_digits", default: false)
      try appendSplit(at: .categories(named: "N") ?? .union([]), isIndividual ? .isolated : .contiguous)
    case "Punctuation":
      try members.check(known: ["type", "behavior"])
      try appendSplit(at: .punctuation, try members.behavior(default: .isolated))
    case "Whitespace":
      try members.check(known: ["type"])
      let words = try RegularExpression(#"\w+|[^\w\s]+"#)
      steps.append(
        .split(
          Splitter(pattern: .automaton(try Pattern(words, spelling: spelling)), behavior: .removed, isInverted: true)))
    case "WhitespaceSplit":
      try members.check(known: ["type"])
      try appendSplit(at: .whitespace, .removed)
    case "BertPreTokenizer":
      try members.check(known: ["type"])
      try appendSplit(at: .whitespace, .removed)
      try appendSplit(at: .punctuation, .isolated)
    case "CharDelimiterSplit":
      try members.check(known: ["type", "delimiter"])
      guard let delimiter = members["delimiter"]?.string?.unicodeScalars, delimiter.count == 1,
        let character = delimiter.first
      else { throw members.expected("one character", of: "delimiter") }
      try appendSplit(at: .only(character), .removed)
    default:
      throw members.unsupportedType([
        "ByteLevel", "Metaspace", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "BertPreTokenizer",
        "CharDelimiterSplit", "Sequence",
      ])
    }
  }

  private mutating func appendByteLevel(addsPrefixSpace: Bool, splits: Bool) throws {
    if addsPrefixSpace { steps.append(.prefix([UInt8(ascii: " ")], onlyFirst: false)) }
    if splits {
      steps.append(.split(Splitter(pattern: .automaton(try Pattern(RegularExpression(RegularExpression.wordsOfGPT2))))))
    }
    spellsBytes = true
  }

  private mutating func appendMetaspace(_ members: Members) throws {
    try members.check(known: ["type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"])
    if spellsBytes { throw members.unsupportedType(["Metaspace before ByteLevel"]) }
    let replacement = try members.metaspaceReplacement()
    let bytes = Array(replacement.utf8)
    steps.append(.replaceSpaces(bytes))
    switch try members.prependScheme() {
    case .always: steps.append(.prefix(bytes, onlyFirst: false))
    case .first: steps.append(.prefix(bytes, onlyFirst: true))
    case .never: break
    }
    if try members.bool("split", default: true) {
      let pattern = try Pattern(RegularExpression(literal: replacement))
      steps.append(.split(Splitter(pattern: .automaton(pattern), behavior: .mergedWithNext)))
    }
  }

  private mutating func appendSplit(at set: CharacterSet, _ behavior: Splitter.Behavior) throws {
    steps.append(
      .split(Splitter(pattern: .automaton(try Pattern(.character(set), spelling: spelling)), behavior: behavior)))
  }
}

/// The words that `Metaspace` puts its character before, unless they begin with it.
enum PrependScheme: String, CaseIterable {
  case always, first, never
}

extension Members {
  /// The character that `Metaspace` writes for a space.
  func metaspaceReplacement() throws -> String {
    guard let text = self["replacement"]?.string, text.unicodeScalars.count == 1 else {
      throw expected("one character", of: "replacement")
    }
    return text
  }

  /// The scheme of `Metaspace`; older files have `add_prefix_space` instead.
  func prependScheme() throws -> PrependScheme {
    var scheme = PrependScheme.always
    if let value = self["prepend_scheme"] {
      guard let named = value.string.flatMap(PrependScheme.init) else {
        throw expected("one of \(PrependScheme.allCases.map(\.rawValue).joined(separator: ", "))", of: "prepend_scheme")
      }
      scheme = named
    }
    guard try !bool("add_prefix_space", default: true) else { return scheme }
    if self["prepend_scheme"] != nil, scheme != .never {
      throw badData("add_prefix_space", "is false, but prepend_scheme is \"\(scheme.rawValue)\"")
    }
    return .never
  }

  /// The behavior of a splitter.
  fileprivate func behavior(default: Splitter.Behavior? = nil) throws -> Splitter.Behavior {
    if let behavior = self["behavior"]?.string.flatMap(Splitter.Behavior.init) { return behavior }
    if let `default`, self["behavior"] == nil { return `default` }
    throw expected("one of \(Splitter.Behavior.allCases.map(\.rawValue).joined(separator: ", "))", of: "behavior")
  }
}
