import Kernels

/// y = x W + b with frozen W and b.
package struct LinearLayer: Sendable {
  package let weight: Weight
  /// [outputs]; empty: none.
  package let bias: [Float]

  package init(weight: Weight, bias: [Float] = []) {
    precondition(bias.isEmpty || bias.count == weight.outputs)
    self.weight = weight
    self.bias = bias
  }
}

/// How the two halves of a block, attention A and feed-forward F, join the hidden states x; n and m are the norms.
package enum Residual: Sendable {
  /// h = x + A(n(x)), y = h + F(m(h)).
  case sequential
  /// y = x + A(n(x)) + F(m(x)); without a norm of its own, F reads n(x).
  case parallel
  /// a = n(x), h = a + A(a), b = m(h), y = b + F(b): BLOOM's `apply_residual_connection_post_layernorm`.
  case normed
  /// h = n(x + A(x)), y = m(h + F(h)): OPT's `do_layer_norm_before: false`.
  case normedAfter
}

/// The frozen weights of one transformer block.
package struct Block: Sendable {
  package let residual: Residual
  package let attentionNorm: NormWeights?
  package let query: LinearLayer
  package let key: LinearLayer
  package let value: LinearLayer
  /// Norms of each head's queries and keys, before they are rotated.
  package let queryNorm: NormWeights?
  package let keyNorm: NormWeights?
  /// Which of the decoder's rotary embeddings turns queries and keys; nil: none.
  package let rotary: Int?
  package let attention: AttentionShape
  package let attentionOutput: LinearLayer
  /// A norm of A's result, before it joins (Gemma 2).
  package let attentionOutputNorm: NormWeights?
  package let feedForwardNorm: NormWeights?
  /// Of a gated feed-forward, activation(gate) · up; nil: activation(up).
  package let gate: LinearLayer?
  package let up: LinearLayer
  package let down: LinearLayer
  package let activation: Activation
  /// A norm of F's result, before it joins.
  package let feedForwardOutputNorm: NormWeights?

  package init(
    residual: Residual = .sequential, attentionNorm: NormWeights?, query: LinearLayer, key: LinearLayer,
    value: LinearLayer, queryNorm: NormWeights? = nil, keyNorm: NormWeights? = nil, rotary: Int? = nil,
    attention: AttentionShape, attentionOutput: LinearLayer, attentionOutputNorm: NormWeights? = nil,
    feedForwardNorm: NormWeights?, gate: LinearLayer? = nil, up: LinearLayer, down: LinearLayer,
    activation: Activation, feedForwardOutputNorm: NormWeights? = nil
  ) {
    self.residual = residual
    self.attentionNorm = attentionNorm
    self.query = query
    self.key = key
    self.value = value
    self.queryNorm = queryNorm
    self.keyNorm = keyNorm
    self.rotary = rotary
    self.attention = attention
    self.attentionOutput = attentionOutput
    self.attentionOutputNorm = attentionOutputNorm
    self.feedForwardNorm = feedForwardNorm
    self.gate = gate
    self.up = up
    self.down = down
    self.activation = activation
    self.feedForwardOutputNorm = feedForwardOutputNorm
  }

  /// Columns of the feed-forward's products before the activation: the gate's, then up's.
  var middleColumns: Int { (gate?.weight.outputs ?? 0) + up.weight.outputs }
  /// The norm of A's sum or result that needs what it was given kept for the backward.
  var normAfterAttention: NormWeights? { residual == .normedAfter ? attentionNorm : attentionOutputNorm }
  var normAfterFeedForward: NormWeights? { residual == .normedAfter ? feedForwardNorm : feedForwardOutputNorm }
  /// The norms of what A and F read.
  var normBeforeAttention: NormWeights? { residual == .normedAfter ? nil : attentionNorm }
  var normBeforeFeedForward: NormWeights? { residual == .normedAfter ? nil : feedForwardNorm }
}

/// What a norm was given, for its backward.
struct NormInput {
  let x: Matrix
  let statistics: Matrix

  init(_ x: Matrix, _ norm: NormWeights, in workspace: Workspace) {
    self.x = x
    statistics = workspace.matrix(x.rows, 2 * (x.columns / norm.gain.count))
  }
}

