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

  private let folder: String
  private let modelFolder: String

  /// - Parameters:
  ///   - folder: the tokenizer's folder.
  ///   - modelFolder: the model's folder.
  package init(folder: String, modelFolder: String) {
    self.folder = folder
    self.modelFolder = modelFolder
  }

  /// The id of a marker: by name in the tokenizer's files, else by id in the model's config.json.
  ///
  /// - Throws: `InputError.badData` when no file defines it.
  package func id(of marker: Marker, tokenizer: Tokenizer) throws -> Int {
    if let id = named(marker, tokenizer: tokenizer) { return id }
    if let id = try ids(of: marker, in: "config.json").first { return id }
    throw InputError.badData(
      folder, "no file defines the \(marker.key); set \(marker.setting) to false")
  }

  /// The tokens that end a text: the tokenizer's, and those of config.json and generation_config.json.
  ///
  /// - Throws: `InputError.badData` for an `eos_token_id` that is neither a token nor a list of tokens.
  package func endTokens(tokenizer: Tokenizer) throws -> Set<Int> {
    let named = named(.endOfText, tokenizer: tokenizer).map { [$0] } ?? []
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
    let file = modelFolder + "/" + name, key = marker.key + "_id"
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
