/// Turns the spellings of tokens back into text.
///
/// Source: Hugging Face tokenizers' `decoders`.
struct TokenDecoder: Sendable {
  enum Step: Sendable {
    /// Spellings are letters of `ByteAlphabet`; invalid UTF-8 becomes U+FFFD.
    case byteLevel
    /// `<0x0A>` is a byte; each byte of a run of invalid UTF-8 becomes U+FFFD.
    case byteFallback
    /// Joins all tokens into one text.
    case fuse
    /// Replaces the matches of a pattern in each token.
    case replace(TextPattern, by: [UInt8])
    /// Removes a character from the start of the text or of each token, up to a number of times.
    case strip([UInt8], atMost: Int, ofEachToken: Bool)
    /// Replaces a character with a space, or removes it at the start of the first token if it was added there.
    case metaspace([UInt8], vanishesAtStart: Bool)
    /// Inserts a space between tokens.
    case separate
    /// Joins the words' parts: removes a prefix from each token but the first, or else puts a space before it.
    case wordPiece(prefix: [UInt8], cleans: Bool)
    /// Replaces the end of a word with a space, or with nothing in the last token.
    case wordEnds([UInt8])
    /// Drops tokens that repeat the one before, and the padding.
    case ctc(padding: [UInt8], wordDelimiter: [UInt8], cleans: Bool)
    /// Applies a step to the whole text once it is complete.
    indirect case whole(Step)
  }

  var steps: [Step]

  /// The bytes of a spelling inside a text.
  func bytes(spelledBy spelling: ArraySlice<UInt8>) -> [UInt8] {
    var bytes = Array(spelling)
    for step in steps {
      switch step {
      case .byteLevel: bytes = ByteAlphabet.bytes(spelledBy: bytes[...])
      case .byteFallback: bytes = ByteFallback.byte(spelledBy: bytes).map { [$0] } ?? bytes
      case .replace(let pattern, let content): bytes = bytes.replacing(pattern, by: content)
      case .metaspace(let mark, _): bytes = bytes.replacing(mark, by: [UInt8(ascii: " ")])
      case .wordPiece(let prefix, _): if bytes.starts(with: prefix) { bytes.removeFirst(prefix.count) }
      case .wordEnds(let end): bytes = bytes.replacing(end, by: [])
      case .fuse, .strip, .separate, .ctc, .whole: break
      }
    }
    return bytes
  }
}

/// Decodes tokens one by one.
///
/// The returned pieces together equal `Tokenizer.decode` of all tokens. Each piece holds whole characters, returned as
/// soon as no later token can change them.
package struct TextStream: Sendable {
  private let tokenizer: Tokenizer
  private var stages: [Stage]

  /// A stream of a tokenizer, before the first token.
  package init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    stages = tokenizer.decoder.steps.map(Stage.init)
  }

  /// Adds a token and returns the text that is now final, often none; unknown ids are skipped.
  package mutating func append(_ id: Int) -> String {
    guard let spelling = tokenizer.spellingForDecoding(id) else { return "" }
    return pass([spelling], isEnd: false)
  }

  /// Ends the stream and returns the rest of the text.
  package mutating func finish() -> String { pass([], isEnd: true) }

  private mutating func pass(_ tokens: [[UInt8]], isEnd: Bool) -> String {
    var tokens = tokens
    for index in stages.indices { tokens = stages[index].pass(tokens, isEnd: isEnd) }
    return String(decoding: tokens.joined(), as: UTF8.self)
  }
}

/// A step of a decoder with its state between tokens.
///
/// After a step that joins all tokens into one text, the steps pass on pieces of that text.
private struct Stage: Sendable {
  private let step: TokenDecoder.Step
  /// Bytes held back until later bytes determine their text.
  private var waiting: [UInt8] = []
  /// The token before, for steps that compare it with the next or wait for it.
  private var last: [UInt8]?
  private var isFirst = true
  /// Characters removed from the start so far; the maximum once another character came.
  private var stripped = 0

  init(_ step: TokenDecoder.Step) { self.step = step }

