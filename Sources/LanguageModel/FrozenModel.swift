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
  package let decoder: Decoder
  /// Every tensor of its files, used or not.
  package let tensors: [StoredTensor]
  /// The name that a GGUF file says the model has; nil for a folder.
  package let name: String?

  /// Reads what describes the model and maps the weights.
  ///
  /// - Parameters:
  ///   - path: a folder with config.json and safetensors, a GGUF file, or a folder with one.
  ///   - team: the threads that convert the blocks' weight matrices to 8 bits; nil: keep the stored format.
  /// - Throws: `InputError` naming the missing or wrong file, key or tensor.
  package init(path: String, quantizing team: ThreadTeam? = nil) throws {
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
    decoder = try family.decoder(configuration, CheckpointFiles(source, quantizing: team))
    try gguf?.refuseUnused()
  }
}
