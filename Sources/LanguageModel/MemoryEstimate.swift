import Kernels

/// The sizes of a pack that decide what memory it takes.
package struct PackShape: Sendable {
  /// Rows computed.
  package let rows: Int
  /// Rows that predict.
  package let outputs: Int
  /// Rows of the prefix it stands on.
  package let prefix: Int
  /// Rows whose keys and values are kept for later packs.
  package let kept: Int

  package init(rows: Int, outputs: Int, prefix: Int = 0, kept: Int = 0) {
    self.rows = rows
    self.outputs = min(outputs, rows)
    self.prefix = prefix
    self.kept = kept
  }
}

/// Bytes of workspace a pack takes.
package struct PackMemory: Sendable {
  /// From its forward to the end of its backward.
  package let retained: Int
  /// At the peak of its forward or backward, `retained` included.
  package let peak: Int
}

extension Block {
  private var weights: [Weight] {
    ([query, key, value, attentionOutput, up, down] + [gate].compactMap { $0 }).map(\.weight)
  }

  var mappedBytes: Int { weights.reduce(0) { $0 + $1.mappedBytes } }
}

extension Decoder {
  /// Bytes of weights that come into memory as steps read them: those used where they lie in mapped files. Of word
  /// embeddings that are no head, a step reads a few rows.
  package var mappedBytes: Int {
    let outside = [projectionIn, projectionOut].compactMap { $0?.weight } + [head.weight]
    return (outside.map(\.mappedBytes) + blocks.map(\.mappedBytes)).reduce(0, +)
  }

  /// Bytes a forward and backward over a pack take, matrix by matrix as `forward` and `backward` make them.
  package func memory(of pack: PackShape, retention: Retention) -> PackMemory {
    guard let block = blocks.first else { return PackMemory(retained: 0, peak: 0) }
    let N = pack.rows, R = pack.outputs
    func floats(_ rows: Int, _ columns: Int) -> Int { rows * Workspace.stride(columns) }
    let D = hiddenWidth, F = block.up.weight.outputs, M = block.middleColumns
    let Q = block.query.weight.outputs, K = block.key.weight.outputs, V = block.value.weight.outputs
    let isGated = block.gate != nil, isParallel = block.residual == .parallel
    let heads = attentionMemory(block.attention, keys: N + pack.prefix)
    func projections(_ R: Int) -> Int { R == N ? floats(N, Q + K + V) : floats(N, K + V) + floats(R, Q) }
    func optional(_ count: Int, _ isThere: Bool) -> Int { isThere ? count : 0 }
    let normsAfter = [block.normAfterAttention, block.normAfterFeedForward].compactMap { $0 }.count
    func activations(_ R: Int) -> Int {
      projections(R) + 2 * N + floats(R, Q) + R * block.attention.heads + optional(floats(R, D), !isParallel)
        + 2 * R + floats(R, M) + normsAfter * floats(R, D)
        + optional(floats(R, Q), block.queryNorm != nil) + optional(floats(N, K), block.keyNorm != nil)
    }
    let normed = optional(floats(N, D), block.normBeforeAttention != nil)
    let read = optional(floats(N, D), block.normBeforeFeedForward != nil)
    // The result of a half, normed before it joins, and the join computed again for a backward.
    let joined = optional(floats(N, D), normsAfter > 0)
    let feedForward = floats(N, F) + joined + optional(floats(N, D), normsAfter > 0 && retention == .inputs)
    let attended = heads.forward + joined
    let forward = isParallel ? normed + read + max(attended, feedForward) : max(normed + attended, read + feedForward)
    let dFeedForward = floats(N, F) + optional(floats(N, M), isGated)
    let dBeside = optional(2 * floats(N, D), isParallel)
    let dProject = 2 * floats(N, D) + optional(floats(N, Q), block.queryNorm != nil)
    let backward =
      normsAfter * floats(N, D)
      + max(dFeedForward + floats(N, D), dBeside + floats(N, Q) + projections(N) + max(heads.backward, dProject))
    let logits =
      floats(R, D) + (logitSoftCap == nil ? 1 : 2) * floats(min(R, max(1, (16 << 20) / vocabularySize)), vocabularySize)

    let lower = blocks.count - 1
    let kept = blocks.count * (floats(pack.kept, K) + floats(pack.kept, V))
    let angles = rotaries.reduce(0) { $0 + 2 * floats(N + R, $1.inverseFrequencies.count) }
    let embedded = optional(floats(N, D), embeddingNorm != nil)
    let ends = 2 * floats(R, D) + 2 * R + floats(N, D) + kept + angles + embedded
    let again = activations(N)
    let retained: Int
    switch retention {
    case .nothing: retained = ends + floats(N, D)
    case .inputs: retained = ends + lower * floats(N, D)
    case .everything: retained = ends + lower * (activations(N) + floats(N, D)) + activations(R)
    }
    let work = max(forward, logits, retention == .nothing ? 0 : backward + floats(R, D) + 2 * floats(N, D))
    return PackMemory(
      retained: 4 * retained, peak: 4 * (retained + work + (retention == .everything ? 0 : again)))
  }
}