/// What the forward of a block leaves for its backward. Rows: N of the pack, R of the queries (N, but fewer in the
/// top block, where only rows that predict are needed).
struct BlockActivations {
  let input: Matrix  // [N, D]
  let attentionNorm: NormInput?  // of the input
  let rawQueries: NormInput?  // [R, heads · headSize], before their norm
  let rawKeys: NormInput?  // [N, keyValueHeads · headSize]
  let keysAndValues: KeysAndValues  // [N, keyValueHeads · headSize] each
  let queries: Matrix  // [R, heads · headSize]
  let attended: Matrix  // [R, heads · headSize]
  let logSumExp: Matrix  // [R, heads]
  let afterAttention: NormInput?  // [R, D]
  let middle: Matrix?  // [R, D], between the halves; nil where they are parallel
  let feedForwardNorm: NormInput?  // of `middle`, or of the input's query rows where the halves are parallel
  let preactivation: Matrix  // [R, gate + up], before the bias unless gated
  let afterFeedForward: NormInput?  // [R, D]

  init(_ block: Block, input: Matrix, queryRows R: Int, in workspace: Workspace) {
    let D = input.columns
    let projections = Projections(block, rows: input.rows, queryRows: R, in: workspace)
    self.input = input
    keysAndValues = projections.keysAndValues
    queries = projections.queries
    attentionNorm = block.normBeforeAttention.map { NormInput(input, $0, in: workspace) }
    rawQueries = block.queryNorm.map { NormInput(workspace.matrix(R, block.query.weight.outputs), $0, in: workspace) }
    rawKeys = block.keyNorm.map { NormInput(workspace.matrix(input.rows, block.key.weight.outputs), $0, in: workspace) }
    attended = workspace.matrix(R, block.query.weight.outputs)
    logSumExp = workspace.matrix(R, block.attention.heads)
    afterAttention = block.normAfterAttention.map { NormInput(workspace.matrix(R, D), $0, in: workspace) }
    let middle = block.residual == .parallel ? nil : workspace.matrix(R, D)
    self.middle = middle
    feedForwardNorm = block.normBeforeFeedForward.map {
      NormInput(middle ?? (R == input.rows ? input : workspace.matrix(R, D)), $0, in: workspace)
    }
    preactivation = workspace.matrix(R, block.middleColumns)
    afterFeedForward = block.normAfterFeedForward.map { NormInput(workspace.matrix(R, D), $0, in: workspace) }
  }
}

/// Queries of R rows, keys and values of N, or their gradients.
struct Projections {
  let queries: Matrix
  let keysAndValues: KeysAndValues

  /// Side by side in one matrix where every row has a query, so that they can be computed as one product.
  init(_ block: Block, rows N: Int, queryRows R: Int, in workspace: Workspace) {
    let Q = block.query.weight.outputs, K = block.key.weight.outputs, V = block.value.weight.outputs
    let all = workspace.matrix(N, (R == N ? Q : 0) + K + V)
    let start = all.columns - K - V
    queries = R == N ? all.columns(0..<Q) : workspace.matrix(R, Q)
    keysAndValues = KeysAndValues(
      keys: all.columns(start..<(start + K)), values: all.columns((start + K)..<(start + K + V)))
  }
}

/// The rows of a pack that a block computes queries for, which keys they see, and the angles of their positions.
struct QueryRows {
  /// Their indices in the pack, ascending; nil: all.
  let selected: [Int]?
  let plan: AttentionPlan
  /// For each of the decoder's rotary embeddings, of all rows and of the query rows.
  let angles: [(all: RotaryAngles, queries: RotaryAngles)]

  var count: Int { plan.depths.count }
}

