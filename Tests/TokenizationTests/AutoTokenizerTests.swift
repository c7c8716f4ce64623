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
        let tokenizer = try Tokenizer(folder: path)
        let expected = try #require(folder.value["ids"]?.array)
        for (text, ids) in zip(texts, expected) {
          let ids = try #require(ids.array).compactMap(\.integer)
          #expect(try tokenizer.encode(text).map(\.id) == ids, "\(folder.key): \(text.debugDescription)")
        }
        let special = SpecialTokens(folder: path, modelFolder: path)
        let begins = special.expectsBeginningOfText(tokenizer: tokenizer)
        #expect(begins == folder.value["beginsTexts"]?.bool, "\(folder.key)")
        let ends = try special.endTokens(tokenizer: tokenizer)
        #expect(Array(ends) == (folder.value["endOfText"]?.integer).map { [$0] } ?? [], "\(folder.key)")
      }
    }
  }
}
