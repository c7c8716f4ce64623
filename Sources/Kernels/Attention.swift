/// The shape and scale of multi-head attention.
package struct AttentionShape: Sendable, Equatable {
  package let heads: Int
  /// Number of key-value heads; `heads / keyValueHeads` query heads share each.
  package let keyValueHeads: Int
  package let headSize: Int
  /// The factor on scores before the softmax; usually 1 / √headSize.
  package let scale: Float
  /// The number of keys a token sees, including itself; nil: all before it.
  package let window: Int?
  /// Scores s become cap · tanh(s / cap); nil: no cap.
  package let softCap: Float?
  /// For each head, the score's decrease per token between query and key (ALiBi, arXiv 2108.12409); empty: 0.
  package let slopes: [Float]

  package init(
    heads: Int, keyValueHeads: Int, headSize: Int, scale: Float, window: Int? = nil, softCap: Float? = nil,
    slopes: [Float] = []
  ) {
    precondition(keyValueHeads > 0 && heads % keyValueHeads == 0 && (slopes.isEmpty || slopes.count == heads))
    precondition(softCap == nil || slopes.isEmpty, "the cap's derivative needs scores without biases")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.scale = scale
    self.window = window
    self.softCap = softCap
    self.slopes = slopes
  }

  /// The depth of the first key that a query sees.
  fileprivate func firstKey(ofQueryAt depth: Int) -> Int {
    window.map { max(0, depth + 1 - $0) } ?? 0
  }

  /// Converts the products of a query at depth `query` to scores, from depth `first` on: cap and ALiBi, in place.
  @inline(always)
  fileprivate func adjust(
    _ scores: UnsafeMutablePointer<Float>, count: Int, from first: Int, head: Int, query: Int
  ) {
    if let softCap { capped(count, scores, at: softCap) }
    if !slopes.isEmpty {
      addRamp(count, scores, slope: slopes[head], from: Float(first - query))
    }
  }
}

/// The keys that each query row sees.
///
/// A row at depth p sees p + 1 keys, one for each depth 0…p: those of its ancestors, then its own segment's up to
/// itself. The scores of a row are therefore laid out by depth, the mask is "columns 0…p", and the rows of a tile share
/// columns although they may belong to different segments.
package struct AttentionPlan: Sendable {
  /// A run of keys that a run of queries of a tile sees (causally if depths overlap).
  package struct Span: Sendable, Equatable {
    /// Rows of the query matrix.
    package let queries: Range<Int>
    /// The keys, counting those of the prefix first, then the pack's.
    package let keys: Range<Int>
    /// Depth of the first key.
    package let depth: Int

    package init(queries: Range<Int>, keys: Range<Int>, depth: Int) {
      self.queries = queries
      self.keys = keys
      self.depth = depth
    }
  }

  /// Consecutive query rows that are computed together.
  package struct Tile: Sendable, Equatable {
    package let queries: Range<Int>
    /// Columns of the tile's score matrix: the largest depth + 1.
    package let width: Int
    package let spans: [Span]

    package init(queries: Range<Int>, width: Int, spans: [Span]) {
      self.queries = queries
      self.width = width
      self.spans = spans
    }
  }

  /// Depth of each query row.
  package let depths: [Int]
  package let tiles: [Tile]

  package init(depths: [Int], tiles: [Tile]) {
    self.depths = depths
    self.tiles = tiles
  }

  /// Number of pairs of a query and a key it sees.
  func pairs(_ shape: AttentionShape) -> Double {
    depths.reduce(0) { $0 + Double($1 + 1 - shape.firstKey(ofQueryAt: $1)) }
  }

  var mostQueries: Int { tiles.map(\.queries.count).max() ?? 0 }

  var largestTile: Int { tiles.map { $0.queries.count * $0.stride }.max() ?? 0 }

  /// Queries and keys per block: its scores, and 64 floats of each row, stay in the first-level cache.
  fileprivate static let blockSize = 64
}

/// Keys and values of one layer, each [rows, keyValueHeads · headSize].
package struct KeysAndValues: Sendable {
  package let keys: Matrix
  package let values: Matrix

  package init(keys: Matrix, values: Matrix) {
    self.keys = keys
    self.values = values
  }
}