extension Block {
  /// The block's output for the query rows.
  ///
  /// output: [R, D]; nil: only `a` is wanted. Everything in `a` but the input is written.
  func forward(
    _ a: BlockActivations, rows: QueryRows, prefix: KeysAndValues?, into output: Matrix?, workspace: Workspace,
    on team: ThreadTeam
  ) {
    workspace.scoped {
      let normed = a.attentionNorm.map { normalized($0, normBeforeAttention, in: workspace, on: team) } ?? a.input
      project(normed, a, rows: rows, workspace: workspace, on: team)
      Kernels.attention(
        queries: a.queries, pack: a.keysAndValues, prefix: prefix, plan: rows.plan, shape: attention,
        into: a.attended, logSumExp: a.logSumExp, workspace: workspace, on: team)
      let base = rows.gathered(residual == .normed ? normed : a.input, in: workspace, on: team)
      if let sum = a.middle ?? output {
        join(
          a.attended, attentionOutput, to: base, normAfterAttention, a.afterAttention, into: sum, workspace: workspace,
          on: team)
      }
      if residual == .parallel {
        if let own = a.feedForwardNorm, rows.selected != nil { copy(base, into: own.x, on: team) }
        let read =
          a.feedForwardNorm.map { normalized($0, normBeforeFeedForward, in: workspace, on: team) }
          ?? rows.gathered(normed, in: workspace, on: team)
        feedForward(read, a, addingTo: output, into: output, workspace: workspace, on: team)
      }
    }
    guard let middle = a.middle else { return }
    workspace.scoped {
      let read = a.feedForwardNorm.map { normalized($0, normBeforeFeedForward, in: workspace, on: team) } ?? middle
      feedForward(
        read, a, addingTo: residual == .normed ? read : middle, into: output, workspace: workspace, on: team)
    }
  }

  /// Queries, keys and values of what the block reads.
  private func project(
    _ x: Matrix, _ a: BlockActivations, rows: QueryRows, workspace: Workspace, on team: ThreadTeam
  ) {
    let keys = a.rawKeys?.x ?? a.keysAndValues.keys, queries = a.rawQueries?.x ?? a.queries
    let keysAndValues = [(key.weight, keys), (value.weight, a.keysAndValues.values)]
    if rows.selected == nil {
      linear(x, [(query.weight, queries)] + keysAndValues, on: team)
    } else {
      linear(x, keysAndValues, on: team)
      linear(rows.gathered(x, in: workspace, on: team), query.weight, into: queries, on: team)
    }
    addBias(query.bias, to: queries, on: team)
    addBias(key.bias, to: keys, on: team)
    addBias(value.bias, to: a.keysAndValues.values, on: team)
    if let queryNorm, let raw = a.rawQueries {
      norm(raw.x, queryNorm, into: a.queries, statistics: raw.statistics, on: team)
    }
    if let keyNorm, let raw = a.rawKeys {
      norm(raw.x, keyNorm, into: a.keysAndValues.keys, statistics: raw.statistics, on: team)
    }
    if let rotary {
      rotate(a.queries, headSize: attention.headSize, by: rows.angles[rotary].queries, on: team)
      rotate(a.keysAndValues.keys, headSize: attention.headSize, by: rows.angles[rotary].all, on: team)
    }
  }

  /// output = base + F(x), normed before or after joining where the block says so. x: [R, D].
  private func feedForward(
    _ x: Matrix, _ a: BlockActivations, addingTo base: Matrix?, into output: Matrix?, workspace: Workspace,
    on team: ThreadTeam
  ) {
    let (gates, ups) = halves(a.preactivation)
    if let gate, let gates {
      linear(x, [(gate.weight, gates), (up.weight, ups)], on: team)
      addBias(gate.bias, to: gates, on: team)
      addBias(up.bias, to: ups, on: team)
    } else {
      linear(x, up.weight, into: ups, on: team)
    }
    // Computed again for a backward, the rest is only wanted for the norm behind it.
    guard let base = base ?? a.afterFeedForward?.x else { return }
    guard let target = output ?? a.afterFeedForward.map({ workspace.matrix($0.x.rows, $0.x.columns) }) else { return }
    let activated = workspace.matrix(x.rows, up.weight.outputs)
    if let gates {
      gatedActivation(gate: gates, ups, activation, into: activated, on: team)
    } else {
      biasAndActivation(ups, bias: up.bias, activation, into: activated, on: team)
    }
    join(
      activated, down, to: base, normAfterFeedForward, a.afterFeedForward, into: target, workspace: workspace, on: team)
  }

