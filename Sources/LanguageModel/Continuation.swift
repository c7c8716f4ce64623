import Kernels

/// A text that grows token by token over keys and values computed once: what generation needs.
public struct Continuation {
  private let decoder: Decoder
  private let team: ThreadTeam
  private let workspace = Workspace()
  private var prefix: Prefix

  /// An empty text.
  ///
  /// - Parameters:
  ///   - decoder: the model.
  ///   - capacity: the most tokens that will be appended.
  ///   - team: the threads.
  public init(_ decoder: Decoder, capacity: Int, on team: ThreadTeam) {
    self.decoder = decoder
    self.team = team
    prefix = Prefix(
      length: 0,
      layers: decoder.blocks.map { block in
        KeysAndValues(
          keys: Matrix(rows: capacity, columns: block.key.weight.outputs),
          values: Matrix(rows: capacity, columns: block.value.weight.outputs))
      })
  }

  /// Tokens of the text so far.
  public var length: Int { prefix.length }

  /// Appends tokens, or embeddings in their place.
  ///
  /// - Returns: the log-probability of every token of the vocabulary to come next, in nats.
  public mutating func append(_ content: TokenTree.Content) -> [Float] {
    workspace.scoped {
      var tree = TokenTree(prefixLength: length)
      tree.append(content)
      let known = length > 0 ? prefix.rows(0..<length) : nil
      let (logProbabilities, kept) = decoder.continuation(of: tree, prefix: known, workspace: workspace, on: team)
      if let kept { prefix = prefix.appending(kept, on: team) }
      return logProbabilities
    }
  }
}

extension Prefix {
  /// A part of the path, as a view.
  fileprivate func rows(_ range: Range<Int>) -> Prefix {
    Prefix(
      length: range.count,
      layers: layers.map { KeysAndValues(keys: $0.keys.rows(range), values: $0.values.rows(range)) })
  }

  /// This path and the one that follows it, written into the room its matrices have left.
  fileprivate func appending(_ next: Prefix, on team: ThreadTeam) -> Prefix {
    let range = length..<(length + next.length)
    for (layer, added) in zip(layers, next.layers) {
      copy(added.keys, into: layer.keys.rows(range), on: team)
      copy(added.values, into: layer.values.rows(range), on: team)
    }
    return Prefix(length: range.upperBound, layers: layers)
  }
}