/// output = softmax(scale · Q Kᵀ) V, each query row over the keys its plan lets it see.
///
/// queries, output: [R, heads · headSize]; `pack` and `prefix` hold the keys and values the plan's spans refer to.
/// `logSumExp`: [R, heads], receives log Σ exp(score), from which the backward recomputes the probabilities.
package func attention(
  queries: Matrix, pack: KeysAndValues, prefix: KeysAndValues?, plan: AttentionPlan, shape: AttentionShape,
  into output: Matrix, logSumExp: Matrix, workspace: Workspace, on team: ThreadTeam
) {
  precondition(queries.rows == plan.depths.count && output.rows == queries.rows && logSumExp.rows == queries.rows)
  precondition(queries.columns == shape.heads * shape.headSize && output.columns == queries.columns)
  let group = shape.heads / shape.keyValueHeads
  let size = shape.headSize
  workspace.scoped {
    let keysAcross = HeadMajorAcross(prefix?.keys, pack.keys, shape, in: workspace)
    let values = HeadMajor(prefix?.values, pack.values, shape, in: workspace)
    team.items(.attention, shape.keyValueHeads, scratch: 2 * vectorWidth * vectorWidth) { head, scratch in
      keysAcross.copyIn(head, scratch: scratch)
      values.copyIn(head)
    }
    let width = values.width
    let scoreArea = plan.largestTile
    team.items(
      .attention, shape.heads * plan.tiles.count, scratch: scoreArea + plan.mostQueries * (width + 1),
      operations: 4 * plan.pairs(shape) * Double(shape.heads * size)
    ) { item, scores in
      let sums = scores + scoreArea
      let totals = sums + plan.mostQueries * width
      let head = item % shape.heads
      let tile = plan.tiles[item / shape.heads]
      let column = head * size
      let line = tile.stride
      let keys = keysAcross.base(ofHead: head / group)
      let values = values.base(ofHead: head / group)
      tile.forEachBlock(plan, window: shape.window) { block in
        multiplyTile(
          rows: block.queries.count, columns: block.paddedKeys, inner: size, alpha: shape.scale,
          queries.base + block.queries.lowerBound * queries.stride + column, rowStep: queries.stride, innerStep: 1,
          keys + block.keys.lowerBound, leadingB: keysAcross.stride, accumulating: false,
          into: scores + (block.queries.lowerBound - tile.queries.lowerBound) * line + block.depth, leadingC: line)
      }
      for row in tile.queries {
        let place = scores + (row - tile.queries.lowerBound) * line
        let depth = plan.depths[row]
        let first = shape.firstKey(ofQueryAt: depth)
        let seen = depth + 1 - first
        shape.adjust(place + first, count: seen, from: first, head: head, query: depth)
        let largest = maximum(seen, place + first)
        let total = exponentials(seen, place + first, minus: largest, into: place + first)
        totals[row - tile.queries.lowerBound] = total
        place.update(repeating: 0, count: first)
        (place + depth + 1).update(repeating: 0, count: tile.width - depth - 1)
        logSumExp.base[row * logSumExp.stride + head] = largest + logarithm(total)
      }
      sums.update(repeating: 0, count: tile.queries.count * width)
      tile.forEachBlock(plan, window: shape.window) { block in
        let row = block.queries.lowerBound - tile.queries.lowerBound
        multiplyTile(
          rows: block.queries.count, columns: width, inner: block.keys.count, scores + row * line + block.depth,
          rowStep: line, innerStep: 1, values + block.keys.lowerBound * width, leadingB: width, accumulating: true,
          into: sums + row * width, leadingC: width)
      }
      // The probabilities are not yet divided by their sum. The output is divided instead, since it has fewer numbers.
      for row in tile.queries {
        let index = row - tile.queries.lowerBound
        let inverse = 1 / totals[index]
        map(size, sums + index * width, into: output.base + row * output.stride + column) { $0 * inverse }
      }
    }
  }
}

