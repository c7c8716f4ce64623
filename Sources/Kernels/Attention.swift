/// The shape and scale of multi-head attention.
public struct AttentionShape: Sendable, Equatable {
  public let heads: Int
  /// Heads of keys and values; `heads / keyValueHeads` query heads share each.
  public let keyValueHeads: Int
  public let headSize: Int
  /// What scores are multiplied with before the softmax; usually 1 / √headSize.
  public let scale: Float

  public init(heads: Int, keyValueHeads: Int, headSize: Int, scale: Float) {
    precondition(keyValueHeads > 0 && heads % keyValueHeads == 0)
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.scale = scale
  }
}

/// Which keys each query row sees.
///
/// A row at depth p sees p + 1 keys, one for each depth 0…p: those of its ancestors, then its own segment's up to
/// itself. So the scores of a row are laid out by depth, the mask is "columns 0…p", and the rows of a tile share
/// columns although they may belong to different segments.
public struct AttentionPlan: Sendable {
  /// A run of keys that a run of queries of a tile sees (causally, where depths overlap).
  public struct Span: Sendable, Equatable {
    /// Rows of the query matrix.
    public let queries: Range<Int>
    /// Rows of the key matrix: the prefix's when `inPrefix`, else the pack's.
    public let keys: Range<Int>
    public let inPrefix: Bool
    /// Depth of the first key.
    public let depth: Int

    public init(queries: Range<Int>, keys: Range<Int>, inPrefix: Bool, depth: Int) {
      self.queries = queries
      self.keys = keys
      self.inPrefix = inPrefix
      self.depth = depth
    }
  }

  /// Neighbouring query rows that are computed together.
  public struct Tile: Sendable, Equatable {
    public let queries: Range<Int>
    /// Columns of the tile's score matrix: the largest depth + 1.
    public let width: Int
    public let spans: [Span]

    public init(queries: Range<Int>, width: Int, spans: [Span]) {
      self.queries = queries
      self.width = width
      self.spans = spans
    }
  }

  /// Depth of each query row.
  public let depths: [Int]
  public let tiles: [Tile]

  public init(depths: [Int], tiles: [Tile]) {
    self.depths = depths
    self.tiles = tiles
  }

  /// Pairs of a query and a key it sees.
  var pairs: Double { depths.reduce(0) { $0 + Double($1 + 1) } }

  var mostQueries: Int { tiles.map(\.queries.count).max() ?? 0 }

  var largestTile: Int { tiles.map { $0.queries.count * $0.width }.max() ?? 0 }
}

/// Keys and values of one layer, each [rows, keyValueHeads · headSize].
public struct KeysAndValues: Sendable {
  public let keys: Matrix
  public let values: Matrix

  public init(keys: Matrix, values: Matrix) {
    self.keys = keys
    self.values = values
  }
}

/// output = softmax(scale · Q Kᵀ) V, each query row over the keys its plan lets it see.
///
/// queries, output: [R, heads · headSize]; `pack` and `prefix` hold the keys and values the plan's spans refer to.
/// `logSumExp`: [R, heads], receives log Σ exp(score), from which the backward recomputes the probabilities.
public func attention(
  queries: Matrix, pack: KeysAndValues, prefix: KeysAndValues?, plan: AttentionPlan, shape: AttentionShape,
  into output: Matrix, logSumExp: Matrix, on team: ThreadTeam
) {
  precondition(queries.rows == plan.depths.count && output.rows == queries.rows && logSumExp.rows == queries.rows)
  precondition(queries.columns == shape.heads * shape.headSize && output.columns == queries.columns)
  let group = shape.heads / shape.keyValueHeads
  let size = shape.headSize
  team.items(
    .attention, shape.heads * plan.tiles.count, scratch: plan.largestTile + plan.mostQueries,
    operations: 4 * plan.pairs * Double(shape.heads * size)
  ) { item, scores in
    let totals = scores + plan.largestTile
    let head = item % shape.heads
    let tile = plan.tiles[item / shape.heads]
    let column = head * size
    let keyColumn = head / group * size
    computeScores(queries, tile, pack, prefix, shape, head: head, into: scores)
    for row in tile.queries {
      let line = scores + (row - tile.queries.lowerBound) * tile.width
      let seen = plan.depths[row] + 1
      let largest = maximum(seen, line)
      let total = exponentials(seen, line, minus: largest, into: line)
      totals[row - tile.queries.lowerBound] = total
      (line + seen).update(repeating: 0, count: tile.width - seen)
      logSumExp.base[row * logSumExp.stride + head] = largest + logarithm(total)
      (output.base + row * output.stride + column).update(repeating: 0, count: size)
    }
    for span in tile.spans {
      let values = (span.inPrefix ? prefix : pack).unsafelyUnwrapped.values
      multiply(
        m: span.queries.count, n: size, k: span.keys.count,
        scores + (span.queries.lowerBound - tile.queries.lowerBound) * tile.width + span.depth, leadingA: tile.width,
        values.base + span.keys.lowerBound * values.stride + keyColumn, leadingB: values.stride,
        beta: 1, into: output.base + span.queries.lowerBound * output.stride + column, leadingC: output.stride)
    }
    // The probabilities were not yet divided by their sum; the output is shorter.
    for row in tile.queries {
      let inverse = 1 / totals[row - tile.queries.lowerBound]
      let place = output.base + row * output.stride + column
      map(size, place, into: place) { $0 * inverse }
    }
  }
}

