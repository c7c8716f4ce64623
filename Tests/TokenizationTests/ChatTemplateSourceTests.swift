import Diagnostics
import FileFormats
import System
import Testing
import TestSupport
import Tokenization

/// Where a model's chat template stands.
@Suite struct ChatTemplateSourceTests {
  private func source(_ settings: String?, jinja: String? = nil) throws -> ChatTemplateSource? {
    try withTemporaryFolder { folder in
      try writeAtomically(readBytes(of: fixtures + "/chat/llama2/tokenizer.json"), to: folder + "/tokenizer.json")
      if let settings { try writeAtomically(settings, to: folder + "/tokenizer_config.json") }
      if let jinja { try writeAtomically(jinja, to: folder + "/chat_template.jinja") }
      return try ChatTemplateSource(path: folder, tokenizer: Tokenizer(path: folder))
    }
  }

  @Test func theFileOfItsOwnCountsFirst() throws {
    #expect(try source(nil) == nil)
    #expect(try source("{\"chat_template\": null}") == nil)
    #expect(try source("{\"chat_template\": \"a\"}")?.text == "a")
    #expect(try source("{\"chat_template\": \"a\"}", jinja: "b\n")?.text == "b\n")
    let named = """
      {"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}],
       "bos_token": "<s>", "eos_token": {"content": "</s>"}, "eot_token": "<r>"}
      """
    let found = try #require(try source(named))
    #expect(found.text == "d" && found.file.hasSuffix("tokenizer_config.json"))
    #expect(found.variables == ["bos_token": "<s>", "eos_token": "</s>", "eot_token": "<r>"])
  }

  @Test(arguments: [
    ("{\"chat_template\": 1}", "chat_template is 1; expected a string or a list"),
    ("{\"chat_template\": [{\"name\": \"rag\", \"template\": \"t\"}]}", "without a template called \"default\""),
  ])
  func whatIsNoTemplateIsRefused(settings: String, problem: String) {
    let error = #expect(throws: InputError.self) { try source(settings) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
  }

  /// transformers' names of the special tokens, and the metadata's.
  @Test func ggufFilesHaveOne() throws {
    try withTemporaryFolder { folder in
      var bytes = try readBytes(of: fixtures + "/gguf-tokenizers/llama.gguf")
      // One more entry before the first.
      let key = Array("tokenizer.chat_template".utf8), text = Array("{{ bos_token }}".utf8)
      func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      }
      let count = (0..<8).reduce(0) { $0 | Int(bytes[16 + $1]) << (8 * $1) }
      bytes.replaceSubrange(
        16..<24, with: little(count + 1, 8) + little(key.count, 8) + key + little(8, 4) + little(text.count, 8) + text)
      try writeAtomically(bytes, to: folder + "/m.gguf")
      let found = try #require(
        try ChatTemplateSource(path: folder + "/m.gguf", tokenizer: Tokenizer(path: folder + "/m.gguf")))
      #expect(found.text == "{{ bos_token }}" && found.file.hasSuffix("m.gguf"))
      #expect(found.variables["bos_token"] == "<s>" && found.variables["eos_token"] == "</s>")
      let without = fixtures + "/gguf-tokenizers/llama.gguf"
      #expect(try ChatTemplateSource(path: without, tokenizer: Tokenizer(path: without)) == nil)
    }
  }
}
