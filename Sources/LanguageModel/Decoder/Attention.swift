import Kernels

/// The attention half of a block: A(x) = output(softmax(scale · Q Kᵀ) V) with Q, K, V projections of x.
package struct Attention: Sendable {
  package let query: LinearLayer
  package let key: LinearLayer
  package let value: LinearLayer
  package let output: LinearLayer
  /// Norms of queries and keys before rotation, per head or over the whole projection; nil: none.
  package let queryNorm: NormWeights?
  package let keyNorm: NormWeights?
  package let shape: AttentionShape
  /// The index of the decoder's rotary embedding for queries and keys; nil: none.
  package let rotary: Int?

  package init(
    query: LinearLayer, key: LinearLayer, value: LinearLayer, output: LinearLayer, queryNorm: NormWeights? = nil,
    keyNorm: NormWeights? = nil, shape: AttentionShape, rotary: Int? = nil
  ) {
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    self.queryNorm = queryNorm
    self.keyNorm = keyNorm
    self.shape = shape
    self.rotary = rotary
  }

  /// Memory for the keys and values of some tokens.
  func keysAndValues(rows: Int, in workspace: Workspace) -> KeysAndValues {
    KeysAndValues(
      keys: workspace.matrix(rows, key.weight.outputs), values: workspace.matrix(rows, value.weight.outputs))
  }
}

/// Queries of R rows, keys and values of N, or their gradients.
struct Projections {
  let queries: Matrix  // [R, heads · headSize]
  let keysAndValues: KeysAndValues  // [N, keyValueHeads · headSize] each

  /// Columns of one matrix if every row has a query, so that one product computes them.
  init(_ body: Attention, rows N: Int, queryRows R: Int, in workspace: Workspace) {
    let Q = body.query.weight.outputs, K = body.key.weight.outputs, V = body.value.weight.outputs
    let all = workspace.matrix(N, (R == N ? Q : 0) + K + V)
    let start = all.columns - K - V
    queries = R == N ? all.columns(0..<Q) : workspace.matrix(R, Q)
    keysAndValues = KeysAndValues(
      keys: all.columns(start..<(start + K)), values: all.columns((start + K)..<(start + K + V)))
  }
}

/// The activations of attention that its backward needs. Rows: N of the pack, R of the queries.
struct AttentionActivations {
  let projections: Projections
  let queryNorm: NormActivations?  // of the queries as projected
  let keyNorm: NormActivations?  // of the keys as projected
  let attended: Matrix  // [R, heads · headSize]
  let logSumExp: Matrix  // [R, heads]

  init(_ body: Attention, rows N: Int, queryRows R: Int, in workspace: Workspace) {
    let Q = body.query.weight.outputs, K = body.key.weight.outputs
    projections = Projections(body, rows: N, queryRows: R, in: workspace)
    queryNorm = body.queryNorm.map { NormActivations($0, of: workspace.matrix(R, Q), in: workspace) }
    keyNorm = body.keyNorm.map { NormActivations($0, of: workspace.matrix(N, K), in: workspace) }
    attended = workspace.matrix(R, Q)
    logSumExp = workspace.matrix(R, body.shape.heads)
  }
}

extension Attention: SublayerBody {
  var layers: [LinearLayer] { [query, key, value, output] }
  var norms: [NormWeights] { [queryNorm, keyNorm].compactMap { $0 } }

  func activations(rows: QueryRows, of N: Int, in workspace: Workspace) -> AttentionActivations {
    AttentionActivations(self, rows: N, queryRows: rows.count, in: workspace)
  }

  func forward(
    _ x: Matrix, _ a: AttentionActivations, rows: QueryRows, addingTo base: Matrix?, into target: Matrix?,
    in pass: LayerPass
  ) {
    project(x, a, rows: rows, in: pass)
    attention(
      queries: a.projections.queries, pack: a.projections.keysAndValues, prefix: pass.prefix, plan: rows.plan,
      shape: shape, into: a.attended, logSumExp: a.logSumExp, workspace: pass.workspace, on: pass.team)
    if let target { output.forward(a.attended, addingTo: base, into: target, on: pass.team) }
  }

