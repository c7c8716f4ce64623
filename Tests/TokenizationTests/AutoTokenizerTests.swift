import FileFormats
import System
import Testing
import TestSupport
import Tokenization

/// What `AutoTokenizer` makes of a folder with the files beside a tokenizer; scripts/make-tokenizer-goldens recorded it.
@Suite struct AutoTokenizerTests {
  @Test func encodes() throws {
    let goldens = try JSON.read(file: tokenizerFixture("classes.json"))
    let texts = (goldens["texts"]?.array ?? []).compactMap(\.string)
    let folders = try #require(goldens["folders"]?.object)
    #expect(folders.count > 40)
    for folder in folders {
      let base = try #require(folder.value["base"]?.string)
      var files: [String: [UInt8]] = [:]
      for name in base == "files" ? ["vocab.json", "merges.txt"] : ["tokenizer.json"] {
        files[name] = try readBytes(of: tokenizerFixture(base + "/" + name))
      }
      let others = try #require(folder.value["files"]?.object)
      for member in others { files[member.key] = Array(member.value.compact.utf8) }
      try withFolder(files) { path in
        let tokenizer = try Tokenizer(path: path)
        let expected = try #require(folder.value["ids"]?.array)
        for (text, ids) in zip(texts, expected) {
          let ids = try #require(ids.array).compactMap(\.integer)
          #expect(try tokenizer.encode(text).map(\.id) == ids, "\(folder.key): \(text.debugDescription)")
        }
        let special = SpecialTokens(path: path, modelPath: path)
        let begins = special.expectsBeginningOfText(tokenizer: tokenizer)
        #expect(begins == folder.value["beginsTexts"]?.bool, "\(folder.key)")
        let ends = try special.endTokens(tokenizer: tokenizer)
        #expect(Array(ends) == (folder.value["endOfText"]?.integer).map { [$0] } ?? [], "\(folder.key)")
      }
    }
  }

  /// A class of merges makes other tokens of a file with words, and the other way round.
  @Test(
    arguments: ["wordpiece", "wordpiece-cased", "wordlevel", "unigram", "llama2", "llama3"],
    [
      "GPT2Tokenizer", "CodeGenTokenizer", "RobertaTokenizer", "GPTNeoXTokenizerFast", "CohereTokenizerFast",
      "Qwen2Tokenizer", "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizerFast", "BertTokenizer",
    ])
  func aClassOfAnotherModelIsRefused(base: String, name: String) throws {
    let file = try readBytes(of: tokenizerFixture(base + "/tokenizer.json"))
    let type = try #require(JSON(parsing: file, file: "")["model"]?["type"]?.string)
    let expected = name == "BertTokenizer" ? "WordPiece" : "BPE"
    func message(_ settings: String, model: String? = nil) throws -> String {
      var files = ["tokenizer.json": file, "tokenizer_config.json": Array(settings.utf8)]
      if let model { files["config.json"] = Array(#"{"model_type": "\#(model)"}"#.utf8) }
      return try withFolder(files) { path in
        do { _ = try Tokenizer(path: path) } catch { return "\(error)" }
        return ""
      }
    }
    let refused = "model is \(type), but tokenizer_class \"\(name)\" in the files beside makes a \(expected) of it"
    let found = try message(#"{"tokenizer_class": "\#(name)"}"#)
    if type == expected {
      #expect(!found.contains("in the files beside"))
    } else {
      #expect(found.contains("/tokenizer.json: " + refused) && found.contains("\"PreTrainedTokenizerFast\""))
    }
    // The remedy, and the classes that a type of model brings.
    for model in [nil, "gpt2", "gemma2", "llama"] {
      try #expect(message(#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, model: model) == "")
    }
    if type != "BPE" {
      try #expect(message("{}", model: "gpt_neox").contains("but model_type \"gpt_neox\" in the files beside"))
      for settings in ["{}", #"{"tokenizer_class": "PreTrainedTokenizerFast"}"#] {
        try #expect(message(settings, model: "qwen2").contains("in a folder without config.json"))
      }
    }
  }
}