  /// sum = base + layer(x), where `normAfter` norms the layer's result or, in the post-norm order, the sum.
  private func join(
    _ x: Matrix, _ layer: LinearLayer, to base: Matrix, _ normAfter: NormWeights?, _ kept: NormInput?,
    into sum: Matrix, workspace: Workspace, on team: ThreadTeam
  ) {
    guard let normAfter, let kept else { return layer.apply(x, addingTo: base, into: sum, on: team) }
    if residual == .normedAfter {
      layer.apply(x, addingTo: base, into: kept.x, on: team)
      norm(kept.x, normAfter, into: sum, statistics: kept.statistics, on: team)
    } else {
      layer.apply(x, into: kept.x, on: team)
      let normed = workspace.matrix(kept.x.rows, kept.x.columns)
      norm(kept.x, normAfter, into: normed, statistics: kept.statistics, on: team)
      copy(base, into: sum, on: team)
      add(normed, to: sum, on: team)
    }
  }

  /// The gate's columns, if there is a gate, and up's.
  private func halves(_ preactivation: Matrix) -> (gates: Matrix?, ups: Matrix) {
    guard let gate else { return (nil, preactivation) }
    let F = gate.weight.outputs
    return (preactivation.columns(0..<F), preactivation.columns(F..<preactivation.columns))
  }

  private func normalized(
    _ input: NormInput, _ weights: NormWeights?, in workspace: Workspace, on team: ThreadTeam
  ) -> Matrix {
    guard let weights else { return input.x }
    let normed = workspace.matrix(input.x.rows, input.x.columns)
    norm(input.x, weights, into: normed, statistics: input.statistics, on: team)
    return normed
  }
}

// MARK: - Backward

extension Block {
  /// The gradient of `forward` with respect to its input rows, and to the prefix's keys and values.
  ///
  /// - Parameters:
  ///   - dOutput: [R, D]; overwritten.
  ///   - a: what the forward left.
  ///   - rows: the query rows of the forward.
  ///   - prefix: the prefix of the forward.
  ///   - later: gradients of the first rows' keys and values that packs standing on them have given.
  ///   - dPrefix: added to.
  ///   - inputRows: the rows of `dInput` that are wanted; the others are left arbitrary.
  ///   - dInput: [N, D]; written.
  ///   - workspace: for what lives no longer than the call.
  ///   - team: the threads.
  func backward(
    _ dOutput: Matrix, _ a: BlockActivations, rows: QueryRows, prefix: KeysAndValues?,
    later: KeysAndValues?, dPrefix: KeysAndValues?, inputRows: Range<Int>, into dInput: Matrix,
    workspace: Workspace, on team: ThreadTeam
  ) {
    workspace.scoped {
      var d = behind(dOutput, a.afterFeedForward, normAfterFeedForward, in: workspace, on: team)
      // Where the halves are parallel, what F read joins only behind A: through A's norm where they share it.
      var dBeside: (read: Matrix?, input: Matrix?) = (nil, nil)
      if residual == .parallel {
        let dRead = workspace.matrix(rows.count, a.input.columns)
        feedForwardBackward(d.result, a, into: dRead, workspace: workspace, on: team)
        dBeside = a.feedForwardNorm == nil ? (dRead, nil) : (nil, workspace.matrix(rows.count, a.input.columns))
        if let input = dBeside.input {
          input.fill(0)
          passNorm(dRead, a.feedForwardNorm, normBeforeFeedForward, addingTo: input, on: team)
        }
      } else {
        workspace.scoped {
          let dRead = workspace.matrix(rows.count, a.input.columns)
          feedForwardBackward(d.result, a, into: dRead, workspace: workspace, on: team)
          passNorm(dRead, a.feedForwardNorm, normBeforeFeedForward, addingTo: d.sum, on: team)
        }
        d = behind(d.sum, a.afterAttention, normAfterAttention, in: workspace, on: team)
      }
      let dAttended = workspace.matrix(rows.count, a.attended.columns)
      linearBackward(d.result, attentionOutput.weight, into: dAttended, on: team)
      let dProjections = Projections(self, rows: a.input.rows, queryRows: rows.count, in: workspace)
      attentionBackward(
        dAttended, output: a.attended, logSumExp: a.logSumExp, queries: a.queries, pack: a.keysAndValues,
        prefix: prefix, plan: rows.plan, shape: attention, dQueries: dProjections.queries,
        dPack: dProjections.keysAndValues, addingTo: dPrefix, workspace: workspace, on: team)
      if let later {
        let first = 0..<later.keys.rows
        add(later.keys, to: dProjections.keysAndValues.keys.rows(first), on: team)
        add(later.values, to: dProjections.keysAndValues.values.rows(first), on: team)
      }
      if inputRows.isEmpty { return }
      if let input = dBeside.input { add(input, to: d.sum, on: team) }
      projectBackward(
        dProjections, dRead: dBeside.read, dResidual: d.sum, a, rows: rows, inputRows: inputRows, into: dInput,
        workspace: workspace, on: team)
    }
  }

