import Kernels

/// y = x W + b with frozen W and b.
public struct LinearLayer: Sendable {
  public let weight: Weight
  public let bias: [Float]

  public init(weight: Weight, bias: [Float]) {
    precondition(bias.count == weight.outputs)
    self.weight = weight
    self.bias = bias
  }
}

/// The frozen weights of one transformer block.
public struct Block: Sendable {
  public let attentionNorm: NormWeights
  public let query: LinearLayer
  public let key: LinearLayer
  public let value: LinearLayer
  public let attentionOutput: LinearLayer
  public let feedForwardNorm: NormWeights
  public let up: LinearLayer
  public let down: LinearLayer
  public let activation: Activation
  public let attention: AttentionShape
}

/// What the forward of a block leaves for its backward. Rows: N of the pack, R of the queries (N, but fewer in the
/// top block, where only rows that predict are needed).
struct BlockActivations {
  let input: Matrix  // [N, D]
  let attentionNormStatistics: Matrix  // [N, 2]
  let keysAndValues: KeysAndValues  // [N, keyValueHeads · headSize] each
  let queries: Matrix  // [R, heads · headSize]
  let attended: Matrix  // [R, heads · headSize]
  let logSumExp: Matrix  // [R, heads]
  let middle: Matrix  // [R, D], after the attention's residual
  let feedForwardNormStatistics: Matrix  // [R, 2]
  let preactivation: Matrix  // [R, F], before the bias

