import Kernels

/// The sizes of a pack that decide what memory it takes.
public struct PackShape: Sendable {
  /// Rows computed.
  public let rows: Int
  /// Rows that predict.
  public let outputs: Int
  /// Rows of the prefix it stands on.
  public let prefix: Int
  /// Rows whose keys and values are kept for later packs.
  public let kept: Int

  public init(rows: Int, outputs: Int, prefix: Int = 0, kept: Int = 0) {
    self.rows = rows
    self.outputs = min(outputs, rows)
    self.prefix = prefix
    self.kept = kept
  }
}

/// Bytes of workspace a pack takes.
public struct PackMemory: Sendable {
  /// From its forward to the end of its backward.
  public let retained: Int
  /// At the peak of its forward or backward, `retained` included.
  public let peak: Int
}

extension Decoder {
  /// Bytes a forward and backward over a pack take, matrix by matrix as `forward` and `backward` make them.
  public func memory(of pack: PackShape, retention: Retention) -> PackMemory {
    guard let block = blocks.first else { return PackMemory(retained: 0, peak: 0) }
    let N = pack.rows, R = pack.outputs
    func floats(_ rows: Int, _ columns: Int) -> Int { rows * Workspace.stride(columns) }
    let D = width, F = block.up.weight.outputs, Q = block.query.weight.outputs
    let K = block.key.weight.outputs, V = block.value.weight.outputs
    let heads = block.attention.keyValueHeads * (N + pack.prefix) * ((block.attention.headSize + 15) / 16 * 16)
    func projections(_ R: Int) -> Int { R == N ? floats(N, Q + K + V) : floats(N, K + V) + floats(R, Q) }
    func activations(_ R: Int) -> Int {
      projections(R) + 2 * N + floats(R, Q) + R * block.attention.heads + floats(R, D) + 2 * R + floats(R, F)
    }
    let forward = max(floats(N, D) + 3 * heads, floats(N, D) + floats(N, F))
    let backward = max(
      floats(N, F) + floats(N, D), floats(N, Q) + projections(N) + max(6 * heads, 2 * floats(N, D)))
    let logits = floats(R, D) + floats(min(R, max(1, (16 << 20) / vocabularySize)), vocabularySize)

    let lower = blocks.count - 1
    let kept = blocks.count * (floats(pack.kept, K) + floats(pack.kept, V))
    let ends = 2 * floats(R, D) + 2 * R + floats(N, D) + kept
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
