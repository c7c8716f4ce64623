import Kernels

/// The feed-forward half of a block: F(x) = down(f(up(x))), or with a gate, down(f(gate(x)) · up(x)).
package struct FeedForward: Sendable {
  /// nil: no gate.
  package let gate: LinearLayer?
  package let up: LinearLayer
  package let down: LinearLayer
  package let activation: Activation

  package init(gate: LinearLayer? = nil, up: LinearLayer, down: LinearLayer, activation: Activation) {
    self.gate = gate
    self.up = up
    self.down = down
    self.activation = activation
  }
}

/// The activations of a feed-forward that its backward needs: its products before the activation function.
struct FeedForwardActivations {
  let gates: Matrix?  // [R, F], with the bias
  let ups: Matrix  // [R, F], with the bias if there is a gate

  /// Columns of one matrix, so that one product computes them.
  init(_ body: FeedForward, rows R: Int, in workspace: Workspace) {
    let F = body.up.weight.outputs, G = body.gate?.weight.outputs ?? 0
    let both = workspace.matrix(R, G + F)
    gates = body.gate == nil ? nil : both.columns(0..<G)
    ups = both.columns(G..<(G + F))
  }
}

extension FeedForward: SublayerBody {
  var layers: [LinearLayer] { [gate, up, down].compactMap { $0 } }
  var norms: [NormWeights] { [] }

  func activations(rows: QueryRows, of N: Int, in workspace: Workspace) -> FeedForwardActivations {
    FeedForwardActivations(self, rows: N, in: workspace)
  }

  func forward(
    _ x: Matrix, _ a: FeedForwardActivations, rows: QueryRows, addingTo base: Matrix?, into target: Matrix?,
    in pass: LayerPass
  ) {
    let team = pass.team
    if let gate, let gates = a.gates {
      linear(x, [(gate.weight, gates), (up.weight, a.ups)], on: team)
      addBias(gate.bias, to: gates, on: team)
      addBias(up.bias, to: a.ups, on: team)
    } else {
      linear(x, up.weight, into: a.ups, on: team)
    }
    guard let target else { return }
    let activated = pass.workspace.matrix(x.rows, up.weight.outputs)
    if let gates = a.gates {
      gatedActivation(gate: gates, a.ups, activation, into: activated, on: team)
    } else {
      biasAndActivation(a.ups, bias: up.bias, activation, into: activated, on: team)
    }
    down.forward(activated, addingTo: base, into: target, on: team)
  }

  func backward(
    _ d: Matrix, _ a: FeedForwardActivations, rows: QueryRows, inputRows: Range<Int>, in pass: LayerPass
  ) -> Matrix? {
    precondition(inputRows == 0..<d.rows, "a feed-forward's backward is of all rows")
    let workspace = pass.workspace, team = pass.team
    let dx = workspace.matrix(d.rows, d.columns)
    workspace.scoped {
      let dActivated = workspace.matrix(d.rows, up.weight.outputs)
      down.backward(d, into: dActivated, on: team)
      if let gate, let gates = a.gates {
        let products = FeedForwardActivations(self, rows: d.rows, in: workspace)
        guard let dGates = products.gates else { preconditionFailure("a gate has products") }
        gatedActivationBackward(dActivated, gate: gates, a.ups, activation, dGate: dGates, dx: products.ups, on: team)
        linearBackward([(gate.weight, dGates), (up.weight, products.ups)], into: dx, on: team)
      } else {
        activationBackward(dActivated, x: a.ups, bias: up.bias, activation, on: team)
        up.backward(dActivated, into: dx, on: team)
      }
    }
    return dx
  }
}
