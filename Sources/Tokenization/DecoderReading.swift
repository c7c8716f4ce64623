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

  /// Appends a decoder; after one that joins all tokens into one text, few are supported.
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
    if isFused {
      throw InputError.badData(
        members.file,
        "\(members.name) is \(members["type"]?.shortDescription ?? "without a type") after a Fuse or ByteLevel; "
          + "supported: Fuse, Strip")
    }
    switch members.type {
    case "ByteLevel":
      try members.check(known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
      steps.append(.byteLevel)
      isFused = true
    case "ByteFallback":
      try members.check(known: ["type"])
      steps.append(.byteFallback)
    case "Replace":
      try members.check(known: ["type", "pattern", "content"])
      steps.append(.replace(try members.textPattern(), by: Array(try members.string("content").utf8)))
    case "Metaspace":
      try members.check(known: ["type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"])
      steps.append(
        .metaspace(
          Array(try members.metaspaceReplacement().utf8), vanishesAtStart: try members.prependScheme() != .never))
    default:
      throw members.unsupportedType([
        "ByteLevel", "ByteFallback", "Fuse", "Replace", "Strip", "Metaspace", "Sequence",
      ])
    }
  }
}