/// The gradients of `attention`: dQ and the pack's dK and dV are written, the prefix's dK and dV are added.
///
/// With P = exp(S - logSumExp), dP = dO Vᵀ and δ = Σ dO · O (row by row): dV += Pᵀ dO, dS = scale · P (dP - δ),
/// dQ = dS K, dK += dSᵀ Q. Source: FlashAttention-2 (arXiv 2307.08691), algorithm 2.
package func attentionBackward(
  _ dOutput: Matrix, output: Matrix, logSumExp: Matrix, queries: Matrix, pack: KeysAndValues, prefix: KeysAndValues?,
  plan: AttentionPlan, shape: AttentionShape, dQueries: Matrix, dPack: KeysAndValues,
  addingTo dPrefix: KeysAndValues?, workspace: Workspace, on team: ThreadTeam
) {
  precondition(dOutput.rows == queries.rows && dQueries.rows == queries.rows && output.rows == queries.rows)
  precondition((prefix == nil) == (dPrefix == nil))
  let group = shape.heads / shape.keyValueHeads
  let size = shape.headSize
  let limit = AttentionPlan.blockSize
  let line = limit + vectorWidth
  workspace.scoped {
    let keys = HeadMajor(prefix?.keys, pack.keys, shape, in: workspace)
    let dKeys = HeadMajor(dPrefix?.keys, dPack.keys, shape, in: workspace)
    let dValues = HeadMajor(dPrefix?.values, dPack.values, shape, in: workspace)
    let keysAcross = HeadMajorAcross(prefix?.keys, pack.keys, shape, in: workspace)
    let valuesAcross = HeadMajorAcross(prefix?.values, pack.values, shape, in: workspace)
    let width = keys.width
    let tileArea = plan.mostQueries * width
    // One item is a key-value head with all of its query heads: no other item adds to its gradients.
    team.items(
      .attentionBackward, shape.keyValueHeads, scratch: 2 * limit * line + 3 * tileArea + plan.mostQueries,
      operations: 8 * plan.pairs(shape) * Double(shape.heads * size)
    ) { keyValueHead, scratch in
      keys.copyIn(keyValueHead)
      keysAcross.copyIn(keyValueHead, scratch: scratch)
      valuesAcross.copyIn(keyValueHead, scratch: scratch)
      dKeys.clear(keyValueHead)
      dValues.clear(keyValueHead)
      let probabilities = scratch
      let gradients = probabilities + limit * line
      let tileQueries = gradients + limit * line
      let tileOutput = tileQueries + tileArea
      let tileGradient = tileOutput + tileArea
      let deltas = tileGradient + tileArea
      let K = keys.base(ofHead: keyValueHead)
      let dK = dKeys.base(ofHead: keyValueHead), dV = dValues.base(ofHead: keyValueHead)
      let acrossK = keysAcross.base(ofHead: keyValueHead), acrossV = valuesAcross.base(ofHead: keyValueHead)
      for head in (keyValueHead * group)..<((keyValueHead + 1) * group) {
        let column = head * size
        for tile in plan.tiles {
          let top = tile.queries.lowerBound
          copyHead(queries, rows: tile.queries, column: column, size: size, into: tileQueries, width: width)
          copyHead(dOutput, rows: tile.queries, column: column, size: size, into: tileOutput, width: width)
          tileGradient.update(repeating: 0, count: tile.queries.count * width)
          for row in tile.queries {
            deltas[row - top] = sum(
              size, dOutput.base + row * dOutput.stride + column, output.base + row * output.stride + column
            ) { $0 * $1 }
          }
          tile.forEachBlock(plan, window: shape.window) { block in
            let key = block.keys.lowerBound
            for start in stride(from: block.queries.lowerBound, to: block.queries.upperBound, by: limit) {
              let rows = start..<min(start + limit, block.queries.upperBound)
              let Q = tileQueries + (start - top) * width
              let dO = tileOutput + (start - top) * width
              multiplyTile(
                rows: rows.count, columns: block.paddedKeys, inner: size, alpha: shape.scale, Q, rowStep: width,
                innerStep: 1, acrossK + key, leadingB: keysAcross.stride, accumulating: false, into: probabilities,
                leadingC: line)
              multiplyTile(
                rows: rows.count, columns: block.paddedKeys, inner: size, dO, rowStep: width, innerStep: 1,
                acrossV + key, leadingB: valuesAcross.stride, accumulating: false, into: gradients, leadingC: line)
              for (index, row) in rows.enumerated() {
                let depth = plan.depths[row]
                let scores = probabilities + index * line
                shape.adjust(scores, count: block.keys.count, from: block.depth, head: head, query: depth)
                let first = max(0, shape.firstKey(ofQueryAt: depth) - block.depth)
                scoreGradients(
                  seen: first..<max(first, min(block.keys.count, depth + 1 - block.depth)), of: block.paddedKeys,
                  scores: scores, gradients: gradients + index * line,
                  logSumExp: logSumExp.base[row * logSumExp.stride + head], delta: deltas[row - top],
                  scale: shape.scale, softCap: shape.softCap)
              }
              multiplyTile(
                rows: block.keys.count, columns: width, inner: rows.count, probabilities, rowStep: 1,
                innerStep: line, dO, leadingB: width, accumulating: true, into: dV + key * width, leadingC: width)
              multiplyTile(
                rows: block.keys.count, columns: width, inner: rows.count, gradients, rowStep: 1,
                innerStep: line, Q, leadingB: width, accumulating: true, into: dK + key * width, leadingC: width)
              multiplyTile(
                rows: rows.count, columns: width, inner: block.keys.count, gradients, rowStep: line, innerStep: 1,
                K + key * width, leadingB: width, accumulating: true, into: tileGradient + (start - top) * width,
                leadingC: width)
            }
          }
          for row in tile.queries {
            (dQueries.base + row * dQueries.stride + column).update(
              from: tileGradient + (row - top) * width, count: size)
          }
        }
      }
      dKeys.copyOut(keyValueHead)
      dValues.copyOut(keyValueHead)
    }
  }
}

