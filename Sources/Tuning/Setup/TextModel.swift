import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// The frozen model a configuration names, with its tokenizer and the encoder of its template.
package struct TextModel: Sendable {
  package let model: FrozenModel
  /// nil where rows come as tokens and the folder has no tokenizer.
  package let tokenizer: Tokenizer?
  /// nil without a tokenizer.
  let exampleEncoder: ExampleEncoder?
  /// What the configuration says of markers at the start and the end of a text.
  let specialTokens: SpecialTokens
  let team: ThreadTeam

  /// What an encoder of examples is needed for.
  enum Purpose {
    /// Examples of the context, closed by what ends a text.
    case examples
    /// Texts up to their label: what would end them is never computed.
    case texts
    /// Nothing: rows come as tokens. A tokenizer, where there is one, only makes them readable.
    case tokens
  }

  /// Opens the model and the tokenizer.
  ///
  /// - Throws: `InputError` for whatever is missing or wrong.
  init(_ configuration: Configuration, for purpose: Purpose, team: ThreadTeam) throws {
    guard let folder = configuration.baseModel else {
      throw InputError.badData("base_model_name_or_path", "is missing: expected the folder of a Hugging Face model")
    }
    self.team = team
    model = try FrozenModel(folder: folder, quantizing: configuration.model.weights == .q8 ? team : nil)
    if let claimed = configuration.tokenDimension, claimed != model.decoder.width {
      throw InputError.badData(
        "token_dim",
        "is \(claimed), the model in \(folder) is \(model.decoder.width) wide; is it the right model?")
    }
    let tokenizerFolder = configuration.tokenizer ?? folder
    specialTokens = SpecialTokens(folder: tokenizerFolder, modelFolder: folder)
    guard purpose != .tokens || Tokenizer.exists(in: tokenizerFolder) else {
      tokenizer = nil
      exampleEncoder = nil
      return
    }
    let tokenizer = try Tokenizer(folder: tokenizerFolder)
    self.tokenizer = tokenizer
    let template = configuration.template
    exampleEncoder = try ExampleEncoder(
      template: template, tokenizer: tokenizer,
      endOfText: template.addsEndOfText && purpose == .examples
        ? specialTokens.id(of: .endOfText, tokenizer: tokenizer) : nil,
      beginningOfText: template.addsBeginningOfText && purpose != .tokens
        ? specialTokens.id(of: .beginningOfText, tokenizer: tokenizer) : nil)
  }

  /// What turns rows into typed tokens that fit behind a context.
  ///
  /// - Parameters:
  ///   - labels: the labels a row of text may have.
  ///   - rows: rows whose label tokens are the candidates where rows come as tokens.
  ///   - contextCount: tokens of the context.
  ///   - truncatesText: whether texts that do not fit are cut.
  /// - Returns: the encoder.
  func rowEncoder(labels: [LabelWord], rows: [DataRow], contextCount: Int, truncatesText: Bool) -> RowEncoder {
    RowEncoder(
      labels: labels, rows: rows, encoder: exampleEncoder, vocabularySize: model.decoder.vocabularySize,
      maximumPositions: model.decoder.maximumPositions ?? .max, contextCount: contextCount,
      truncatesText: truncatesText)
  }
}
