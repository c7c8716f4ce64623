import Diagnostics
import FileFormats
import LanguageModel
import Method
import System

/// The properties of the model an adapter was trained with.
package struct AdapterModel {
  /// The absolute path of its folder or GGUF file.
  let path: String
  let layers: Int
  let attentionHeads: Int

  package init(_ model: FrozenModel) {
    // The files of a split GGUF model are found by name, so a link to the first of them stays.
    path =
      isDirectory(model.path)
      ? absolutePath(model.path)
      : resolve(lastComponent(of: model.path), relativeTo: absolutePath(folder(of: model.path)))
    layers = model.decoder.blocks.count
    attentionHeads = model.decoder.blocks[0].attention.body.shape.heads
  }
}

/// A CPT adapter as PEFT stores it: `adapter_config.json` and `adapter_model.safetensors`.
package struct Adapter: Sendable {
  static let configurationFile = "adapter_config.json"
  static let weightsFile = "adapter_model.safetensors"
  static let tensorName = "prompt_embeddings"
  /// The version of PEFT whose file format this follows.
  static let peftVersion = "0.21.2"

  package let folder: String
  /// Its adapter_config.json.
  package var configurationPath: String { folder + "/" + Self.configurationFile }
  /// The CPTConfig, paths resolved.
  package private(set) var configuration: Configuration
  package let context: Context
  /// e0 + delta, [tokens, width], row by row.
  package let embeddings: [Float]
  package let width: Int
  /// The classifier beside it, if a run of the method `head` wrote it; the prompt is then untrained.
  package let head: ClassifierHead?

  /// Reads an adapter folder, ours or PEFT's.
  ///
  /// - Throws: `InputError` when a file is missing or the two do not match.
  package init(folder: String) throws {
    let file = folder + "/" + Self.configurationFile
    guard fileExists(file) else {
      throw InputError.missing(file, "not found; expected the folder of a CPT adapter, such as a run's best/")
    }
    self.folder = folder
    if let type = try JSON.read(file: file, allowing: [.comments, .nonFinite])["peft_type"], type != .string("CPT") {
      throw InputError.badData(
        file, "\"peft_type\" is \(type.shortDescription); expected a CPT adapter, such as a run's best/")
    }
    let configuration = try Configuration(file: file)
    self.configuration = configuration
    guard let ids = configuration.tokenIDs else {
      throw InputError.badData(file, "\"cpt_token_ids\" is missing; expected the token ids of the context")
    }
    context = Context(tokenIDs: ids, mask: configuration.mask, types: configuration.tokenTypes)
    let weights = try SafetensorsFile(path: folder + "/" + Self.weightsFile)
    guard let tensor = weights[Self.tensorName], tensor.shape.count == 2, tensor.shape[0] == ids.count else {
      throw InputError.badData(
        folder + "/" + Self.weightsFile,
        "expected a tensor \"\(Self.tensorName)\" of shape [\(ids.count), width], found "
          + (weights[Self.tensorName].map { "shape \($0.shape)" } ?? "none"))
    }
    let width = tensor.shape[1]
    self.width = width
    let all = try tensor.floats()
    // Rows whose mask is 0 are left out of the context.
    let kept = ids.indices.filter { configuration.mask?[$0] != 0 }
    embeddings = kept.flatMap { all[($0 * width)..<(($0 + 1) * width)] }
    head = try ClassifierHead(adapterFolder: folder)
  }

  /// An adapter of a prompt, ready to write.
  package init(
    prompt: TunedPrompt, configuration: Configuration, model: AdapterModel, head: ClassifierHead? = nil
  ) {
    folder = ""
    self.head = head
    context = prompt.context
    embeddings = prompt.embeddings
    width = prompt.width
    var stored = Configuration()
    stored.baseModel = model.path
    stored.tokenizer = configuration.tokenizer.map(absolutePath) ?? model.path
    stored.revision = configuration.revision
    stored.inferenceMode = true
    stored.loss = configuration.loss
    stored.projection = configuration.projection
    stored.tokenIDs = context.tokens.ids
    stored.mask = context.tokens.ids.map { _ in 1 }
    stored.tokenTypes = context.tokens.types
    stored.virtualTokens = context.count
    stored.tokenDimension = width
    stored.layers = model.layers
    stored.attentionHeads = model.attentionHeads
    stored.peftVersion = .string(Self.peftVersion)
    self.configuration = stored
  }

  /// The same adapter with another name for its model and that model's tokenizer.
  package func naming(baseModel name: String) -> Adapter {
    var copy = self
    let isOwn = configuration.tokenizer == nil || configuration.tokenizer == configuration.baseModel
    copy.configuration.tokenizer = isOwn ? name : configuration.tokenizer
    copy.configuration.baseModel = name
    return copy
  }

  /// The members PEFT writes, by name, as `json.dumps(sort_keys=True)`.
  private var configurationJSON: JSON {
    let sections = Configuration.fields.filter { !$0.inner.isEmpty }.map(\.name)
    let ours = Set(sections + ["initial_adapter", "output_dir"])
    return .object(configuration.members.filter { !ours.contains($0.key) }.sorted { $0.key < $1.key })
  }

  private var tensor: FloatTensor {
    FloatTensor(name: Self.tensorName, shape: [context.count, width], values: embeddings)
  }

  /// The weights as a safetensors file.
  package var safetensorsFile: [UInt8] { safetensors([tensor], metadata: [("format", "pt")]) }

  /// The weights as a NumPy file.
  package var numPyFile: [UInt8] { numPyArray(shape: tensor.shape, values: embeddings) }

  /// Writes the two files, and the classifier's if there is one, into an existing folder.
  package func write(to folder: String) throws {
    try head?.write(to: folder)
    try writeAtomically(safetensorsFile, to: folder + "/" + Self.weightsFile)
    try writeAtomically(configurationJSON.pretty + "\n", to: folder + "/" + Self.configurationFile)
  }

  /// The adapter as a prompt around the embeddings of its tokens.
  ///
  /// - Throws: `InputError.badData` when its width differs from the model's.
  package func prompt(over untrained: TunedPrompt) throws -> TunedPrompt {
    guard width == untrained.width else {
      throw InputError.badData(folder, "is \(width) wide, the model \(untrained.width); is it the right model?")
    }
    var prompt = untrained
    prompt.delta = zip(embeddings, untrained.initial).map { $0 - $1 }
    return prompt
  }
}

