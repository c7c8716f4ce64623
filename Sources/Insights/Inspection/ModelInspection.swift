import LanguageModel
import Tokenization
import Tuning

/// A model as a run would use it.
package struct ModelInspection: Sendable {
  package let model: FrozenModel
  /// The tokenizer, or why it cannot be used.
  package let tokenizer: Result<Tokenizer, any Error>
  /// The ids that `template.end_of_text` and `template.beginning_of_text` would insert, or why there is none.
  package let endOfText: Result<Int, any Error>
  package let beginningOfText: Result<Int, any Error>
  /// Bytes the process holds after a pass has read its weights, without the pass's own results.
  package let memory: Int

  /// Opens a folder or a GGUF file.
  ///
  /// - Throws: `InputError` when its model cannot be used.
  package init(path: String) throws {
    model = try FrozenModel(path: path)
    let tokenizer = Result { try Tokenizer(path: path) }
    let specialTokens = SpecialTokens(path: path, modelPath: path)
    func id(_ marker: SpecialTokens.Marker) -> Result<Int, any Error> {
      Result { try specialTokens.id(of: marker, tokenizer: tokenizer.get()) }
    }
    self.tokenizer = tokenizer
    endOfText = id(.endOfText)
    beginningOfText = id(.beginningOfText)
    memory = TextModel.heldBytes(tokenizerFolder: path) + model.decoder.weightBytes
  }
}