  /// Of the gradient of a half's joined sum: that of the half's result, and that of what it was added to.
  private func behind(
    _ d: Matrix, _ kept: NormInput?, _ normAfter: NormWeights?, in workspace: Workspace, on team: ThreadTeam
  ) -> (result: Matrix, sum: Matrix) {
    guard let normAfter, let kept else { return (d, d) }
    let passed = workspace.matrix(d.rows, d.columns)
    passed.fill(0)
    if residual == .normedAfter {
      normBackward(d, x: kept.x, normAfter, statistics: kept.statistics, addingTo: passed, on: team)
      return (passed, passed)
    }
    workspace.scoped {
      let overwritten = workspace.matrix(d.rows, d.columns)
      copy(d, into: overwritten, on: team)
      normBackward(overwritten, x: kept.x, normAfter, statistics: kept.statistics, addingTo: passed, on: team)
    }
    return (passed, d)
  }

  /// The gradient of what a half read, carried through its norm and added to that of the residual; overwrites `dRead`.
  private func passNorm(
    _ dRead: Matrix, _ kept: NormInput?, _ normBefore: NormWeights?, addingTo dResidual: Matrix, on team: ThreadTeam
  ) {
    guard let normBefore, let kept else { return add(dRead, to: dResidual, on: team) }
    if residual == .normed {
      // What is normed is also what the half's result was added to.
      add(dResidual, to: dRead, on: team)
      dResidual.fill(0)
    }
    normBackward(dRead, x: kept.x, normBefore, statistics: kept.statistics, addingTo: dResidual, on: team)
  }

  /// dRead: [R, D], the gradient of what F read. `d`: [R, D], of its result; only read.
  private func feedForwardBackward(
    _ d: Matrix, _ a: BlockActivations, into dRead: Matrix, workspace: Workspace, on team: ThreadTeam
  ) {
    workspace.scoped {
      let dActivated = workspace.matrix(d.rows, up.weight.outputs)
      linearBackward(d, down.weight, into: dActivated, on: team)
      let (gates, ups) = halves(a.preactivation)
      guard let gate, let gates else {
        activationBackward(dActivated, x: ups, bias: up.bias, activation, on: team)
        return linearBackward(dActivated, up.weight, into: dRead, on: team)
      }
      let (dGates, dUps) = halves(workspace.matrix(d.rows, middleColumns))
      guard let dGates else { return }
      gatedActivationBackward(dActivated, gate: gates, ups, activation, dGate: dGates, dx: dUps, on: team)
      linearBackward([(gate.weight, dGates), (up.weight, dUps)], into: dRead, on: team)
    }
  }