extension Adapter {
  /// The classifier for a configuration's method, its labels in this order; nil for another method.
  ///
  /// - Throws: `InputError.badData` when there is none although the method needs it, or when it is for another method,
  ///   other labels or another model.
  package func head(for method: TuningMethod, labels: [String], decoder: Decoder) throws -> ClassifierHead? {
    let file = folder + "/" + ClassifierHead.file
    guard let head else {
      if method != .head { return nil }
      throw InputError.missing(file, "not found; training.method \"head\" needs the classifier that cpt train wrote")
    }
    guard method == .head else {
      throw InputError.badData(
        file, "is a classifier head, and training.method is \"\(method.rawValue)\"; use the run's own configuration")
    }
    guard head.width == decoder.hiddenWidth else {
      throw InputError.badData(
        file, "is for hidden states \(head.width) wide, the model's are \(decoder.hiddenWidth); is it the right model?")
    }
    guard let arranged = head.arranged(for: labels) else {
      let lacking = head.labels.first { !labels.contains($0) } ?? ""
      throw InputError.badData(
        file,
        "knows the label \(quoted(lacking)), which is not one of the labels here; use the labels it was trained with")
    }
    return arranged
  }

  /// Refuses a prompt that is nothing without its classifier.
  ///
  /// - Throws: `InputError.badData` naming what such a prompt is no use for.
  package func refuseHead(for use: String) throws {
    if head == nil { return }
    throw InputError.badData(
      folder,
      "is a classifier head: its prompt is untrained, and all it learnt is in \(ClassifierHead.file), which has no use in "
        + "\(use); cpt predict and cpt eval use it")
  }

  /// The adapter as a prompt over a model, with the given radii or else those it was trained with.
  ///
  /// - Throws: `InputError.badData` when its width or vocabulary does not fit the model.
  package func prompt(over decoder: Decoder, radii: ProjectionRadii? = nil) throws -> TunedPrompt {
    try context.validate(
      vocabularySize: decoder.vocabularySize, maximumPositions: decoder.maximumPositions ?? .max, place: folder)
    return try prompt(over: TunedPrompt(context: context, decoder: decoder, radii: radii ?? configuration.projection))
  }
}
