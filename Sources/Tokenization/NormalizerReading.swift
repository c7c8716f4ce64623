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
      if let text = members.literalPattern {
        self = .replace(Array(text.utf8), by: content)
      } else {
        self = .replaceMatches(try members.textPattern(), by: content)
      }
    case "Lowercase", "StripAccents", "Nmt", "ByteLevel":
      try members.check(known: ["type"])
      switch members.type {
      case "Lowercase": self = .characters(.lowercase)
      case "StripAccents": self = .characters(.stripMarks)
      case "Nmt": self = .characters(.nmt)
      default: self = .characters(.byteLetters)
      }
    case "Strip":
      try members.check(known: ["type", "strip_left", "strip_right"])
      self = .strip(left: try members.bool("strip_left"), right: try members.bool("strip_right"))
    case "BertNormalizer":
      try members.check(known: ["type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])
      let lowers = try members.bool("lowercase")
      var parts: [Normalizer] = []
      if try members.bool("clean_text") { parts.append(.characters(.cleanText)) }
      if try members.bool("handle_chinese_chars") { parts.append(.characters(.spaceIdeographs)) }
      if try members.bool("strip_accents", default: lowers) {
        parts += [.form(.nfd), .characters(.stripNonspacingMarks)]
      }
      if lowers { parts.append(.characters(.lowercase)) }
      if parts.isEmpty { return nil }
      self = .sequence(parts)
    case "Precompiled":
      try members.check(known: ["type", "precompiled_charsmap"])
      guard let map = CharacterMap(base64: try members.string("precompiled_charsmap")) else {
        throw members.badData("precompiled_charsmap", "is not a map of SentencePiece in base 64")
      }
      self = .map(map)
    case "Sequence":
      try members.check(known: ["type", "normalizers"])
      let parts = try members.objects("normalizers").compactMap { try Normalizer(reading: $0) }
      if parts.isEmpty { return nil }
      self = parts.count == 1 ? parts[0] : .sequence(parts)
    default:
      throw members.unsupportedType([
        "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Lowercase", "Strip", "StripAccents", "BertNormalizer",
        "Precompiled", "Nmt", "ByteLevel", "Sequence",
      ])
    }
  }
}