  /// dInput from the gradients of the projections (overwritten), of what F read beside A, and of the residual.
  private func projectBackward(
    _ d: Projections, dRead: Matrix?, dResidual: Matrix, _ a: BlockActivations, rows: QueryRows,
    inputRows: Range<Int>, into dInput: Matrix, workspace: Workspace, on team: ThreadTeam
  ) {
    // Of the query rows, those that lie in `inputRows` are contiguous, since both ascend.
    let wanted = rows.positions(in: inputRows)
    if let rotary {
      rotateBackward(d.queries, headSize: attention.headSize, by: rows.angles[rotary].queries, on: team)
      rotateBackward(d.keysAndValues.keys, headSize: attention.headSize, by: rows.angles[rotary].all, on: team)
    }
    let dQueries = behindNorm(d.queries, a.rawQueries, queryNorm, in: workspace, on: team)
    let dKeys = behindNorm(d.keysAndValues.keys, a.rawKeys, keyNorm, in: workspace, on: team)
    let dNormed = workspace.matrix(a.input.rows, a.input.columns).rows(inputRows)
    let dInputRows = dInput.rows(inputRows)
    let keysAndValues = [
      (key.weight, dKeys.rows(inputRows)), (value.weight, d.keysAndValues.values.rows(inputRows)),
    ]
    if let selected = rows.selected {
      linearBackward(keysAndValues, into: dNormed, on: team)
      let places = selected[wanted].map { $0 - inputRows.lowerBound }
      let dQueryInput = workspace.matrix(wanted.count, a.input.columns)
      linearBackward(dQueries.rows(wanted), query.weight, into: dQueryInput, on: team)
      scatterAdd(dQueryInput, rows: places, into: dNormed)
      if let dRead { scatterAdd(dRead.rows(wanted), rows: places, into: dNormed) }
      dInputRows.fill(0)
      scatterAdd(dResidual.rows(wanted), rows: places, into: dInputRows)
    } else {
      linearBackward([(query.weight, dQueries.rows(wanted))] + keysAndValues, into: dNormed, on: team)
      if let dRead { add(dRead.rows(wanted), to: dNormed, on: team) }
      copy(dResidual.rows(wanted), into: dInputRows, on: team)
    }
    passNorm(dNormed, a.attentionNorm?.rows(inputRows), normBeforeAttention, addingTo: dInputRows, on: team)
  }

  /// The gradient of what a head's norm was given; overwrites `d`.
  private func behindNorm(
    _ d: Matrix, _ kept: NormInput?, _ weights: NormWeights?, in workspace: Workspace, on team: ThreadTeam
  ) -> Matrix {
    guard let weights, let kept else { return d }
    let passed = workspace.matrix(d.rows, d.columns)
    passed.fill(0)
    normBackward(d, x: kept.x, weights, statistics: kept.statistics, addingTo: passed, on: team)
    return passed
  }
}

extension NormInput {
  private init(x: Matrix, statistics: Matrix) {
    self.x = x
    self.statistics = statistics
  }

  func rows(_ range: Range<Int>) -> NormInput { NormInput(x: x.rows(range), statistics: statistics.rows(range)) }
}

extension LinearLayer {
  /// The part of a fused layer that computes those outputs.
  func outputs(_ range: Range<Int>) -> LinearLayer {
    LinearLayer(weight: weight.outputs(range), bias: bias.isEmpty ? [] : Array(bias[range]))
  }

  /// The part that computes `run` of every `step` outputs, beginning with output `first`.
  func outputs(from first: Int, run: Int, ofEvery step: Int) -> LinearLayer {
    let members = stride(from: first, to: bias.count, by: step).flatMap { bias[$0..<($0 + run)] }
    return LinearLayer(weight: weight.outputs(from: first, run: run, ofEvery: step), bias: members)
  }

  /// y = x W + b. y: [T, outputs].
  func apply(_ x: Matrix, into y: Matrix, on team: ThreadTeam) {
    linear(x, weight, into: y, on: team)
    addBias(bias, to: y, on: team)
  }

  /// y = residual + x W + b. residual, y: [T, outputs]; they may be the same.
  func apply(_ x: Matrix, addingTo residual: Matrix, into y: Matrix, on team: ThreadTeam) {
    copyAddingBias(residual, bias, into: y, on: team)
    linear(x, weight, into: y, accumulating: true, on: team)
  }
}

extension QueryRows {
  /// The selected rows of a matrix: the matrix itself when all are.
  func gathered(_ matrix: Matrix, in workspace: Workspace, on team: ThreadTeam) -> Matrix {
    guard let selected else { return matrix }
    let target = workspace.matrix(selected.count, matrix.columns)
    gather(matrix, rows: selected, into: target, on: team)
    return target
  }

  /// Which of the query rows lie in a range of the pack's rows.
  func positions(in range: Range<Int>) -> Range<Int> {
    guard let selected else { return range }
    let first = selected.firstIndex { $0 >= range.lowerBound } ?? selected.count
    let end = selected.firstIndex { $0 >= range.upperBound } ?? selected.count
    return first..<end
  }
}
