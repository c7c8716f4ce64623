import FileFormats

/// A model folder as Hugging Face's `save_pretrained` writes it, opened: its decoder with frozen weights.
public struct FrozenModel: Sendable {
  /// The folder it was read from.
  public let folder: String
  public let decoder: Decoder
  /// Bytes of the weights in the files.
  public let weightBytes: Int

  /// One architecture: how its config.json and its tensors become a decoder.
  typealias Family = @Sendable (ModelConfiguration, String) throws -> (Decoder, CheckpointFiles)

  static let families: [String: Family] = ["gpt2": gpt2]

  /// Reads config.json and maps the weights.
  ///
  /// - Throws: `InputError` naming the file, key or tensor that is missing or wrong.
  public init(folder: String) throws {
    guard isDirectory(folder) else {
      throw InputError.missing(
        folder,
        "no such folder; expected a downloaded Hugging Face model (config.json, model.safetensors, tokenizer.json)")
    }
    let configuration = try ModelConfiguration(folder: folder)
    let name = try configuration.text("model_type", default: "")
    guard let family = Self.families[name] else {
      throw configuration.invalid(
        "model_type", "a known family (\(Self.families.keys.sorted().joined(separator: ", ")))")
    }
    let (decoder, files) = try family(configuration, folder)
    self.folder = folder
    self.decoder = decoder
    weightBytes = files.byteCount
  }
}
