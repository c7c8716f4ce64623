extension Decoder {
  /// Bytes of workspace that a forward and backward over one pack of N rows, R of which predict, take at their peak.
  public func workspaceBytes(rows N: Int, outputs R: Int) -> Int {
    guard let block = blocks.first else { return 0 }
    let D = width, Q = block.query.weight.outputs, H = block.attention.heads, F = block.up.weight.outputs
    let KV = block.key.weight.outputs + block.value.weight.outputs
    let logits = min(R, max(1, (16 << 20) / vocabularySize)) * vocabularySize
    let lower = N * (KV + 2 * Q + H + 2 * D + F + 4)  // keys to preactivation, and the block's output
    let top = N * (KV + 2) + R * (2 * Q + H + D + F + 2)
    let kept = (blocks.count - 1) * lower + top + N * D + 3 * R * D
    let forwardScratch = max(N * (D + F), logits)
    let backwardScratch = N * (2 * D + KV + max(D + F, D + 2 * Q))
    return 4 * (kept + max(forwardScratch, backwardScratch))
  }
}
