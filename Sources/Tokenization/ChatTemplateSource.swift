import Diagnostics
import FileFormats
import System

/// The text of a model's chat template, with the variables for its special tokens.
package struct ChatTemplateSource: Sendable {
  package let text: String
  /// The file that has it.
  package let file: String
  /// The special tokens by their names in the template: "bos_token".
  package let variables: [String: String]

  /// Finds the template of a tokenizer's folder or GGUF file; nil if there is none.
  ///
  /// The file `chat_template.jinja` counts before `chat_template` of tokenizer_config.json, as in transformers. Of
  /// several templates with names, it is the one called "default".
  ///
  /// - Throws: `InputError` for a file that cannot be read, and `InputError.badData` for a template that is no text.
  package init?(path: String, tokenizer: Tokenizer) throws {
    variables = tokenizer.special.named
    let jinja = resolve("chat_template.jinja", relativeTo: path)
    let settings = resolve("tokenizer_config.json", relativeTo: path)
    let hasTokenizer = ["tokenizer.json", "vocab.json"].contains { fileExists(resolve($0, relativeTo: path)) }
    if hasTokenizer, fileExists(jinja) {
      guard let text = String(validating: try readBytes(of: jinja), as: UTF8.self) else {
        throw InputError.badData(jinja, "is not UTF-8 text; is the download complete?")
      }
      (self.text, file) = (text, jinja)
    } else if hasTokenizer {
      guard fileExists(settings), let text = try Self.text(JSON.read(file: settings, allowing: .nonFinite), settings)
      else {
        return nil
      }
      (self.text, file) = (text, settings)
    } else {
      guard let model = try GGUFModel.file(of: path),
        let text = try GGUFModel(path: model).metadata.text("tokenizer.chat_template")
      else { return nil }
      (self.text, file) = (text, model)
    }
  }

  /// The template in a tokenizer_config.json.
  private static func text(_ settings: JSON, _ file: String) throws -> String? {
    guard let value = settings["chat_template"], !value.isNull else { return nil }
    if let text = value.string { return text }
    guard let templates = value.array else {
      throw InputError.badData(file, "chat_template is \(value.shortDescription); expected a string or a list")
    }
    guard let text = templates.last(where: { $0["name"]?.string == "default" })?["template"]?.string else {
      throw InputError.badData(file, "chat_template is a list without a template called \"default\"; add it")
    }
    return text
  }
}
