import Diagnostics
import FileFormats
import Kernels
import System

/// An opened model folder of Hugging Face's `save_pretrained`: its decoder with frozen weights.
package struct FrozenModel: Sendable {
  /// The folder it was read from.
  package let folder: String
  /// The `model_type` of config.json.
  package let family: String
  package let decoder: Decoder
  /// Every tensor of its files, used or not.
  package let tensors: [StoredTensor]

  /// Reads config.json and maps the weights.
  ///
  /// - Parameters:
  ///   - folder: the folder with config.json and safetensors.
  ///   - team: the threads that convert the blocks' weight matrices to 8 bits; nil: keep the stored format.
  /// - Throws: `InputError` naming the missing or wrong file, key or tensor.
  package init(folder: String, quantizing team: ThreadTeam? = nil) throws {
    if fileExists(folder), !isDirectory(folder) {
      throw InputError.missing(
        folder,
        "is a file; expected the folder of a Hugging Face model (config.json, model.safetensors, tokenizer.json)")
    }
    guard isDirectory(folder) else {
      throw InputError.missing(
        folder,
        "no such folder; expected a downloaded Hugging Face model (config.json, model.safetensors, tokenizer.json)")
    }
    let configuration = try ConfigFile(folder: folder)
    let name = try configuration.text("model_type", default: "")
    guard let description = Family.all[name] else {
      if let text = try configuration.section("text_config") {
        let part = try text.text("model_type", default: "")
        throw configuration.invalid("model_type", "that of a text model; save the text part (\"\(part)\") alone")
      }
      throw configuration.invalid("model_type", "a known family (\(Family.all.keys.sorted().joined(separator: ", ")))")
    }
    guard !configuration.has("quantization_config") else {
      throw configuration.invalid("quantization_config", "missing; download the model's original weights")
    }
    let files = try CheckpointFiles(folder: folder, prefix: description.prefix, quantizing: team)
    self.folder = folder
    family = name
    tensors = files.tensors
    decoder = try description.decoder(configuration, files)
  }
}
