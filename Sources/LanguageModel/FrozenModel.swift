import Collectives
import Diagnostics
import FileFormats
import Kernels
import System

/// An opened model: a folder of Hugging Face's `save_pretrained`, or a GGUF file; its decoder with frozen weights.
package struct FrozenModel: Sendable {
  /// The folder or file it was read from.
  package let path: String
  /// The `model_type` of config.json, or the one that stands for a GGUF file's architecture.
  package let family: String
  /// With several ranks, this rank's part.
  package let decoder: Decoder
  /// `Decoder.fingerprint` of the whole, if the decoder is a part.
  private let fingerprintOfWhole: String?
  /// Every tensor of its files, used or not.
  package let tensors: [StoredTensor]
  /// The name that a GGUF file says the model has; nil for a folder.
  package let name: String?

  /// Reads what describes the model and maps the weights.
  ///
  /// - Parameters:
  ///   - path: a folder with config.json and safetensors, a GGUF file, or a folder with one.
  ///   - team: the threads that convert the blocks' weight matrices to 8 bits; nil: keep the stored format.
  ///   - ranks: the ranks that each have a part of the model.
  /// - Throws: `InputError` naming the missing or wrong file, key or tensor, or when there are more ranks than heads.
  package init(
    path: String, quantizing team: ThreadTeam? = nil, cutOver ranks: any Communicator = SoleRank.only
  ) throws {
    let expected =
      "expected a model: a GGUF file, or a folder of Hugging Face (config.json, model.safetensors, tokenizer.json)"
    guard fileExists(path) else { throw InputError.missing(path, "no such file or folder; \(expected)") }
    let source: any TensorSource, configuration: ConfigFile, family: Family
    var gguf: GGUFTensors?
    if let file = try GGUFModel.file(of: path) {
      let model = try GGUFModel(path: file)
      let (name, architecture) = try GGUFArchitecture.of(model)
      let metadata = try GGUFConfiguration(model, name, architecture)
      configuration = ConfigFile(metadata)
      self.family = architecture.modelType
      family = try Family.named(architecture.modelType, in: configuration)
      let tensors = try GGUFTensors(metadata, architecture)
      source = tensors
      gguf = tensors
      // For people only.
      self.name = (try? model.metadata.text("general.name")) ?? nil
    } else {
      configuration = try ConfigFile(folder: path)
      self.family = try configuration.text("model_type", default: "")
      family = try Family.named(self.family, in: configuration)
      guard !configuration.has("quantization_config") else {
        throw configuration.invalid("quantization_config", "missing; download the model's original weights")
      }
      source = try SafetensorsFolder(path, prefix: family.prefix)
      name = nil
    }
    self.path = path
    tensors = source.tensors
    let whole = try family.decoder(configuration, CheckpointFiles(source, quantizing: team))
    try gguf?.refuseUnused()
    guard ranks.size > 1 else {
      decoder = whole
      fingerprintOfWhole = nil
      return
    }
    guard ranks.size <= whole.mostParts else {
      throw InputError.usage(
        "--tensor-parallel", "is \(ranks.size), and \(path) has \(whole.mostParts) attention heads; use at most as many"
      )
    }
    fingerprintOfWhole = whole.fingerprint
    let tensors = source.tensors
    decoder = whole.part(of: ranks) { for tensor in tensors { tensor.file.release(tensor.bytes) } }
  }

  /// A hash of the model's shapes and of some of its numbers, the same on every rank.
  package var fingerprint: String { fingerprintOfWhole ?? decoder.fingerprint }
}
