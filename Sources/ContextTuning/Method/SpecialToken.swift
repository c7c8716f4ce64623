import FileFormats
import Tokenization

/// A token that marks the start or the end of a text.
enum SpecialToken {
  case endOfText
  case beginningOfText

  private var name: String { self == .endOfText ? "eos_token" : "bos_token" }

  /// Its id: by name in tokenizer_config.json or special_tokens_map.json, else by id in the model's config.json.
  ///
  /// - Throws: `InputError.badData` when no file says it.
  func id(tokenizer: Tokenizer, folder: String, modelFolder: String) throws -> Int {
    if let id = try named(tokenizer: tokenizer, folder: folder) { return id }
    let config = modelFolder + "/config.json"
    let entry = try JSON.read(file: config)[name + "_id"]
    if let id = entry?.integer ?? entry?.array?.first?.integer, id >= 0 { return id }
    throw InputError.badData(
      folder,
      "no file says which token is the \(name); set template.\(self == .endOfText ? "end_of_text" : "beginning_of_text") to false"
    )
  }

  /// Its id by name in the tokenizer's files; nil where they do not say.
  ///
  /// - Throws: `InputError.badData` for a name the tokenizer does not know.
  func named(tokenizer: Tokenizer, folder: String) throws -> Int? {
    for file in ["tokenizer_config.json", "special_tokens_map.json"].map({ folder + "/" + $0 }) where fileExists(file) {
      let entry = try JSON.read(file: file)[name]
      guard let text = entry?.string ?? entry?["content"]?.string else { continue }
      guard let id = tokenizer.id(of: text) else {
        throw InputError.badData(file, "\"\(name)\" is \"\(text)\", which is not in the tokenizer's vocabulary")
      }
      return id
    }
    return nil
  }
}

extension SpecialToken {
  /// The tokens that end a text: those of config.json and generation_config.json, and the tokenizer's.
  ///
  /// - Throws: `InputError.badData` for an `eos_token_id` that is neither a token nor a list of tokens.
  static func endTokens(tokenizer: Tokenizer, folder: String, modelFolder: String) throws -> Set<Int> {
    var tokens: Set<Int> = []
    if let named = try endOfText.named(tokenizer: tokenizer, folder: folder) { tokens.insert(named) }
    for file in ["config.json", "generation_config.json"].map({ modelFolder + "/" + $0 }) where fileExists(file) {
      guard let entry = try JSON.read(file: file)["eos_token_id"], !entry.isNull else { continue }
      let ids = entry.array ?? [entry]
      guard ids.allSatisfy({ $0.integer != nil }) else {
        throw InputError.badData(
          file, "\"eos_token_id\" must be a token id or a list of them, found \(entry.shortDescription)")
      }
      tokens.formUnion(ids.compactMap(\.integer).filter { $0 >= 0 })
    }
    return tokens
  }
}