  mutating func pass(_ tokens: [[UInt8]], isEnd: Bool) -> [[UInt8]] {
    var result: [[UInt8]] = []
    for token in tokens {
      pass(token, to: &result)
      isFirst = false
    }
    if isEnd, let last, case .wordEnds(let end) = step { result.append(last.replacing(end, by: [])) }
    if isEnd, case .whole(let step) = step {
      var stage = Stage(step)
      return stage.pass([waiting], isEnd: true)
    }
    if isEnd, !waiting.isEmpty {
      if case .byteFallback = step {
        flushBytes(to: &result)
      } else {
        result.append(Array(String(decoding: waiting, as: UTF8.self).utf8))
      }
      waiting = []
    }
    return result
  }

  private mutating func pass(_ token: [UInt8], to result: inout [[UInt8]]) {
    switch step {
    case .byteLevel:
      waiting += ByteAlphabet.bytes(spelledBy: token[...])
      let end = waiting.count - waiting.lengthOfUnfinishedCharacter
      result.append(Array(String(decoding: waiting[..<end], as: UTF8.self).utf8))
      waiting.removeFirst(end)
    case .byteFallback:
      if let byte = ByteFallback.byte(spelledBy: token) {
        waiting.append(byte)
      } else {
        flushBytes(to: &result)
        result.append(token)
      }
    case .fuse: result.append(token)
    case .replace(let pattern, let content): result.append(token.replacing(pattern, by: content))
    case .strip(let character, let atMost, let ofEachToken):
      if ofEachToken { stripped = 0 }
      var rest = token[...]
      while stripped < atMost, rest.starts(with: character) {
        rest = rest.dropFirst(character.count)
        stripped += 1
      }
      if !rest.isEmpty { stripped = atMost }
      result.append(Array(rest))
    case .metaspace(let mark, let vanishesAtStart):
      result.append(token.replacing(mark, by: isFirst && vanishesAtStart ? [] : [UInt8(ascii: " ")]))
    case .separate: result.append(isFirst ? token : [UInt8(ascii: " ")] + token)
    case .wordPiece(let prefix, let cleans):
      let isPart = !isFirst && token.starts(with: prefix)
      let text = isFirst ? token : isPart ? Array(token.dropFirst(prefix.count)) : [UInt8(ascii: " ")] + token
      result.append(cleans ? text.cleaned : text)
    case .wordEnds(let end):
      if let last { result.append(last.replacing(end, by: [UInt8(ascii: " ")])) }
      last = token
    case .ctc(let padding, let wordDelimiter, let cleans):
      if last == token { return }
      last = token
      let text = token.replacing(padding, by: [])
      result.append(cleans ? text.cleaned.replacing(wordDelimiter, by: [UInt8(ascii: " ")]) : text)
    case .whole: waiting += token
    }
  }

  private mutating func flushBytes(to result: inout [[UInt8]]) {
    if String(validating: waiting, as: UTF8.self) != nil {
      if !waiting.isEmpty { result.append(waiting) }
    } else {
      for _ in waiting { result.append(Array("\u{FFFD}".utf8)) }
    }
    waiting = []
  }
}

extension [UInt8] {
  /// These bytes with each match of a pattern replaced; if the pattern gives up on them, they stay as they are.
  fileprivate func replacing(_ pattern: TextPattern, by content: [UInt8]) -> [UInt8] {
    guard let matches = try? pattern.matches(in: span, 0..<count) else { return self }
    var result: [UInt8] = []
    var copied = 0
    for match in matches {
      result += self[copied..<match.lowerBound] + content
      copied = match.upperBound
    }
    return result + self[copied...]
  }

  /// These bytes without the spaces before punctuation and parts of contractions.
  fileprivate var cleaned: [UInt8] {
    let replacements = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
      (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return replacements.reduce(self) { $0.replacing(Array($1.0.utf8), by: Array($1.1.utf8)) }
  }

  /// These bytes with each occurrence of a text replaced; an empty text occurs nowhere.
  fileprivate func replacing(_ pattern: [UInt8], by content: [UInt8]) -> [UInt8] {
    if pattern.isEmpty { return self }
    var result: [UInt8] = []
    var position = 0
    while position < count {
      if self[position] == pattern[0], self[position...].starts(with: pattern) {
        result += content
        position += pattern.count
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result
  }

  /// The number of bytes at the end that form an incomplete character.
  fileprivate var lengthOfUnfinishedCharacter: Int {
    for length in 1...3 where length <= count {
      let byte = self[count - length]
      if byte < 0x80 { return 0 }
      if byte >= 0xC0 { return (byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4) > length ? length : 0 }
    }
    return 0
  }
}
