extension Decoder {
  /// Floating-point operations of the matrix products of a forward and, unless nothing is kept for one, its backward.
  ///
  /// A linear layer's backward computes the gradient of its input only, as many operations as its forward; attention's
  /// is twice its forward. Blocks computed again, but for their last layer, count again. Source: what `Profile` counts.
  ///
  /// - Parameters:
  ///   - rows: tokens computed.
  ///   - outputs: tokens that predict; of the last block only they need more than keys and values.
  ///   - visibleKeys: Σ over the rows of how many tokens each sees; sliding windows see fewer.
  ///   - retention: what the forward keeps for its backward.
  /// - Returns: multiplications and additions.
  package func operations(rows: Int, outputs: Int, visibleKeys: Double, retention: Retention) -> Double {
    let N = Double(rows), R = Double(outputs)
    let isTrained = retention != .nothing, isAgain = retention == .inputs
    let linearPasses = isTrained ? 2.0 : 1, attentionPasses = (isTrained ? 3.0 : 1) + (isAgain ? 1 : 0)
    var total = 0.0
    for (index, block) in blocks.enumerated() {
      let queryRows = index == blocks.count - 1 ? R : N
      let inner = [block.query, block.attentionOutput, block.up] + [block.gate].compactMap { $0 }
      let ofInner = queryRows * inner.weights + N * [block.key, block.value].weights
      total += 2 * (linearPasses * (ofInner + queryRows * [block.down].weights) + (isAgain ? ofInner : 0))
      let keys = min(visibleKeys, N * Double(block.attention.window ?? .max)) * queryRows / max(N, 1)
      total += attentionPasses * 4 * Double(block.attention.heads * block.attention.headSize) * keys
    }
    let outside =
      R * ([projectionOut].compactMap { $0 } + [head]).weights + N * [projectionIn].compactMap { $0 }.weights
    return total + 2 * linearPasses * outside
  }
}

extension [LinearLayer] {
  fileprivate var weights: Double { reduce(0) { $0 + Double($1.weight.count) } }
}
