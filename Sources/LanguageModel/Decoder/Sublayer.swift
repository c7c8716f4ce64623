import Collectives
import Kernels

/// The computation of a sublayer between its norms: attention or feed-forward.
protocol SublayerBody: Sendable {
  /// The activations that its backward needs.
  associatedtype Activations
  /// Its linear layers.
  var layers: [LinearLayer] { get }
  /// Its own norms.
  var norms: [NormWeights] { get }

  /// Memory for these activations.
  func activations(rows: QueryRows, of N: Int, in workspace: Workspace) -> Activations

  /// target = base + B(x); without a base, B(x); without a target, only `a` is computed.
  ///
  /// x: [N, D]; base, target: [R, D], of the query rows.
  func forward(
    _ x: Matrix, _ a: Activations, rows: QueryRows, addingTo base: Matrix?, into target: Matrix?, in pass: LayerPass)

  /// The gradient with respect to some rows of x, [inputRows.count, D], in a matrix of the workspace; nil if
  /// `inputRows` is empty. d: [R, D], only read.
  func backward(
    _ d: Matrix, _ a: Activations, rows: QueryRows, inputRows: Range<Int>, in pass: LayerPass
  ) -> Matrix?
}

/// Everything that a pass through a layer needs besides the hidden states.
struct LayerPass {
  let workspace: Workspace
  let team: ThreadTeam
  /// Keys and values of the prefix, which all rows see.
  var prefix: KeysAndValues?
  /// For a backward: gradients of the first rows' keys and values from packs that continue them.
  var laterGradients: KeysAndValues?
  /// For a backward: receives, by addition, the gradient of the prefix.
  var prefixGradients: KeysAndValues?
}

/// One half of a block: norm before → body → norm after, and how its result is added to the hidden states.
package struct Sublayer<Body: Sendable>: Sendable {
  /// How the body's result is added. n: the norm before, m: the norm after, B: the body.
  package enum Join: Sendable {
    /// y = x + m(B(n(x))).
    case input
    /// y = n(x) + m(B(n(x))): BLOOM's `apply_residual_connection_post_layernorm`.
    case normedInput
    /// y = m(x + B(n(x))): OPT's `do_layer_norm_before: false`.
    case beforeNorm
  }

  /// nil: the body reads the hidden states directly.
  package let normBefore: NormWeights?
  package let body: Body
  /// nil: none.
  package let normAfter: NormWeights?
  package let join: Join
  /// The ranks that each have a part of the body: the body's result, and the gradient of what it reads, are the sums of
  /// theirs.
  package let ranks: any Communicator

  package init(
    normBefore: NormWeights? = nil, _ body: Body, normAfter: NormWeights? = nil, joining join: Join = .input,
    over ranks: any Communicator = SoleRank.only
  ) {
    precondition(join != .beforeNorm || normAfter != nil, "a normalised sum needs a norm")
    self.normBefore = normBefore
    self.body = body
    self.normAfter = normAfter
    self.join = join
    self.ranks = ranks
  }
}

/// The activations of a sublayer that its backward needs.
struct SublayerActivations<Body: SublayerBody> {
  let input: Matrix  // [N, D]
  /// The R rows of the input that have an output.
  let rows: QueryRows
  let before: NormActivations?  // of the input
  let body: Body.Activations
  let after: NormActivations?  // of the body's result or of the sum, whichever is normalised: [R, D]

  init(_ sublayer: Sublayer<Body>, input: Matrix, rows: QueryRows, in workspace: Workspace) {
    self.input = input
    self.rows = rows
    before = sublayer.normBefore.map { NormActivations($0, of: input, in: workspace) }
    body = sublayer.body.activations(rows: rows, of: input.rows, in: workspace)
    after = sublayer.normAfter.map {
      NormActivations($0, of: workspace.matrix(rows.count, input.columns), in: workspace)
    }
  }
}

extension Sublayer where Body: SublayerBody {
  /// Writes y for the query rows, [R, D]; without a target, only `a` is computed.
  ///
  /// `given`: the residual to add to, [R, D], instead of the one `join` selects.
  func forward(
    _ a: SublayerActivations<Body>, addingTo given: Matrix? = nil, into target: Matrix?, in pass: LayerPass
  ) {
    let workspace = pass.workspace, team = pass.team
    workspace.scoped {
      let read = a.before?.forward(in: workspace, on: team) ?? a.input
      let base = given ?? a.rows.gathered(join == .normedInput ? read : a.input, in: workspace, on: team)
      guard let after = a.after else {
        return runBody(read, a, addingTo: base, into: target, in: pass)
      }
      if join == .beforeNorm {
        runBody(read, a, addingTo: base, into: after.x, in: pass)
        // Also without a target: the backward needs the norm's statistics.
        after.forward(into: target ?? workspace.matrix(after.x.rows, after.x.columns), on: team)
      } else {
        runBody(read, a, addingTo: nil, into: after.x, in: pass)
        let result = after.forward(in: workspace, on: team)
        guard let target else { return }
        copy(base, into: target, on: team)
        add(result, to: target, on: team)
      }
    }
  }

  /// target = base + B(x), of all ranks; the first adds the base.
  private func runBody(
    _ x: Matrix, _ a: SublayerActivations<Body>, addingTo base: Matrix?, into target: Matrix?, in pass: LayerPass
  ) {
    body.forward(
      x, a.body, rows: a.rows, addingTo: ranks.rank == 0 ? base : nil, into: target, in: pass)
    if let target { sum(target, over: ranks, on: pass.team) }
  }

  /// The gradient of `forward` with respect to some rows of its input.
  ///
  /// - Parameters:
  ///   - dSum: the gradient of y, [R, D]; overwritten.
  ///   - residual: the gradient of the residual, [R, D]; may be the same matrix as `dSum`.
  ///   - a: the activations of the forward.
  ///   - inputRows: the requested rows.
  ///   - dInput: [N, D]; the requested rows are written; may be the same matrix as `residual`.
  ///   - pass: the other inputs, and the gradients of keys and values.
  func backward(
    _ dSum: Matrix, residual: Matrix, _ a: SublayerActivations<Body>, inputRows: Range<Int>, into dInput: Matrix,
    in pass: LayerPass
  ) {
    let team = pass.team
    pass.workspace.scoped {
      var dResult = dSum, dBase = residual
      if let after = a.after {
        if join == .beforeNorm {
          dResult = after.backward(dSum, in: pass.workspace, on: team)
          dBase = dResult
        } else {
          // The norm's backward overwrites its input, which the residual may still need.
          let dNormed = pass.workspace.matrix(dSum.rows, dSum.columns)
          copy(dSum, into: dNormed, on: team)
          dResult = after.backward(dNormed, in: pass.workspace, on: team)
        }
      }
      guard let dRead = body.backward(dResult, a.body, rows: a.rows, inputRows: inputRows, in: pass) else { return }
      sum(dRead, over: ranks, on: team)
      let dInput = dInput.rows(inputRows)
      a.rows.scatter(dBase, inputRows, into: dInput, on: team)
      guard let before = a.before?.rows(inputRows) else { return add(dRead, to: dInput, on: team) }
      if join == .normedInput {
        // The norm's output is also the residual.
        add(dInput, to: dRead, on: team)
        fill(dInput, with: 0, on: team)
      }
      before.backward(dRead, addingTo: dInput, on: team)
    }
  }
}
