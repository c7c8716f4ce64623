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
    case "Sequence":
      try members.check(known: ["type", "normalizers"])
      let parts = try members.objects("normalizers").compactMap { try Normalizer(reading: $0) }
      if parts.isEmpty { return nil }
      self = parts.count == 1 ? parts[0] : .sequence(parts)
    default: throw members.unsupportedType(["NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence"])
    }
  }
}
