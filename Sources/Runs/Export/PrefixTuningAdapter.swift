import FileFormats
import System

/// A tuned context's keys and values as an adapter of PEFT's prefix tuning.
///
/// PEFT puts them into the model's cache: the logits equal the CPT adapter's, and the context is not computed.
/// Tensor: [tokens, layers · 2 · width], each token's row layer by layer, its keys, then its values.
///
/// Source: peft, `tuners/prefix_tuning/model.py`, `PeftModel.get_prompt` and `_prepare_prompt_learning_config`.
package struct PrefixTuningAdapter {
  private let cache: ContextCache
  private let configuration: JSON
  /// Copies of each head in the model's cache.
  private let copies: Int

  /// An adapter of the keys and values computed from a CPT adapter.
  package init(_ cache: ContextCache, of adapter: Adapter) {
    self.cache = cache
    // In every family, all layers have the same shape.
    let shape = cache.layers[0]
    // Newer Falcon models cache each group's keys and values once per query head.
    copies = cache.family == "falcon" && shape.heads > 1 ? shape.queriesPerHead : 1
    let heads = shape.heads * copies
    let width = heads * shape.headSize
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

  /// Writes the two files into an existing folder.
  package func write(to folder: String) throws {
    let values = (0..<cache.tokens).flatMap { token in
      cache.layers.flatMap { layer in row(token, of: layer.keys, layer) + row(token, of: layer.values, layer) }
    }
    let tensor = FloatTensor(
      name: Adapter.tensorName, shape: [cache.tokens, values.count / cache.tokens], values: values)
    try writeAtomically(safetensors([tensor], metadata: [("format", "pt")]), to: folder + "/" + Adapter.weightsFile)
    try writeAtomically(configuration.pretty + "\n", to: folder + "/" + Adapter.configurationFile)
  }

  /// A token's heads, each repeated as in the model's cache.
  private func row(_ token: Int, of rows: [Float], _ layer: ContextCache.Layer) -> [Float] {
    (0..<(layer.heads * copies)).flatMap { head in
      let start = (token * layer.heads + head / copies) * layer.headSize
      return rows[start..<(start + layer.headSize)]
    }
  }
}
