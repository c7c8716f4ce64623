import ChatTemplates
import Collectives
import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// The frozen model of a configuration, with its tokenizer and the encoder of its template.
package struct TextModel: Sendable {
  package let model: FrozenModel
  /// nil if rows come as tokens and there is no tokenizer.
  package let tokenizer: Tokenizer?
  /// nil without a tokenizer.
  let exampleEncoder: ExampleEncoder?
  /// The configuration's markers at the start and the end of a text.
  let specialTokens: SpecialTokens
  let team: ThreadTeam

  /// The uses of an encoder.
  enum Purpose {
    /// Examples of the context, each with the end-of-text marker.
    case examples
    /// Texts up to their label: the end-of-text marker is never computed.
    case texts
    /// None: rows come as tokens. A tokenizer, if there is one, only makes them readable.
    case tokens
  }

  /// Opens the model and the tokenizer.
  ///
  /// - Throws: `InputError` for anything missing or wrong.
  init(_ configuration: Configuration, for purpose: Purpose, team: ThreadTeam, ranks: Ranks) throws {
    guard let folder = configuration.baseModel else {
      throw InputError.badData(
        "base_model_name_or_path", "is missing: expected a GGUF file or the folder of a Hugging Face model")
    }
    self.team = team
    model = try FrozenModel(
      path: folder, quantizing: configuration.model.weights == .q8 ? team : nil, cutOver: ranks.tensor)
    if let claimed = configuration.tokenDimension, claimed != model.decoder.width {
      throw InputError.badData(
        "token_dim",
        "is \(claimed), the model in \(folder) is \(model.decoder.width) wide; is it the right model?")
    }
    let tokenizerFolder = configuration.tokenizer ?? folder
    specialTokens = SpecialTokens(path: tokenizerFolder, modelPath: folder)
    guard purpose != .tokens || Tokenizer.exists(at: tokenizerFolder) else {
      tokenizer = nil
      exampleEncoder = nil
      heldBytes = Self.heldBytes(tokenizerFolder: nil)
      return
    }
    heldBytes = Self.heldBytes(tokenizerFolder: tokenizerFolder)
    let tokenizer = try Tokenizer(path: tokenizerFolder)
    self.tokenizer = tokenizer
    let template = configuration.template
    if template.isChat, purpose != .tokens {
      exampleEncoder = try ExampleEncoder(
        template: template, tokenizer: tokenizer, endOfText: nil, beginningOfText: nil,
        chatTemplate: ChatTemplate(path: tokenizerFolder, tokenizer: tokenizer))
      return
    }
    exampleEncoder = try ExampleEncoder(
      template: template, tokenizer: tokenizer,
      endOfText: template.addsEndOfText && purpose == .examples
        ? specialTokens.id(of: .endOfText, tokenizer: tokenizer) : nil,
      beginningOfText: template.addsBeginningOfText && purpose != .tokens
        ? specialTokens.id(of: .beginningOfText, tokenizer: tokenizer) : nil)
  }

  /// Bytes that the program and the tokenizer hold, estimated from the sizes of files: a plan that counted what the system
  /// reports would differ from run to run.
  let heldBytes: Int

  /// Bytes that the program and the tokenizer hold (measured).
  package static func heldBytes(tokenizerFolder: String?) -> Int {
    25_000_000 + (tokenizerFolder.map { Tokenizer.heldBytes(at: $0) } ?? 0)
  }

  /// The context of rows that follow no examples: what precedes the first turn of a chat, or else the token at the
  /// beginning of a text, or at its end.
  ///
  /// - Throws: `InputError.badData` when the files define neither.
  func markerContext() throws -> Context {
    if let beginning = exampleEncoder?.beginning, exampleEncoder?.isChat == true, !beginning.isEmpty {
      return Context(examples: [], beginning: beginning)
    }
    let ids = [SpecialTokens.Marker.beginningOfText, .endOfText].lazy.compactMap { marker in
      try? specialTokens.id(of: marker, tokenizer: tokenizer)
    }
    guard let id = ids.first else {
      throw InputError.badData(
        "head.context",
        "is false, and no file of the tokenizer or the model defines a bos_token or an eos_token to "
          + "precede rows; set it to true")
    }
    return Context(tokenIDs: [id], mask: nil, types: [TokenRole.none.rawValue])
  }

  /// The encoder of rows as typed tokens that fit after a context.
  ///
  /// - Parameters:
  ///   - labels: the candidate labels of a row of text.
  ///   - rows: rows whose label tokens are the candidates if rows come as tokens.
  ///   - contextCount: tokens of the context.
  ///   - truncation: where to truncate texts that do not fit, if at all.
  /// - Returns: the encoder.
  func rowEncoder(
    labels: [LabelWord], rows: [DataRow], contextCount: Int, truncation: DataConfiguration.Truncation?
  ) -> RowEncoder {
    RowEncoder(
      labels: labels, rows: rows, encoder: exampleEncoder, vocabularySize: model.decoder.vocabularySize,
      maximumPositions: model.decoder.maximumPositions ?? .max, contextCount: contextCount,
      truncation: truncation)
  }
}

extension ChatTemplate {
  /// The chat template of a tokenizer's folder or file.
  ///
  /// - Throws: `InputError.badData` when there is none, or for what is wrong or not supported.
  package init(path: String, tokenizer: Tokenizer) throws {
    guard let source = try ChatTemplateSource(path: path, tokenizer: tokenizer) else {
      throw InputError.badData(
        "template.chat",
        "is true, and \(path) has no chat template (chat_template.jinja, or \"chat_template\" in "
          + "tokenizer_config.json or in a GGUF file); set it to false, or add the template")
    }
    try self.init(source.text, place: source.file, variables: source.variables)
  }
}
