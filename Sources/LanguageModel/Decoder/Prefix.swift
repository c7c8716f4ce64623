import Kernels

/// The keys and values of a path of tokens, layer by layer, which token trees can continue.
package struct Prefix: Sendable {
  package let length: Int
  let layers: [KeysAndValues]

  /// Each layer's keys, after their norm and rotary embedding, and values, [length, key-value heads · head size] each.
  package var keysAndValues: [(keys: [Float], values: [Float])] { layers.map { ($0.keys.values, $0.values.values) } }

  /// Zeroed gradients for its keys and values.
  package func zeroGradients(in workspace: Workspace, on team: ThreadTeam) -> PrefixGradients {
    PrefixGradients(
      layers: layers.map { layer in
        let gradients = KeysAndValues(
          keys: workspace.matrix(length, layer.keys.columns), values: workspace.matrix(length, layer.values.columns))
        fill(gradients.keys, with: 0, on: team)
        fill(gradients.values, with: 0, on: team)
        return gradients
      })
  }
}

/// Sums of gradients with respect to the keys and values of a prefix.
package struct PrefixGradients: Sendable {
  let layers: [KeysAndValues]
}
