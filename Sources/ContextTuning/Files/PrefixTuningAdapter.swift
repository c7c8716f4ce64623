import FileFormats

/// A tuned context's keys and values as an adapter of PEFT's prefix tuning.
///
/// PEFT puts them into the model's cache: the same logits as with the CPT adapter, and nothing of the context is computed.
///
/// Source: peft, `tuners/prefix_tuning/model.py` and `PeftModel.get_prompt`.
public struct PrefixTuningAdapter {
  private let cache: ContextCache
  private let configuration: JSON
  private let width: Int

  /// An adapter of a context's keys and values.
  ///
  /// - Parameters:
  ///   - cache: the keys and values.
  ///   - adapter: the CPT adapter they were computed of.
  /// - Throws: `InputError.badData` for a model whose cache PEFT does not fill.
  public init(_ cache: ContextCache, of adapter: Adapter) throws {
    self.cache = cache
    let heads = cache.layers.first?.heads ?? 1
    width = heads * (cache.layers.first?.headSize ?? 1)
    configuration = .object([
      .init("auto_mapping", .null),
      .init("base_model_name_or_path", adapter.configuration.baseModel.map(JSON.string) ?? .null),
      .init("encoder_hidden_size", .integer(width)),
      .init("inference_mode", .bool(true)),
      .init("modules_to_save", .null),
      .init("num_attention_heads", .integer(heads)),
      .init("num_layers", .integer(cache.layers.count)),
      .init("num_transformer_submodules", .integer(1)),
      .init("num_virtual_tokens", .integer(cache.tokens)),
      .init("peft_type", .string("PREFIX_TUNING")),
      .init("peft_version", .string(Adapter.peftVersion)),
      .init("prefix_projection", .bool(false)),
      .init("revision", adapter.configuration.revision),
      .init("task_type", .string("CAUSAL_LM")),
      .init("token_dim", .integer(width)),
    ])
  }

  /// Writes the pair into a folder that is there.
  public func write(to folder: String) throws {
    // A token's row: each layer's keys, then its values.
    let rows = (0..<cache.tokens).flatMap { token in
      cache.layers.flatMap { layer in
        let range = (token * width)..<((token + 1) * width)
        return layer.keys[range] + layer.values[range]
      }
    }
    let tensor = FloatTensor(
      name: Adapter.tensorName, shape: [cache.tokens, 2 * cache.layers.count * width], values: rows)
    try writeAtomically(safetensors([tensor], metadata: [("format", "pt")]), to: folder + "/" + Adapter.weightsFile)
    try writeAtomically(configuration.pretty + "\n", to: folder + "/" + Adapter.configurationFile)
  }
}
