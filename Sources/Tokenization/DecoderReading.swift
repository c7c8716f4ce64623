import Diagnostics

extension TokenDecoder {
  /// Reads the member `decoder` of a tokenizer.json.
  ///
  /// - Throws: `InputError.badData` with file and entry.
  init(reading members: Members) throws {
    steps = []
    var isFused = false
    try append(members, isFused: &isFused)
  }

  /// Appends a decoder; one after another that joined all tokens into one text sees that text as its only token.
  private mutating func append(_ members: Members, isFused: inout Bool) throws {
    switch members.type {
    case "Sequence":
      try members.check(known: ["type", "decoders"])
      for part in try members.objects("decoders") { try append(part, isFused: &isFused) }
      return
    case "Fuse":
      try members.check(known: ["type"])
      if !isFused { steps.append(.fuse) }
      isFused = true
      return
    case "Strip":
      try members.check(known: ["type", "content", "start", "stop"])
      guard let content = members["content"]?.string, content.unicodeScalars.count == 1 else {
        throw members.expected("one character", of: "content")
      }
      guard let start = members["start"]?.integer, start >= 0 else {
        throw members.expected("a whole number of at least 0", of: "start")
      }
      guard members["stop"]?.integer == 0 else {
        throw members.unsupported("stop", members["stop"]?.shortDescription ?? "missing", supported: "0")
      }
      steps.append(.strip(Array(content.utf8), atMost: start, ofEachToken: !isFused))
      return
    default: break
    }
    switch members.type {
    case "ByteLevel":
      try members.check(known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
      append(.byteLevel, isFused: isFused)
      isFused = true
    case "ByteFallback":
      try members.check(known: ["type"])
      append(.byteFallback, isFused: isFused)
    case "Replace":
      try members.check(known: ["type", "pattern", "content"])
      append(
        .replace(try members.textPattern(), by: Array(try members.string("content").utf8)), isFused: isFused)
    case "Metaspace":
      try members.check(known: ["type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"])
      append(
        .metaspace(
          Array(try members.metaspaceReplacement().utf8), vanishesAtStart: try members.prependScheme() != .never),
        isFused: isFused)
    case "WordPiece":
      try members.check(known: ["type", "prefix", "cleanup"])
      append(
        .wordPiece(prefix: Array(try members.string("prefix").utf8), cleans: try members.bool("cleanup")),
        isFused: isFused)
    case "BPEDecoder":
      try members.check(known: ["type", "suffix"])
      append(.wordEnds(Array(try members.string("suffix").utf8)), isFused: isFused)
    case "CTC":
      try members.check(known: ["type", "pad_token", "word_delimiter_token", "cleanup"])
      append(
        .ctc(
          padding: Array(try members.string("pad_token").utf8),
          wordDelimiter: Array(try members.string("word_delimiter_token").utf8), cleans: try members.bool("cleanup")),
        isFused: isFused)
    default:
      throw members.unsupportedType([
        "ByteLevel", "ByteFallback", "Fuse", "Replace", "Strip", "Metaspace", "WordPiece", "BPEDecoder", "CTC",
        "Sequence",
      ])
    }
  }

  private mutating func append(_ step: Step, isFused: Bool) { steps.append(isFused ? .whole(step) : step) }
}