  init(_ block: Block, input: Matrix, queryRows R: Int, in workspace: Workspace) {
    let projections = Projections(block, rows: input.rows, queryRows: R, in: workspace)
    self.input = input
    keysAndValues = projections.keysAndValues
    queries = projections.queries
    attentionNormStatistics = workspace.matrix(input.rows, 2)
    attended = workspace.matrix(R, block.query.weight.outputs)
    logSumExp = workspace.matrix(R, block.attention.heads)
    middle = workspace.matrix(R, input.columns)
    feedForwardNormStatistics = workspace.matrix(R, 2)
    preactivation = workspace.matrix(R, block.up.weight.outputs)
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

/// The rows of a pack that a block computes queries for, and which keys they see.
struct QueryRows {
  /// Their indices in the pack, ascending; nil: all.
  let selected: [Int]?
  let plan: AttentionPlan

  var count: Int { plan.depths.count }
}

extension Block {
  /// output = h + FF(norm(h)) with h = x + Attention(norm(x)), x being `a.input`.
  ///
  /// output: [R, D]; nil: only `a` is wanted. Everything in `a` but the input is written.
  func forward(
    _ a: BlockActivations, rows: QueryRows, prefix: KeysAndValues?, into output: Matrix?, workspace: Workspace,
    on team: ThreadTeam
  ) {
    workspace.scoped {
      let normed = workspace.matrix(a.input.rows, a.input.columns)
      layerNorm(a.input, attentionNorm, into: normed, statistics: a.attentionNormStatistics, on: team)
      let keysAndValues = [(key.weight, a.keysAndValues.keys), (value.weight, a.keysAndValues.values)]
      if rows.selected == nil {
        linear(normed, [(query.weight, a.queries)] + keysAndValues, on: team)
      } else {
        linear(normed, keysAndValues, on: team)
        linear(rows.gathered(normed, in: workspace, on: team), query.weight, into: a.queries, on: team)
      }
      addBias(query.bias, to: a.queries, on: team)
      addBias(key.bias, to: a.keysAndValues.keys, on: team)
      addBias(value.bias, to: a.keysAndValues.values, on: team)
      Kernels.attention(
        queries: a.queries, pack: a.keysAndValues, prefix: prefix, plan: rows.plan, shape: attention,
        into: a.attended, logSumExp: a.logSumExp, workspace: workspace, on: team)
      attentionOutput.apply(
        a.attended, addingTo: rows.gathered(a.input, in: workspace, on: team), into: a.middle, on: team)
    }
    workspace.scoped {
      let normed = workspace.matrix(rows.count, a.input.columns)
      layerNorm(a.middle, feedForwardNorm, into: normed, statistics: a.feedForwardNormStatistics, on: team)
      linear(normed, up.weight, into: a.preactivation, on: team)
      guard let output else { return }
      let activated = workspace.matrix(rows.count, up.weight.outputs)
      biasAndActivation(a.preactivation, bias: up.bias, activation, into: activated, on: team)
      down.apply(activated, addingTo: a.middle, into: output, on: team)
    }
  }

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
      let dMiddle = dOutput
      workspace.scoped {
        let dActivated = workspace.matrix(rows.count, up.weight.outputs)
        linearBackward(dOutput, down.weight, into: dActivated, on: team)
        activationBackward(dActivated, x: a.preactivation, bias: up.bias, activation, on: team)
        let dNormed = workspace.matrix(rows.count, a.input.columns)
        linearBackward(dActivated, up.weight, into: dNormed, on: team)
        layerNormBackward(
          dNormed, x: a.middle, feedForwardNorm, statistics: a.feedForwardNormStatistics, addingTo: dMiddle, on: team)
      }
      let dAttended = workspace.matrix(rows.count, a.attended.columns)
      linearBackward(dMiddle, attentionOutput.weight, into: dAttended, on: team)
      let dProjections = Projections(self, rows: a.input.rows, queryRows: rows.count, in: workspace)
      let dQueries = dProjections.queries, dKeysAndValues = dProjections.keysAndValues
      attentionBackward(
        dAttended, output: a.attended, logSumExp: a.logSumExp, queries: a.queries, pack: a.keysAndValues,
        prefix: prefix, plan: rows.plan, shape: attention, dQueries: dQueries, dPack: dKeysAndValues,
        addingTo: dPrefix, workspace: workspace, on: team)
      if let later {
        add(later.keys, to: dKeysAndValues.keys.rows(0..<later.keys.rows), on: team)
        add(later.values, to: dKeysAndValues.values.rows(0..<later.values.rows), on: team)
      }

      if inputRows.isEmpty { return }
      // Of the query rows, those that lie in `inputRows` are contiguous, since both ascend.
      let wanted = rows.positions(in: inputRows)
      let dNormed = workspace.matrix(a.input.rows, a.input.columns).rows(inputRows)
      let dInputRows = dInput.rows(inputRows)
      let keysAndValues = [
        (key.weight, dKeysAndValues.keys.rows(inputRows)), (value.weight, dKeysAndValues.values.rows(inputRows)),
      ]
      if let selected = rows.selected {
        linearBackward(keysAndValues, into: dNormed, on: team)
        let places = selected[wanted].map { $0 - inputRows.lowerBound }
        let dQueryInput = workspace.matrix(wanted.count, a.input.columns)
        linearBackward(dQueries.rows(wanted), query.weight, into: dQueryInput, on: team)
        scatterAdd(dQueryInput, rows: places, into: dNormed)
        dInputRows.fill(0)
        scatterAdd(dMiddle.rows(wanted), rows: places, into: dInputRows)
      } else {
        linearBackward([(query.weight, dQueries.rows(wanted))] + keysAndValues, into: dNormed, on: team)
        copy(dMiddle.rows(wanted), into: dInputRows, on: team)
      }
      layerNormBackward(
        dNormed, x: a.input.rows(inputRows), attentionNorm, statistics: a.attentionNormStatistics.rows(inputRows),
        addingTo: dInputRows, on: team)
    }
  }
}

extension LinearLayer {
  /// The part of a fused layer that computes those outputs.
  func outputs(_ range: Range<Int>) -> LinearLayer {
    LinearLayer(weight: weight.outputs(range), bias: Array(bias[range]))
  }

  /// y = residual + x W + b. residual, y: [T, outputs].
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
