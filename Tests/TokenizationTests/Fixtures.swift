import System
import TestSupport
import Tokenization

/// The tokenizers that scripts/make-tokenizer-goldens writes.
let tokenizerNames = [
  "pairs", "strings", "files", "added-tokens", "prefix-space", "whole-text", "ignore-merges", "unknown",
  "unknown-fused", "unknown-dropped",
]

/// The tokenizers of other families that it writes.
let familyNames = [
  "llama3", "qwen2", "phi4", "o200k", "bloom", "falcon", "starcoder2", "neox", "prefix-space-of-words", "llama2",
  "llama-first", "metaspace-always", "metaspace-never", "gemma", "nothing", "unknown-characters",
  "dropped-characters", "nfd", "nfkc", "nfkd", "removed", "removed-inverted", "merged-with-previous",
  "merged-with-next", "merged-with-next-inverted", "contiguous", "whitespace", "whitespace-split", "unigram",
  "unigram-fallback", "wordpiece", "wordpiece-cased", "wordlevel", "affixes", "lowercase", "strip", "strip-right",
  "nmt",
  "strip-accents", "byte-letters", "character-map", "pattern-0", "pattern-1", "pattern-2", "pattern-3", "pattern-4",
  "pattern-5", "pattern-of-bytes", "deepseek", "holes",
]

/// The path of a file that scripts/make-tokenizer-goldens writes.
func tokenizerFixture(_ path: String) -> String {
  fixtures + "/tokenizers/" + path
}

/// One of the tokenizers.
func fixtureTokenizer(_ name: String) throws -> Tokenizer {
  try Tokenizer(path: tokenizerFixture(name))
}

/// Equal in bytes: `==` takes canonically equivalent texts for equal.
func areSame(_ a: String, _ b: String) -> Bool {
  a.utf8.elementsEqual(b.utf8)
}

/// Hands over a folder that holds these files.
func withFolder<Result>(_ files: [String: [UInt8]], _ body: (String) throws -> Result) throws -> Result {
  try withTemporaryFolder { folder in
    for (name, bytes) in files { try AppendingFile(path: folder + "/" + name).append(bytes) }
    return try body(folder)
  }
}

extension TestGenerator {
  /// Scalars of all of Unicode, most of them from its beginning, with runs of whitespace and added tokens between.
  mutating func text(count: Int) -> String {
    let pieces = ["  ", "\n\n", " \t", "'s", "'ll", " the", "<|endoftext|>", "<w>", "<l>", "<r>", "<lr>", "<n>", "été"]
    var text = ""
    for _ in 0..<count {
      switch Int.random(in: 0..<10, using: &self) {
      case 0...1: text += pieces.randomElement(using: &self) ?? ""
      case 2...5: text.unicodeScalars.append(scalar(below: 0x80))
      case 6: text.unicodeScalars.append(scalar(below: 0x800))
      case 7...8: text.unicodeScalars.append(scalar(below: 0x10000))
      default: text.unicodeScalars.append(scalar(below: 0x110000))
      }
    }
    return text
  }

  private mutating func scalar(below limit: UInt32) -> Unicode.Scalar {
    while true {
      if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &self)) { return scalar }
    }
  }
}