  func backward(
    _ d: Matrix, _ a: AttentionActivations, rows: QueryRows, inputRows: Range<Int>, in pass: LayerPass
  ) -> Matrix? {
    let workspace = pass.workspace, team = pass.team
    let dx = workspace.matrix(inputRows.count, d.columns)
    workspace.scoped {
      let dAttended = workspace.matrix(d.rows, a.attended.columns)
      output.backward(d, into: dAttended, on: team)
      let gradients = Projections(
        self, rows: a.projections.keysAndValues.keys.rows, queryRows: d.rows, in: workspace)
      attentionBackward(
        dAttended, output: a.attended, logSumExp: a.logSumExp, queries: a.projections.queries,
        pack: a.projections.keysAndValues, prefix: pass.prefix, plan: rows.plan, shape: shape,
        dQueries: gradients.queries, dPack: gradients.keysAndValues, addingTo: pass.prefixGradients,
        workspace: workspace, on: team)
      if let later = pass.laterGradients {
        let first = 0..<later.keys.rows
        add(later.keys, to: gradients.keysAndValues.keys.rows(first), on: team)
        add(later.values, to: gradients.keysAndValues.values.rows(first), on: team)
      }
      if !inputRows.isEmpty { projectBackward(gradients, a, rows: rows, inputRows: inputRows, into: dx, in: pass) }
    }
    return inputRows.isEmpty ? nil : dx
  }

  /// Queries of the query rows, keys and values of all: projected, normed, rotated. x: [N, D].
  private func project(_ x: Matrix, _ a: AttentionActivations, rows: QueryRows, in pass: LayerPass) {
    let team = pass.team, values = a.projections.keysAndValues.values
    let keys = a.keyNorm?.x ?? a.projections.keysAndValues.keys, queries = a.queryNorm?.x ?? a.projections.queries
    let keysAndValues = [(key.weight, keys), (value.weight, values)]
    if rows.selected == nil {
      linear(x, [(query.weight, queries)] + keysAndValues, on: team)
    } else {
      linear(x, keysAndValues, on: team)
      linear(rows.gathered(x, in: pass.workspace, on: team), query.weight, into: queries, on: team)
    }
    addBias(query.bias, to: queries, on: team)
    addBias(key.bias, to: keys, on: team)
    addBias(value.bias, to: values, on: team)
    a.queryNorm?.forward(into: a.projections.queries, on: team)
    a.keyNorm?.forward(into: a.projections.keysAndValues.keys, on: team)
    if let rotary {
      let angles = rows.angles[rotary]
      rotate(a.projections.queries, headSize: shape.headSize, by: angles.queries, on: team)
      rotate(a.projections.keysAndValues.keys, headSize: shape.headSize, by: angles.all, on: team)
    }
  }

  /// dx, [inputRows.count, D], from the gradients of the projections, which are overwritten.
  private func projectBackward(
    _ d: Projections, _ a: AttentionActivations, rows: QueryRows, inputRows: Range<Int>, into dx: Matrix,
    in pass: LayerPass
  ) {
    let workspace = pass.workspace, team = pass.team
    if let rotary {
      let angles = rows.angles[rotary]
      rotateBackward(d.queries, headSize: shape.headSize, by: angles.queries, on: team)
      rotateBackward(d.keysAndValues.keys, headSize: shape.headSize, by: angles.all, on: team)
    }
    let dQueries = a.queryNorm?.backward(d.queries, in: workspace, on: team) ?? d.queries
    let dKeys = a.keyNorm?.backward(d.keysAndValues.keys, in: workspace, on: team) ?? d.keysAndValues.keys
    let wanted = rows.positions(in: inputRows)
    let keysAndValues = [
      (key.weight, dKeys.rows(inputRows)), (value.weight, d.keysAndValues.values.rows(inputRows)),
    ]
    if rows.selected == nil {
      linearBackward([(query.weight, dQueries.rows(wanted))] + keysAndValues, into: dx, on: team)
    } else {
      linearBackward(keysAndValues, into: dx, on: team)
      let dQueryInput = workspace.matrix(wanted.count, dx.columns)
      query.backward(dQueries.rows(wanted), into: dQueryInput, on: team)
      scatterAdd(dQueryInput, rows: rows.places(in: inputRows), into: dx, on: team)
    }
  }
}