/// Converts a row of scores S to probabilities P = exp(S - logSumExp), and dP to dS = scale · P (dP - delta), times the
/// cap's derivative for a capped score; both become 0 outside `seen`, up to `count`, a multiple of the vector width.
@inline(always)
private func scoreGradients(
  seen: Range<Int>, of count: Int, scores: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>,
  logSumExp: Float, delta: Float, scale: Float, softCap: Float?
) {
  for i in stride(from: 0, to: count, by: vectorWidth) {
    let s = load(scores + i)
    var p = exponential(s - logSumExp)
    if seen.upperBound < i + vectorWidth {
      p.replace(with: 0, where: laneNumbers .>= SIMD16(repeating: Int32(seen.upperBound - i)))
    }
    if i < seen.lowerBound {
      p.replace(with: 0, where: laneNumbers .< SIMD16(repeating: Int32(seen.lowerBound - i)))
    }
    var g = (load(gradients + i) - delta) * scale
    if let softCap { g *= capSlope(s, softCap) }
    store(p, scores + i)
    store(p * g, gradients + i)
  }
}

/// Copies one head's columns of some rows to consecutive rows of `width` floats, with zeros after its `size`.
private func copyHead(
  _ source: Matrix, rows: Range<Int>, column: Int, size: Int, into target: UnsafeMutablePointer<Float>, width: Int
) {
  for (index, row) in rows.enumerated() {
    let place = target + index * width
    place.update(from: source.base + row * source.stride + column, count: size)
    (place + size).update(repeating: 0, count: width - size)
  }
}

/// Keys or values (or their gradients) head by head, each head's rows contiguous, the prefix's first. In the source
/// matrices these rows are a page or more apart, which costs more than the copy.
private struct HeadMajor: Sendable {
  private let parts: [Matrix]
  private let copy: Matrix
  private let size: Int
  let rows: Int
  /// Row stride in floats: the head size, rounded up to whole vectors.
  let width: Int

  init(_ prefix: Matrix?, _ pack: Matrix, _ shape: AttentionShape, in workspace: Workspace) {
    parts = (prefix.map { [$0] } ?? []) + [pack]
    rows = parts.reduce(0) { $0 + $1.rows }
    size = shape.headSize
    width = roundedUp(size)
    copy = workspace.matrix(1, shape.keyValueHeads * rows * width)
  }

  func base(ofHead head: Int) -> UnsafeMutablePointer<Float> { copy.base + head * rows * width }