/// The gradients of `attention`: dQ is written; dK and dV are added, also into the prefix's.
///
/// With P = exp(S - logSumExp), dP = dO Vᵀ and δ = Σ dO · O (row by row): dV += Pᵀ dO, dS = scale · P (dP - δ),
/// dQ = dS K, dK += dSᵀ Q. Source: FlashAttention-2 (arXiv 2307.08691), algorithm 2.
public func attentionBackward(
  _ dOutput: Matrix, output: Matrix, logSumExp: Matrix, queries: Matrix, pack: KeysAndValues, prefix: KeysAndValues?,
  plan: AttentionPlan, shape: AttentionShape, dQueries: Matrix, addingTo dPack: KeysAndValues,
  dPrefix: KeysAndValues?, on team: ThreadTeam
) {
  precondition(dOutput.rows == queries.rows && dQueries.rows == queries.rows && output.rows == queries.rows)
  precondition((prefix == nil) == (dPrefix == nil))
  let group = shape.heads / shape.keyValueHeads
  let size = shape.headSize
  let area = plan.largestTile
  // One item is a head of keys and values with all of its query heads: nobody else adds to its gradients.
  team.items(
    .attentionBackward, shape.keyValueHeads, scratch: 2 * area,
    operations: 8 * plan.pairs * Double(shape.heads * size)
  ) { keyValueHead, scratch in
    let keyColumn = keyValueHead * size
    for head in (keyValueHead * group)..<((keyValueHead + 1) * group) {
      let column = head * size
      for tile in plan.tiles {
        let probabilities = scratch
        let gradients = scratch + area
        computeScores(queries, tile, pack, prefix, shape, head: head, into: probabilities)
        for span in tile.spans {
          let values = (span.inPrefix ? prefix : pack).unsafelyUnwrapped.values
          multiply(
            m: span.queries.count, n: span.keys.count, k: size,
            dOutput.base + span.queries.lowerBound * dOutput.stride + column, leadingA: dOutput.stride,
            values.base + span.keys.lowerBound * values.stride + keyColumn, leadingB: values.stride, transposedB: true,
            into: gradients + (span.queries.lowerBound - tile.queries.lowerBound) * tile.width + span.depth,
            leadingC: tile.width)
        }
        for row in tile.queries {
          let offset = (row - tile.queries.lowerBound) * tile.width
          let line = probabilities + offset
          let gradient = gradients + offset
          let seen = plan.depths[row] + 1
          let logSum = logSumExp.base[row * logSumExp.stride + head]
          let delta = sum(
            size, dOutput.base + row * dOutput.stride + column, output.base + row * output.stride + column
          ) { $0 * $1 }
          _ = exponentials(seen, line, minus: logSum, into: line)
          map(seen, line, gradient, into: gradient) { p, g in p * (g - delta) * shape.scale }
          (line + seen).update(repeating: 0, count: tile.width - seen)
          (gradient + seen).update(repeating: 0, count: tile.width - seen)
          (dQueries.base + row * dQueries.stride + column).update(repeating: 0, count: size)
        }
        for span in tile.spans {
          let source = (span.inPrefix ? prefix : pack).unsafelyUnwrapped
          let target = (span.inPrefix ? dPrefix : dPack).unsafelyUnwrapped
          let offset = (span.queries.lowerBound - tile.queries.lowerBound) * tile.width + span.depth
          let dO = dOutput.base + span.queries.lowerBound * dOutput.stride + column
          let Q = queries.base + span.queries.lowerBound * queries.stride + column
          let first = span.keys.lowerBound
          multiply(
            m: span.keys.count, n: size, k: span.queries.count, probabilities + offset, leadingA: tile.width,
            transposedA: true, dO, leadingB: dOutput.stride, beta: 1,
            into: target.values.base + first * target.values.stride + keyColumn, leadingC: target.values.stride)
          multiply(
            m: span.keys.count, n: size, k: span.queries.count, gradients + offset, leadingA: tile.width,
            transposedA: true, Q, leadingB: queries.stride, beta: 1,
            into: target.keys.base + first * target.keys.stride + keyColumn, leadingC: target.keys.stride)
          multiply(
            m: span.queries.count, n: size, k: span.keys.count, gradients + offset, leadingA: tile.width,
            source.keys.base + first * source.keys.stride + keyColumn, leadingB: source.keys.stride, beta: 1,
            into: dQueries.base + span.queries.lowerBound * dQueries.stride + column, leadingC: dQueries.stride)
        }
      }
    }
  }
}

/// scores [tile rows, tile width] = scale · Q Kᵀ for one head, the columns being depths.
private func computeScores(
  _ queries: Matrix, _ tile: AttentionPlan.Tile, _ pack: KeysAndValues, _ prefix: KeysAndValues?,
  _ shape: AttentionShape, head: Int, into scores: UnsafeMutablePointer<Float>
) {
  let size = shape.headSize
  let keyColumn = head / (shape.heads / shape.keyValueHeads) * size
  for span in tile.spans {
    let keys = (span.inPrefix ? prefix : pack).unsafelyUnwrapped.keys
    multiply(
      m: span.queries.count, n: span.keys.count, k: size, alpha: shape.scale,
      queries.base + span.queries.lowerBound * queries.stride + head * size, leadingA: queries.stride,
      keys.base + span.keys.lowerBound * keys.stride + keyColumn, leadingB: keys.stride, transposedB: true,
      into: scores + (span.queries.lowerBound - tile.queries.lowerBound) * tile.width + span.depth,
      leadingC: tile.width)
  }
}
