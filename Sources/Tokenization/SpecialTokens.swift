import Diagnostics
import FileFormats
import System

/// The tokens that mark the start and the end of a text, from the files of a tokenizer and its model.
package struct SpecialTokens: Sendable {
  package enum Marker: Sendable {
    case beginningOfText
    case endOfText

    /// Its name in the tokenizer's files; with the suffix `_id`, in the model's.
    fileprivate var key: String { self == .endOfText ? "eos_token" : "bos_token" }
    /// The configuration key that enables it.
    fileprivate var setting: String { self == .endOfText ? "template.end_of_text" : "template.beginning_of_text" }
  }

  private let path: String
  private let modelPath: String
  /// The metadata of the model if it is a GGUF file, or why it cannot be read.
  private let modelMetadata: Result<GGUFMetadata?, any Error>

  /// - Parameters:
  ///   - path: the tokenizer's folder or GGUF file.
  ///   - modelPath: the model's.
  package init(path: String, modelPath: String) {
    self.path = path
    self.modelPath = modelPath
    modelMetadata = Result { try GGUFModel.file(of: modelPath).map { try GGUFModel(path: $0).metadata } }
  }

  /// The id of a marker: by name in the tokenizer's files, if there is one, else by id in the model's config.json or GGUF file.
  ///
  /// - Throws: `InputError.badData` when no file defines it.
  package func id(of marker: Marker, tokenizer: Tokenizer?) throws -> Int {
    if let id = tokenizer.flatMap({ named(marker, tokenizer: $0) }) { return id }
    let ids =
      if let metadata = try modelMetadata.get() { try metadata.tokenID(marker.key + "_id").map { [$0] } ?? [] } else {
        try ids(of: marker, in: "config.json")
      }
    if let id = ids.first { return id }
    throw InputError.badData(
      path, "no file defines the \(marker.key); set \(marker.setting) to false")
  }

  /// The tokens that end a text: the tokenizer's, and those of the model's config.json and generation_config.json; or of
  /// its GGUF file, which names the ends of a text, of a turn and of a message.
  ///
  /// - Throws: `InputError.badData` for an `eos_token_id` that is neither a token nor a list of tokens.
  package func endTokens(tokenizer: Tokenizer) throws -> Set<Int> {
    let named = named(.endOfText, tokenizer: tokenizer).map { [$0] } ?? []
    if let metadata = try modelMetadata.get() {
      return try Set(named + ["eos_token_id", "eot_token_id", "eom_token_id"].compactMap { try metadata.tokenID($0) })
    }
    return try Set(named + ["config.json", "generation_config.json"].flatMap { try ids(of: .endOfText, in: $0) })
  }

  /// Whether the tokenizer puts the beginning-of-text token before a text.
  package func expectsBeginningOfText(tokenizer: Tokenizer) -> Bool { tokenizer.special.beginsTexts }

  /// Its id by name in the tokenizer's files; nil if they do not define it.
  private func named(_ marker: Marker, tokenizer: Tokenizer) -> Int? {
    (marker == .endOfText ? tokenizer.special.endOfText : tokenizer.special.beginningOfText).flatMap(tokenizer.id(of:))
  }

  /// The ids in a file of the model: one, several, or none.
  private func ids(of marker: Marker, in name: String) throws -> [Int] {
    let file = modelPath + "/" + name, key = marker.key + "_id"
    guard fileExists(file), let entry = try JSON.read(file: file, allowing: .nonFinite)[key], !entry.isNull else {
      return []
    }
    return try (entry.array ?? [entry]).compactMap { item in
      guard let id = item.integer else {
        throw InputError.badData(
          file, "\"\(key)\" must be a token id or a list of them, found \(entry.shortDescription)")
      }
      return id >= 0 ? id : nil
    }
  }
}
