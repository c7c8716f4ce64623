import FileFormats
import LanguageModel
import Tokenization

/// A model folder as a run would use it.
public struct ModelInspection: Sendable {
  public let model: FrozenModel
  /// The tokenizer, or why it cannot be used.
  public let tokenizer: Result<Tokenizer, any Error>
  /// The ids that `template.end_of_text` and `template.beginning_of_text` would put, or why there is none.
  public let endOfText: Result<Int, any Error>
  public let beginningOfText: Result<Int, any Error>
  /// Bytes the process takes once a pass has read its weights, but for what it computes.
  public let memory: Int

  /// Opens a folder.
  ///
  /// - Throws: `InputError` when its model cannot be used.
  public init(folder: String) throws {
    model = try FrozenModel(folder: folder)
    let tokenizer = Result { try Tokenizer(folder: folder) }
    func id(_ token: SpecialToken) -> Result<Int, any Error> {
      Result { try token.id(tokenizer: tokenizer.get(), folder: folder, modelFolder: folder) }
    }
    self.tokenizer = tokenizer
    endOfText = id(.endOfText)
    beginningOfText = id(.beginningOfText)
    memory = Memory.resident + model.decoder.mappedBytes
  }
}