  func clear(_ head: Int) { base(ofHead: head).update(repeating: 0, count: rows * width) }

  func copyIn(_ head: Int) {
    var target = base(ofHead: head)
    for part in parts {
      copyHead(part, rows: 0..<part.rows, column: head * size, size: size, into: target, width: width)
      target += part.rows * width
    }
  }

  /// Adds a head's first rows to the prefix's, and overwrites the pack's with the rest.
  func copyOut(_ head: Int) {
    var source = base(ofHead: head)
    for (index, part) in parts.enumerated() {
      let isPrefix = index < parts.count - 1
      for row in 0..<part.rows {
        let place = part.base + row * part.stride + head * size
        if isPrefix {
          map(size, place, source, into: place) { $0 + $1 }
        } else {
          place.update(from: source, count: size)
        }
        source += width
      }
    }
  }
}

/// Keys or values head by head, the prefix's rows first, each head transposed to [width, rows], so that a product reads
/// contiguous numbers of many rows.
private struct HeadMajorAcross: Sendable {
  private let parts: [Matrix]
  private let copy: Matrix
  private let size: Int
  private let width: Int
  /// Row stride in floats: an odd number of cache lines, so that rows spread over the cache.
  let stride: Int

  init(_ prefix: Matrix?, _ pack: Matrix, _ shape: AttentionShape, in workspace: Workspace) {
    parts = (prefix.map { [$0] } ?? []) + [pack]
    size = shape.headSize
    width = roundedUp(size)
    stride = Self.stride(rows: parts.reduce(0) { $0 + $1.rows })
    copy = workspace.matrix(1, shape.keyValueHeads * width * stride)
  }

  /// The prefix's last square may extend into the pack's columns, and the pack's beyond its own.
  static func stride(rows: Int) -> Int { (roundedUp(rows + vectorWidth) / vectorWidth | 1) * vectorWidth }

  func base(ofHead head: Int) -> UnsafeMutablePointer<Float> { copy.base + head * width * stride }

  /// Fills a head's copy. `scratch`: two squares of vectors.
  func copyIn(_ head: Int, scratch: UnsafeMutablePointer<Float>) {
    var target = base(ofHead: head)
    for part in parts {
      for row in Swift.stride(from: 0, to: part.rows, by: vectorWidth) {
        for column in Swift.stride(from: 0, to: size, by: vectorWidth) {
          transposeSquare(
            part.base + row * part.stride + head * size + column, rows: min(vectorWidth, part.rows - row),
            columns: min(vectorWidth, size - column), leading: part.stride, into: target + column * stride + row,
            leading: stride, scratch: scratch)
        }
      }
      target += part.rows
    }
  }
}

extension AttentionPlan.Span {
  /// Number of keys, rounded up to whole vectors.
  fileprivate var paddedKeys: Int { roundedUp(keys.count) }
}

extension AttentionPlan.Tile {
  /// Row stride of the scores in floats: an odd number of cache lines, so that columns spread over the cache, with a
  /// spare vector after the last column.
  fileprivate var stride: Int { (roundedUp(width + vectorWidth) / vectorWidth | 1) * vectorWidth }

  /// The tile's spans, split into blocks of keys and the queries that see any of them.
  fileprivate func forEachBlock(_ plan: AttentionPlan, window: Int?, _ body: (AttentionPlan.Span) -> Void) {
    for span in spans {
      var first = span.queries.lowerBound
      for key in Swift.stride(from: span.keys.lowerBound, to: span.keys.upperBound, by: AttentionPlan.blockSize) {
        let depth = span.depth + key - span.keys.lowerBound
        // Depths increase within a segment, and its descendants, which follow it, see all of it.
        while first < span.queries.upperBound, plan.depths[first] < depth { first += 1 }
        if first == span.queries.upperBound { break }
        let keys = key..<min(key + AttentionPlan.blockSize, span.keys.upperBound)
        let queries = first..<span.queries.upperBound
        // No query past the window sees the block.
        if let window, !queries.contains(where: { plan.depths[$0] - window < depth + keys.count - 1 }) { continue }
        body(AttentionPlan.Span(queries: queries, keys: keys, depth: depth))
      }
    }
  }
}
