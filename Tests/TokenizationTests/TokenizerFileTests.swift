import Diagnostics
import Testing
import TestSupport
import Tokenization

/// A change to a good file and what must be said about it.
struct MalformedFile: CustomTestStringConvertible, Sendable {
  var name: String
  var old: String
  var new: String
  var problem: String

  init(_ name: String, _ old: String, _ new: String, _ problem: String) {
    self.name = name
    self.old = old
    self.new = new
    self.problem = problem
  }

  var testDescription: String { name }
}

@Suite struct TokenizerFileTests {
  private static let good = """
    {"version": "1.0", "truncation": {"max_length": 2}, "padding": {"length": 9},
    "added_tokens": [
    {"id": 4, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 5, "content": "<t>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing"},
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    "vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}, "merges": [["a", "b"], "ab b"]}}
    """

  private func error(_ files: [String: [UInt8]]) throws -> (error: InputError, folder: String) {
    try withFolder(files) { folder in
      (try #require(throws: InputError.self) { try Tokenizer(path: folder) }, folder)
    }
  }

  private func tokenizer(_ text: String) throws -> Tokenizer {
    try withFolder(["tokenizer.json": Array(text.utf8)]) { try Tokenizer(path: $0) }
  }

  @Test func goodFile() throws {
    let tokenizer = try tokenizer(Self.good)
    #expect(try tokenizer.encode("<s>abbab<t>b").map(\.id) == [4, 3, 2, 5, 1])
    #expect(tokenizer.vocabularySize == 6)
  }

  /// What may be left out, or written another way, and makes no difference.
  @Test(arguments: [
    (#""version": "1.0", "#, ""), (#""truncation": {"max_length": 2}, "#, ""), (#""normalizer": null,"#, ""),
    (#""type": "BPE", "#, ""), (#""dropout": null"#, #""dropout": 0.0"#),
    (#""continuing_subword_prefix": null"#, #""continuing_subword_prefix": """#),
    (#""end_of_word_suffix": null"#, #""end_of_word_suffix": """#), (#""unk_token": null"#, #""unk_token": "a""#),
    (#"[["a", "b"]"#, ##"["#version: 0.2", "a b""##), (#""abb": 3}"#, #""abb": 3, "<s>": 4}"#),
    (#", "use_regex": true}"#, "}"), (#"{"type": "TemplateProcessing"}"#, "null"), (#""id": 5"#, #""id": 5.0"#),
  ])
  func sameTokenizer(old: String, new: String) throws {
    try #require(Self.good.contains(old))
    #expect(try tokenizer(Self.good.replacing(old, with: new)).encode("<s>abbab<t>b").map(\.id) == [4, 3, 2, 5, 1])
  }

  @Test(arguments: [
    MalformedFile(
      "unknown member", #""version""#, #""tensors""#,
      "tensors is unknown; expected one of version, truncation, padding, added_tokens, normalizer, pre_tokenizer, "
        + "post_processor, decoder, model"),
    MalformedFile("member twice", #""normalizer": null"#, #""decoder": null"#, "decoder appears twice"),
    MalformedFile("version", #""1.0""#, #""2.0""#, #"version is "2.0"; supported: "1.0""#),
    MalformedFile(
      "normalizer", #""normalizer": null"#, #""normalizer": {"type": "Uppercase"}"#,
      #"normalizer is "Uppercase"; supported: NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, "#
        + "BertNormalizer, Precompiled, Nmt, ByteLevel, Sequence"),
    MalformedFile(
      "pre-tokenizer", #""pre_tokenizer": {"type": "ByteLevel""#, #""pre_tokenizer": {"type": "UnicodeScripts""#,
      #"pre_tokenizer is "UnicodeScripts"; supported: ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, "#
        + "WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, Sequence"),
    MalformedFile(
      "pre-tokenizer's flag", #""add_prefix_space": false"#, #""add_prefix_space": 0"#,
      "pre_tokenizer.add_prefix_space is 0; expected true or false"),
    MalformedFile(
      "pre-tokenizer's unknown flag", #""add_prefix_space": false"#, #""behavior": 0"#,
      "pre_tokenizer.behavior is unknown; expected one of type, add_prefix_space, trim_offsets, use_regex"),
    MalformedFile(
      "decoder", #""decoder": {"type": "ByteLevel""#, #""decoder": {"type": "Lattice""#,
      #"decoder is "Lattice"; supported: ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece, BPEDecoder, "#
        + "CTC, Sequence"),
    MalformedFile(
      "model", #""BPE""#, #""Lattice""#, #"model is "Lattice"; supported: BPE, Unigram, WordPiece, WordLevel"#),
    MalformedFile(
      "words of bytes", #""BPE""#, #""WordPiece""#,
      #"model is "WordPiece" after a pre_tokenizer "ByteLevel"; supported: BPE"#),
    MalformedFile(
      "Unigram of bytes", #""BPE""#, #""Unigram""#,
      #"model is "Unigram" after a pre_tokenizer "ByteLevel"; supported: BPE"#),
    MalformedFile(
      "model without merges", #", "merges": [["a", "b"], "ab b"]"#, "", "model.merges is missing; expected a list"),
    MalformedFile(
      "dropout", #""dropout": null"#, #""dropout": 0.1"#,
      "model.dropout is 0.1; supported: null (tokens must not be random)"),
    MalformedFile(
      "byte fallback", #""byte_fallback": false"#, #""byte_fallback": true"#,
      #"model.byte_fallback is true after a pre_tokenizer "ByteLevel", and model.vocab lacks "Ā""#),
    MalformedFile(
      "model's unknown flag", #""fuse_unk": false"#, #""cache": 7"#,
      "model.cache is unknown; expected one of type, dropout, unk_token, continuing_subword_prefix, "
        + "end_of_word_suffix, fuse_unk, byte_fallback, ignore_merges, vocab, merges"),
    MalformedFile(
      "unknown token that is unknown", #""unk_token": null"#, #""unk_token": "<unk>""#,
      #"model.unk_token is "<unk>", but model.vocab lacks this token and the letter "Ā""#),
    MalformedFile(
      "unknown token of another type", #""unk_token": null"#, #""unk_token": 0"#,
      "model.unk_token is 0; expected a token or null"),
    MalformedFile(
      "vocabulary of another type", #"{"a": 0, "b": 1, "ab": 2, "abb": 3}"#, "[]",
      "model.vocab: expected an object of tokens and ids, found a list"),
    MalformedFile(
      "negative id", #""abb": 3"#, #""abb": -3"#,
      #"model.vocab: the id of "abb" is -3; expected a whole number from 0 to 2147483647"#),
    MalformedFile(
      "absurd id", #""abb": 3"#, #""abb": 9999999999"#,
      #"model.vocab: the id of "abb" is 9999999999; expected a whole number from 0 to 2147483647"#),
    MalformedFile(
      "id that is no number", #""abb": 3"#, #""abb": "3""#,
      #"model.vocab: the id of "abb" is "3"; expected a whole number from 0 to 2147483647"#),
    MalformedFile(
      "merge of an unknown token", #"["a", "b"]"#, #"["a", "c"]"#,
      #"model.merges[0] merges "a" and "c", but the vocabulary has no "c""#),
    MalformedFile(
      "merge to an unknown token", #"["a", "b"]"#, #"["b", "a"]"#,
      #"model.merges[0] merges "b" and "a", but the vocabulary has no "ba""#),
    MalformedFile(
      "merge of one token", #""ab b""#, #""ab""#,
      #"model.merges[1] is "ab"; expected two tokens with one space between them"#),
    MalformedFile(
      "merge of three tokens", #""ab b""#, #""a b b""#,
      #"model.merges[1] is "a b b"; expected two tokens with one space between them"#),
    MalformedFile(
      "merge of a list of three", #"["a", "b"]"#, #"["a", "b", "b"]"#,
      #"model.merges[0] is a list; expected two tokens, ["a", "b"] or "a b""#),
    MalformedFile(
      "merge of a number", #"["a", "b"]"#, "7", #"model.merges[0] is 7; expected two tokens, ["a", "b"] or "a b""#),
    MalformedFile(
      "merges of another type", #"[["a", "b"], "ab b"]"#, "7", "model.merges is 7; expected a list"),
    MalformedFile(
      "added token's negative id", #""id": 5"#, #""id": -5"#,
      "added_tokens[1].id is -5; expected a whole number of at least 0"),
    MalformedFile(
      "added token's absurd id", #""id": 5"#, #""id": 1e300"#,
      "added_tokens[1].id is 1e+300; expected a whole number of at least 0"),
    MalformedFile(
      "added token without a flag", #""rstrip": false, "normalized": true"#, #""normalized": true"#,
      "added_tokens[1].rstrip is missing; expected true or false"),
    MalformedFile(
      "added token's unknown flag", #""special": true"#, #""special": true, "hidden": true"#,
      "added_tokens[0].hidden is unknown; expected one of id, content, single_word, lstrip, rstrip, normalized, "
        + "special"),
    MalformedFile(
      "added token of another type",
      #"[\#n{"id": 4"#, #"[7,\#n{"id": 4"#, "added_tokens[0]: expected an object, found 7"),
  ])
  func malformedFile(_ file: MalformedFile) throws {
    try #require(Self.good.contains(file.old))
    let text = Self.good.replacing(file.old, with: file.new, maxReplacements: 1)
    let (error, folder) = try error(["tokenizer.json": Array(text.utf8)])
    #expect(error == .badData(folder + "/tokenizer.json", file.problem))
  }

  private static let characters = """
    {"added_tokens": [], "normalizer": null, "pre_tokenizer": null, "decoder": null,
    "model": {"type": "BPE", "unk_token": "a", "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []}}
    """

  /// What is refused of the parts that other families have.
  @Test(arguments: [
    MalformedFile(
      "unknown normalizer in a sequence", #""normalizer": null"#,
      #""normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nothing"}]}"#,
      #"normalizer.normalizers[1] is "Nothing"; supported: NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, "#
        + "StripAccents, BertNormalizer, Precompiled, Nmt, ByteLevel, Sequence"),
    MalformedFile(
      "normalizer without a type", #""normalizer": null"#, #""normalizer": {"prepend": "a"}"#,
      "normalizer is without a type; supported: NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, "
        + "BertNormalizer, Precompiled, Nmt, ByteLevel, Sequence"),
    MalformedFile(
      "pattern without a kind", #""normalizer": null"#,
      #""normalizer": {"type": "Replace", "pattern": "a", "content": ""}"#,
      #"normalizer.pattern is "a"; expected {"String": "…"} or {"Regex": "…"}"#),
    MalformedFile(
      "pattern of another kind", #""normalizer": null"#,
      #""normalizer": {"type": "Replace", "pattern": {"Glob": "a"}, "content": ""}"#,
      "normalizer.pattern.Glob is unknown; expected one of String, Regex"),
    MalformedFile(
      "behavior", #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "Dropped", "invert": false}"#,
      #"pre_tokenizer.behavior is "Dropped"; expected one of Isolated, Removed, MergedWithPrevious, MergedWithNext, "#
        + "Contiguous"),
    MalformedFile(
      "schemes that disagree", #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Metaspace", "replacement": "_", "add_prefix_space": false, "prepend_scheme": "first"}"#,
      #"pre_tokenizer.add_prefix_space is false, but prepend_scheme is "first""#),
    MalformedFile(
      "unknown scheme", #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}"#,
      #"pre_tokenizer.prepend_scheme is "last"; expected one of always, first, never"#),
    MalformedFile(
      "replacement of two characters", #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Metaspace", "replacement": "__"}"#,
      #"pre_tokenizer.replacement is "__"; expected one character"#),
    MalformedFile(
      "two ByteLevels", #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "ByteLevel"}]}"#,
      #"pre_tokenizer.pretokenizers[1] is "ByteLevel"; supported: one ByteLevel"#),
    MalformedFile(
      "map that is none", #""normalizer": null"#,
      #""normalizer": {"type": "Precompiled", "precompiled_charsmap": "ABCDEFGH"}"#,
      "normalizer.precompiled_charsmap is not a map of SentencePiece in base 64"),
    MalformedFile(
      "words of a negative length",
      #""BPE", "unk_token": "a", "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []"#,
      #"""
      "WordPiece", "unk_token": "a", "vocab": {"a": 0}, "continuing_subword_prefix": "", "max_input_chars_per_word": -1
      """#, "model.max_input_chars_per_word is -1; expected a whole number of at least 0"),
    MalformedFile(
      "word that is unknown",
      #""BPE", "unk_token": "a", "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []"#,
      #""WordLevel", "unk_token": "c", "vocab": {"a": 0}"#, #"model.unk_token is "c", which model.vocab lacks"#),
    MalformedFile(
      "stripped ends", #""decoder": null"#, #""decoder": {"type": "Strip", "content": " ", "start": 0, "stop": 1}"#,
      "decoder.stop is 1; supported: 0"),
    MalformedFile(
      "bytes that have no token", #""byte_fallback": false, "vocab": {"a": 0"#,
      #""byte_fallback": true, "vocab": {"<0x00>": 0"#, #"model.byte_fallback is true, but model.vocab lacks "<0x01>""#),
    MalformedFile(
      "unknown token that is unknown", #""unk_token": "a""#, #""unk_token": "c""#,
      #"model.unk_token is "c", which model.vocab lacks"#),
    MalformedFile(
      "no model", #"{"type": "BPE""#, #"null, "version": {"type": "BPE""#, #"version is an object; supported: "1.0""#),
    MalformedFile(
      "Unigram's scores", #""BPE", "unk_token": "a", "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []"#,
      #""Unigram", "unk_id": 0, "vocab": [["a", 0], ["b"]]"#,
      #"model.vocab[1] is a list; expected ["token", score]"#),
    MalformedFile(
      "Unigram's unknown token",
      #""BPE", "unk_token": "a", "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []"#,
      #""Unigram", "unk_id": 2, "vocab": [["a", 0], ["b", -1]]"#, "model.unk_id is 2; expected the id of a token"),
  ])
  func refusedPart(_ file: MalformedFile) throws {
    try #require(Self.characters.contains(file.old))
    _ = try tokenizer(Self.characters)
    let text = Self.characters.replacing(file.old, with: file.new, maxReplacements: 1)
    let (error, folder) = try error(["tokenizer.json": Array(text.utf8)])
    #expect(error == .badData(folder + "/tokenizer.json", file.problem))
  }

  /// Words come apart before "▁" only if no token has it after the same byte.
  @Test func mergesAcrossSpaces() throws {
    let tokenizer = try tokenizer(
      """
      {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
      "model": {"type": "BPE", "unk_token": "<unk>", "merges": ["▁ b", "a ▁b", "c ▁b"],
      "vocab": {"<unk>": 0, "▁": 1, "a": 2, "b": 3, "c": 4, "▁b": 5, "a▁b": 6, "c▁b": 7, "d": 8}}}
      """)
    #expect(
      try tokenizer.encode("a bd bc b") == [
        Token(id: 6, bytes: 0..<3), Token(id: 8, bytes: 3..<4), Token(id: 5, bytes: 4..<6), Token(id: 7, bytes: 6..<9),
      ])
  }

  @Test(arguments: [
    ("(a", "end pattern with unmatched parenthesis"), ("[a", "premature end of char-class"),
    (#"\p{Foo}"#, "invalid character property name {Foo}"),
  ])
  func mistakeInAPattern(pattern: String, message: String) throws {
    let escaped = pattern.replacing(#"\"#, with: #"\\"#)
    for (key, member) in [
      ("normalizer", #"{"type": "Replace", "content": "", "pattern": {"Regex": "\#(escaped)"}}"#),
      ("pre_tokenizer", #"{"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "\#(escaped)"}}"#),
      ("decoder", #"{"type": "Replace", "content": "", "pattern": {"Regex": "\#(escaped)"}}"#),
    ] {
      let text = Self.characters.replacing(#""\#(key)": null"#, with: #""\#(key)": \#(member)"#)
      let (error, folder) = try error(["tokenizer.json": Array(text.utf8)])
      #expect(
        error
          == .badData(
            folder + "/tokenizer.json", "\(key).pattern.Regex is not a regular expression: \(message)"))
    }
  }

  @Test func patternOfExponentialTime() throws {
    let text = Self.characters.replacing(
      #""pre_tokenizer": null"#,
      with: #"""
        "pre_tokenizer":
        {"type": "Split", "pattern": {"Regex": "(b+)+[ac](?<=c)"}, "behavior": "Isolated", "invert": false}
        """#)
    try withFolder(["tokenizer.json": Array(text.utf8)]) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("ba").map(\.id) == [1, 0])
      let error = try #require(throws: InputError.self) {
        _ = try tokenizer.encode(String(repeating: "b", count: 100) + "a")
      }
      #expect(
        error
          == .badData(
            folder + "/tokenizer.json",
            "pre_tokenizer.pattern.Regex gives up on a text of 101 bytes (retry-limit-in-match over); shorten the text "
              + "or simplify the pattern"))
    }
  }

  @Test(arguments: ["tokenizer.model", "spiece.model", "vocab.txt"]) func otherFileAlone(name: String) throws {
    let (error, folder) = try error([name: [0]])
    #expect(
      error == .missing(folder, "has only \(name), which cpt does not read; add the matching tokenizer.json"))
  }

  /// As OPT's folder has it.
  @Test func specialTokensBesideTheTwoFiles() throws {
    let vocabulary = #"{"</s>": 0, "<pad>": 1, "a": 2, "Ġ": 3, "Ġa": 4, "<": 5}"#
    var files = [
      "vocab.json": vocabulary, "merges.txt": "Ġ a",
      "tokenizer_config.json": #"{"eos_token": "</s>", "bos_token": null, "add_prefix_space": true}"#,
      "special_tokens_map.json": #"{"pad_token": {"content": "<pad>", "lstrip": false}, "unk_token": "</s>"}"#,
    ]
    try withFolder(files.mapValues { Array($0.utf8) }) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("a</s>a<pad>").map(\.id) == [4, 0, 4, 1])
    }
    // Flags count; a token that is not in the vocabulary is numbered from its end.
    files["special_tokens_map.json"] = #"{"pad_token": {"content": "<pad>", "lstrip": true}}"#
    files["added_tokens.json"] = #"{"<x>": 9}"#
    try withFolder(files.mapValues { Array($0.utf8) }) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("a <pad><x>a<|endoftext|>").map(\.id) == [4, 1, 6, 4, 7])
    }
  }

  @Test(arguments: [
    (
      #"{"tokenizer_class": "T5TokenizerFast"}"#,
      "tokenizer_class is T5Tokenizer, whose tokens are not supported; if tokenizer.json has them as they are, set it to "
        + "PreTrainedTokenizerFast"
    ),
    (#"{"add_prefix_space": 1, "tokenizer_class": "GPT2Tokenizer"}"#, "add_prefix_space is 1; expected true or false"),
    (#"{"eos_token": 7}"#, "eos_token is 7; expected a token"),
    (#"{"extra_special_tokens": [7]}"#, "extra_special_tokens has 7; expected a token"),
    (#"{"extra_special_tokens": 7}"#, "extra_special_tokens is 7; expected a list of tokens"),
    (#"{"added_tokens_decoder": 7}"#, "added_tokens_decoder is 7; expected an object"),
    (
      #"{"added_tokens_decoder": {"x": {"content": "<x>"}}}"#,
      #"added_tokens_decoder has "x"; expected an id with a token, {"content": "…", …}"#
    ),
    (
      #"{"fix_mistral_regex": true}"#,
      "fix_mistral_regex is true, which is not supported; write the pattern into tokenizer.json"
    ),
    ("[]", "expected an object, found a list"),
  ])
  func refusedSettings(settings: String, problem: String) throws {
    let (error, folder) = try error([
      "tokenizer.json": Array(Self.good.utf8), "tokenizer_config.json": Array(settings.utf8),
    ])
    #expect(error == .badData(folder + "/tokenizer_config.json", problem))
  }

  @Test func classWithoutTokensInTheTwoFiles() throws {
    let (error, folder) = try error([
      "vocab.json": Array("{}".utf8), "merges.txt": [],
      "tokenizer_config.json": Array(#"{"tokenizer_class": "LlamaTokenizer"}"#.utf8),
    ])
    #expect(
      error
        == .badData(
          folder, "has vocab.json, from which LlamaTokenizer is not read; add the matching tokenizer.json"))
  }

  @Test func malformedJSON() throws {
    let (error, folder) = try error(["tokenizer.json": Array("{\"model\":\n{".utf8)])
    #expect(error.kind == .badData)
    #expect(error.place == folder + "/tokenizer.json:2:2")
  }

  @Test func anotherKindOfJSON() throws {
    let (error, folder) = try error(["tokenizer.json": Array("[1]".utf8)])
    #expect(error == .badData(folder + "/tokenizer.json", "expected an object, found a list"))
  }

  @Test func folderWithoutTokenizer() throws {
    let (error, folder) = try error([:])
    #expect(
      error == .missing(folder, "has no tokenizer: expected tokenizer.json, vocab.json with merges.txt, or a GGUF file")
    )
  }

  @Test(arguments: [("vocab.json", "merges.txt"), ("merges.txt", "vocab.json")])
  func oneOfTheTwoFiles(present: String, absent: String) throws {
    let (error, folder) = try error([present: Array(#"{}"#.utf8)])
    #expect(error == .missing(folder + "/" + absent, "cannot be opened: No such file or directory"))
  }

  @Test(arguments: [
    (
      #"{"a": 0, "b": 1, "ab": 2}"#, "a b\na  b\n", "merges.txt",
      #"line 2 is "a  b"; expected two tokens with one space between them"#
    ),
    (
      #"{"a": 0, "b": 1}"#, "#version: 0.2\na b\n", "merges.txt",
      #"line 2 merges "a" and "b", but the vocabulary has no "ab""#
    ),
    (#"["a"]"#, "", "vocab.json", "expected an object of tokens and ids, found a list"),
  ])
  func malformedTwoFiles(vocabulary: String, merges: String, file: String, problem: String) throws {
    let (error, folder) = try error(["vocab.json": Array(vocabulary.utf8), "merges.txt": Array(merges.utf8)])
    #expect(error == .badData(folder + "/" + file, problem))
  }

  @Test func mergesThatAreNoText() throws {
    let (error, folder) = try error(["vocab.json": Array("{}".utf8), "merges.txt": [0x61, 0x20, 0xFF]])
    #expect(error == .badData(folder + "/merges.txt", "is not UTF-8 text; is the download complete?"))
  }

  /// Comments, blank lines and the line ends of Windows.
  @Test func mergesInAnotherLayout() throws {
    let files = ["vocab.json": #"{"a": 0, "b": 1, "ab": 2}"#, "merges.txt": "#version: 0.2\r\n\r\na b\r\n\r\n"]
    try withFolder(files.mapValues { Array($0.utf8) }) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(try tokenizer.encode("ab").map(\.id) == [2])
    }
  }

  @Test func tokensThatAreCanonicallyEquivalentDiffer() throws {
    // U+212B and "Å" are the same String; the first is not a letter of the byte alphabet and is taken as its UTF-8.
    let files = ["vocab.json": #"{"\u212b": 0, "\u00c5": 1}"#, "merges.txt": ""]
    try withFolder(files.mapValues { Array($0.utf8) }) { folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(tokenizer.id(of: "\u{212B}") == 0)
      #expect(tokenizer.id(of: "\u{C5}") == 1)
      #expect(tokenizer.bytes(of: 0) == Array("\u{212B}".utf8))
      #expect(tokenizer.bytes(of: 1) == [0xC5])
    }
  }

  /// Damaged files are refused or read, and nothing else happens.
  @Test func damagedFilesAreErrors() throws {
    var generator = TestGenerator(seed: 11)
    let good = Array(Self.good.utf8)
    var refused = 0
    for round in 0..<1000 {
      var bytes = good
      for _ in 0...(round % 4) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(good[Int.random(in: 0..<good.count, using: &generator)], at: place)
        default: bytes.removeSubrange(place..<min(bytes.count, place + 20))
        }
      }
      try withFolder(["tokenizer.json": bytes]) { folder in
        do {
          _ = try Tokenizer(path: folder).encode("<s>abbab<t> b")
        } catch let error as InputError {
          #expect(error.kind == .badData)
          #expect(error.place.hasPrefix(folder + "/tokenizer.json"))
          refused += 1
        }
      }
    }
    #expect(refused > 500)
  }
}
