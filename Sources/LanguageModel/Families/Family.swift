/// One architecture: the conversion of its config.json and tensors to a decoder.
package struct Family: Sendable {
  /// The prefix of all tensor names except the head's; some checkpoints are saved without it.
  let prefix: String
  let decoder: @Sendable (ConfigFile, CheckpointFiles) throws -> Decoder

  init(prefix: String, decoder: @escaping @Sendable (ConfigFile, CheckpointFiles) throws -> Decoder) {
    self.prefix = prefix
    self.decoder = decoder
  }

  /// All families, by the `model_type` of config.json.
  package static let all: [String: Family] = [
    "bloom": bloom, "falcon": falcon, "gemma": gemma, "gemma2": gemma2, "gemma3_text": gemma3, "gpt2": gpt2,
    "gpt_neo": gptNeo, "gpt_neox": gptNeoX, "gptj": gptJ, "llama": llama, "mistral": mistral, "olmo2": olmo2,
    "opt": opt, "phi": phi, "phi3": phi3, "qwen2": qwen2, "qwen3": qwen3, "starcoder2": starCoder2,
  ]

  /// The family of a `model_type`.
  ///
  /// - Throws: `InputError.badData` for an unknown one.
  static func named(_ name: String, in configuration: ConfigFile) throws -> Family {
    if let family = all[name] { return family }
    if let text = try configuration.section("text_config") {
      let part = try text.text("model_type", default: "")
      throw configuration.invalid("model_type", "that of a text model; save the text part (\"\(part)\") alone")
    }
    throw configuration.invalid("model_type", "a known family (\(all.keys.sorted().joined(separator: ", ")))")
  }
}
