import FileFormats
import LanguageModel
import Tokenization

/// What a first configuration has to know of a model and of texts in its tokens.
public struct ModelSurvey: Sendable {
  public let folder: String
  /// Numbers of an embedding.
  public let width: Int
  /// Tokens the model can see; nil: any number.
  public let positions: Int?
  /// Tokens of an example in the template, of up to 2000 texts and the longest one, ascending.
  public let exampleTokens: [Int]
  public let hasEndOfText: Bool
  /// Whether the tokenizer puts the beginning-of-text token before what it encodes.
  public let expectsBeginningOfText: Bool

  /// Opens a model's folder and encodes texts.
  ///
  /// - Throws: `InputError` naming the file that is missing or wrong.
  public init(folder: String, texts: [String], labels: [String]) throws {
    let decoder = try FrozenModel(folder: folder).decoder
    let tokenizer = try Tokenizer(folder: folder)
    self.folder = folder
    width = decoder.width
    positions = decoder.maximumPositions
    let endOfText = try? SpecialToken.endOfText.id(tokenizer: tokenizer, folder: folder, modelFolder: folder)
    hasEndOfText = endOfText != nil
    let encoder = ExampleEncoder(template: Template(), tokenizer: tokenizer, endOfText: endOfText, beginningOfText: nil)
    let label = labels.max { $0.utf8.count < $1.utf8.count } ?? ""
    let longest = texts.max { $0.utf8.count < $1.utf8.count }.map { [$0] } ?? []
    let sample = stride(from: 0, to: texts.count, by: max(1, texts.count / 2000)).map { texts[$0] }
    exampleTokens = (sample + longest).map { encoder.encode(text: $0, label: label).count }.sorted()
    expectsBeginningOfText = try Self.expectsBeginningOfText(tokenizer, folder: folder)
  }

  /// As tokenizer_config.json says, or the post-processor of tokenizer.json does.
  private static func expectsBeginningOfText(_ tokenizer: Tokenizer, folder: String) throws -> Bool {
    guard try SpecialToken.beginningOfText.named(tokenizer: tokenizer, folder: folder) != nil else { return false }
    let settings = folder + "/tokenizer_config.json", file = folder + "/tokenizer.json"
    if fileExists(settings), let flag = try JSON.read(file: settings)["add_bos_token"]?.bool { return flag }
    guard fileExists(file), let processor = try JSON.read(file: file)["post_processor"] else { return false }
    let steps = [processor] + (processor["processors"]?.array ?? [])
    return steps.contains { $0["single"]?.array?.first?["SpecialToken"] != nil }
  }
}
