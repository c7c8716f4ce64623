import Kernels

/// A text that grows token by token over keys and values computed once, for generation.
package struct Continuation {
  private let decoder: Decoder
  private let team: ThreadTeam
  private let workspace = Workspace()
  /// Its matrices have `capacity` rows, of which `length` are in use.
  private var prefix: Prefix
  private var capacity = 0

  /// An empty text.
  ///
  /// - Parameters:
  ///   - decoder: the model.
  ///   - team: the threads.
  package init(_ decoder: Decoder, on team: ThreadTeam) {
    self.decoder = decoder
    self.team = team
    prefix = decoder.emptyPrefix(capacity: 0)
  }

  /// The same text, to be continued in another way.
  package func copied() -> Continuation {
    var copy = Continuation(decoder, on: team)
    copy.grow(to: length + 64, from: prefix.rows(0..<length))
    return copy
  }

  private mutating func grow(to capacity: Int, from text: Prefix) {
    self.capacity = capacity
    prefix = decoder.emptyPrefix(capacity: capacity).appending(text, on: team)
  }

  /// Tokens of the text so far.
  package var length: Int { prefix.length }

  /// Appends tokens or embeddings.
  ///
  /// - Returns: the log-probability of every token of the vocabulary to come next, in nats.
  package mutating func append(_ content: TokenTree.Content) -> [Float] {
    workspace.scoped {
      var tree = TokenTree(prefixLength: length)
      tree.append(content)
      let known = length > 0 ? prefix.rows(0..<length) : nil
      let (logProbabilities, kept) = decoder.continuation(of: tree, prefix: known, workspace: workspace, on: team)
      if length + kept.length > capacity {
        // The capacity doubles each time, so a text of any length is copied about once.
        grow(to: max(2 * capacity, length + kept.length + 64), from: prefix.rows(0..<length))
      }
      prefix = prefix.appending(kept, on: team)
      return logProbabilities
    }
  }
}

extension Decoder {
  /// An empty path with a capacity of this many tokens.
  fileprivate func emptyPrefix(capacity: Int) -> Prefix {
    Prefix(
      length: 0,
      layers: blocks.map { block in
        KeysAndValues(
          keys: Matrix(rows: capacity, columns: block.attention.body.key.weight.outputs),
          values: Matrix(rows: capacity, columns: block.attention.body.value.weight.outputs))
      })
  }
}

extension Prefix {
  /// A part of the path, as a view.
  fileprivate func rows(_ range: Range<Int>) -> Prefix {
    Prefix(
      length: range.count,
      layers: layers.map { KeysAndValues(keys: $0.keys.rows(range), values: $0.values.rows(range)) })
  }

  /// This path and the one that follows it, written into the free rows of its matrices.
  fileprivate func appending(_ next: Prefix, on team: ThreadTeam) -> Prefix {
    let range = length..<(length + next.length)
    for (layer, added) in zip(layers, next.layers) {
      copy(added.keys, into: layer.keys.rows(range), on: team)
      copy(added.values, into: layer.values.rows(range), on: team)
    }
    return Prefix(length: range.upperBound, layers: layers)
  }
}
