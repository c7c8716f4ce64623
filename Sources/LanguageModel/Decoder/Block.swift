import Kernels

/// How the two halves of a block, attention A and feed-forward F, are added to the hidden states x.
package enum Residual: Sendable {
  /// h = x + A(x), y = h + F(h).
  case sequential
  /// y = x + A(x) + F(x).
  case parallel
}

/// One transformer block with frozen weights: attention and feed-forward, joined by the residual.
package struct Block: Sendable {
  package let residual: Residual
  package let attention: Sublayer<Attention>
  package let feedForward: Sublayer<FeedForward>

  package init(
    residual: Residual = .sequential, attention: Sublayer<Attention>, feedForward: Sublayer<FeedForward>
  ) {
    precondition(
      residual == .sequential || (attention.join == .input && feedForward.join == .input),
      "parallel halves add to the block's input")
    self.residual = residual
    self.attention = attention
    self.feedForward = feedForward
  }

  var layers: [LinearLayer] { attention.body.layers + feedForward.body.layers }

  /// A norm that both halves share counts once.
  var norms: [NormWeights] {
    let ofHalves = [attention.normBefore, attention.normAfter, feedForward.normBefore, feedForward.normAfter]
    return (ofHalves.compactMap { $0 } + attention.body.norms + feedForward.body.norms).reduce(into: []) {
      norms, norm in
      if !norms.contains(where: norm.isSame) { norms.append(norm) }
    }
  }
}

/// The activations of a block that its backward needs. Rows: N of the pack, R that have an output.
struct BlockActivations {
  let attention: SublayerActivations<Attention>  // reads [N, D]
  let feedForward: SublayerActivations<FeedForward>  // reads [R, D]

  init(_ block: Block, input: Matrix, rows: QueryRows, in workspace: Workspace) {
    let isShared = block.residual == .parallel && rows.selected == nil
    let middle = isShared ? input : workspace.matrix(rows.count, input.columns)
    attention = SublayerActivations(block.attention, input: input, rows: rows, in: workspace)
    feedForward = SublayerActivations(block.feedForward, input: middle, rows: rows.amongThemselves, in: workspace)
  }
}

extension Block {
  /// The block's output for the query rows, [R, D]; without a target, only `a` is computed.
  func forward(_ a: BlockActivations, into output: Matrix?, in pass: LayerPass) {
    switch residual {
    case .sequential:
      attention.forward(a.attention, into: a.feedForward.input, in: pass)
      feedForward.forward(a.feedForward, into: output, in: pass)
    case .parallel:
      if let selected = a.attention.rows.selected {
        gather(a.attention.input, rows: selected, into: a.feedForward.input, on: pass.team)
      }
      attention.forward(a.attention, into: output, in: pass)
      feedForward.forward(a.feedForward, addingTo: output, into: output, in: pass)
    }
  }

  /// The gradient of `forward` with respect to some rows of its input, and to keys and values.
  ///
  /// dOutput: [R, D], overwritten; dInput: [N, D], of which the requested rows are written.
  func backward(
    _ dOutput: Matrix, _ a: BlockActivations, inputRows: Range<Int>, into dInput: Matrix, in pass: LayerPass
  ) {
    let all = 0..<dOutput.rows
    pass.workspace.scoped {
      switch residual {
      case .sequential:
        feedForward.backward(dOutput, residual: dOutput, a.feedForward, inputRows: all, into: dOutput, in: pass)
        attention.backward(dOutput, residual: dOutput, a.attention, inputRows: inputRows, into: dInput, in: pass)
      case .parallel:
        let dResidual = pass.workspace.matrix(dOutput.rows, dOutput.columns)
        copy(dOutput, into: dResidual, on: pass.team)
        feedForward.backward(dOutput, residual: dResidual, a.feedForward, inputRows: all, into: dResidual, in: pass)
        attention.backward(dOutput, residual: dResidual, a.attention, inputRows: inputRows, into: dInput, in: pass)
      }
    }
  }
}
