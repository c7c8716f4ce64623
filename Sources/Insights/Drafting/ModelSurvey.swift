import ChatTemplates
import LanguageModel
import Method
import Tokenization
import Tuning

/// The facts about a model and its tokens of some texts that a first configuration needs.
package struct ModelSurvey: Sendable {
  /// The model's folder or file.
  package let path: String
  /// The width of an embedding.
  package let width: Int
  /// The model's maximum number of positions; nil: unlimited.
  package let positions: Int?
  /// Tokens per example on two lines, for up to 2000 texts and the longest one, ascending.
  package let exampleTokens: [Int]
  package let hasEndOfText: Bool
  /// Whether the tokenizer puts the beginning-of-text token before what it encodes.
  package let expectsBeginningOfText: Bool
  /// Whether there is a chat template that can lay out examples.
  package let hasChatTemplate: Bool

  /// Opens a model and encodes texts.
  ///
  /// - Throws: `InputError` naming the file that is missing or wrong.
  package init(path: String, data: DataSurvey) throws {
    let texts = data.texts, labels = data.labels.map(\.label)
    let decoder = try FrozenModel(path: path).decoder
    let tokenizer = try Tokenizer(path: path)
    self.path = path
    width = decoder.width
    positions = decoder.maximumPositions
    let specialTokens = SpecialTokens(path: path, modelPath: path)
    let endOfText = try? specialTokens.id(of: .endOfText, tokenizer: tokenizer)
    hasEndOfText = endOfText != nil
    expectsBeginningOfText = specialTokens.expectsBeginningOfText(tokenizer: tokenizer)
    var chat = Template()
    chat.isChat = true
    let chatEncoder = try? ExampleEncoder(
      template: chat, tokenizer: tokenizer, endOfText: nil, beginningOfText: nil,
      chatTemplate: ChatTemplate(path: path, tokenizer: tokenizer))
    hasChatTemplate = chatEncoder != nil
    let encoder = try ExampleEncoder(
      template: DraftTemplates(data: data, model: nil).all[0], tokenizer: tokenizer, endOfText: nil,
      beginningOfText: nil)
    let label = labels.max { $0.utf8.count < $1.utf8.count } ?? ""
    let longest = texts.max { $0.utf8.count < $1.utf8.count }.map { [$0] } ?? []
    let sample = stride(from: 0, to: texts.count, by: max(1, texts.count / 2000)).map { texts[$0] }
    exampleTokens = try (sample + longest).map { try encoder.encode(text: $0, label: label).count }.sorted()
  }
}
