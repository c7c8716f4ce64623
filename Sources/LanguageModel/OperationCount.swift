import Kernels

extension Decoder {
  /// Floating-point operations of the matrix products of a forward and, unless nothing is kept for one, its backward.
  ///
  /// A linear layer's backward computes the gradient of its input only, as many operations as its forward; attention's
  /// is twice its forward. Blocks computed again count again. Source: what `Profile` counts.
  ///
  /// - Parameters:
  ///   - rows: tokens computed.
  ///   - outputs: tokens that predict; of the last block only they need more than keys and values.
  ///   - visibleKeys: Σ over the rows of how many tokens each sees; sliding windows see fewer.
  ///   - retention: what the forward keeps for its backward.
  /// - Returns: multiplications and additions.
  public func operations(rows: Int, outputs: Int, visibleKeys: Double, retention: Retention) -> Double {
    let N = Double(rows), R = Double(outputs)
    let linearPasses: Double, attentionPasses: Double
    switch retention {
    case .nothing: (linearPasses, attentionPasses) = (1, 1)
    case .everything: (linearPasses, attentionPasses) = (2, 3)
    case .inputs: (linearPasses, attentionPasses) = (3, 4)
    }
    var total = 0.0
    for (index, block) in blocks.enumerated() {
      let queryRows = index == blocks.count - 1 ? R : N
      let ofKeys = Double(block.key.weight.count + block.value.weight.count)
      let others = [block.query, block.attentionOutput, block.up, block.down] + [block.gate].compactMap { $0 }
      let ofQueries = others.reduce(0.0) { $0 + Double($1.weight.count) }
      let keys = min(visibleKeys, N * Double(block.attention.window ?? .max)) * queryRows / max(N, 1)
      total += linearPasses * 2 * (N * ofKeys + queryRows * ofQueries)
      total += attentionPasses * 4 * Double(block.attention.heads * block.attention.headSize) * keys
    }
    let outside = [projectionOut, head].compactMap { $0 }.reduce(0.0) { $0 + Double($1.weight.count) }
    let before = Double(projectionIn?.weight.count ?? 0)
    return total + min(linearPasses, 2) * 2 * (R * outside + N * before)
  }
}
