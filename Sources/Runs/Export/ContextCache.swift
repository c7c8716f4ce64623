import FileFormats
import Kernels
import LanguageModel
import Method

/// The keys and values a frozen model computes from a tuned context, layer by layer: the contents of its cache after
/// that context. A model whose cache starts with them reads a text as if the context came first, without computing it.
package struct ContextCache: Sendable {
  struct Layer {
    let heads: Int
    /// Query heads that share one key-value head.
    let queriesPerHead: Int
    let headSize: Int
    /// The keys after norm and rotary embedding, [tokens, heads · headSize].
    let keys: [Float]
    /// The values, [tokens, heads · headSize].
    let values: [Float]
  }

  package let tokens: Int
  let layers: [Layer]
  package var layerCount: Int { layers.count }
  /// The `model_type` of config.json.
  let family: String

  /// Runs the model over the prompt.
  package init(_ prompt: TunedPrompt, model: FrozenModel, team: ThreadTeam) {
    let workspace = Workspace()
    var tree = TokenTree()
    tree.append(.embeddings(Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.embeddings)))
    let pass = model.decoder.forward(tree, targets: [], keepsRoot: true, workspace: workspace, on: team)
    guard let prefix = pass.kept else { preconditionFailure("the context's keys and values are kept") }
    tokens = prompt.context.count
    family = model.family
    layers = zip(model.decoder.blocks, prefix.keysAndValues).map { block, kept in
      let shape = block.attention.body.shape
      return Layer(
        heads: shape.keyValueHeads, queriesPerHead: shape.heads / shape.keyValueHeads, headSize: shape.headSize,
        keys: kept.keys, values: kept.values)
    }
  }

  /// A safetensors file: `layers.N.key` and `layers.N.value`, [key-value heads, tokens, head size], N from 0.
  ///
  /// Metadata: `model_type`, `layers`, `tokens`.
  package var safetensorsFile: [UInt8] {
    let tensors = layers.enumerated().flatMap { index, layer in
      [("key", layer.keys), ("value", layer.values)].map { name, rows in
        FloatTensor(
          name: "layers.\(index).\(name)", shape: [layer.heads, tokens, layer.headSize],
          values: headByHead(rows, layer))
      }
    }
    return safetensors(
      tensors,
      metadata: [
        ("format", "pt"), ("layers", String(layers.count)), ("model_type", family), ("tokens", String(tokens)),
      ])
  }

  /// [tokens, heads · headSize] as [heads, tokens, headSize].
  private func headByHead(_ rows: [Float], _ layer: Layer) -> [Float] {
    let width = layer.heads * layer.headSize
    return (0..<layer.heads).flatMap { head in
      (0..<tokens).flatMap { token in
        let start = token * width + head * layer.headSize
        return rows[start..<(start + layer.headSize)]
      }
    }
  }
}
