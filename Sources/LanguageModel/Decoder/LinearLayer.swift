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

  /// The part of a fused layer that computes a range of outputs.
  func outputs(_ range: Range<Int>) -> LinearLayer {
    LinearLayer(weight: weight.outputs(range), bias: bias.isEmpty ? [] : Array(bias[range]))
  }

  /// The parts of a fused layer that has all queries, then all keys, then all values.
  func queriesKeysValues(queries: Int, keys: Int) -> (query: LinearLayer, key: LinearLayer, value: LinearLayer) {
    (
      outputs(0..<queries), outputs(queries..<(queries + keys)), outputs((queries + keys)..<(queries + 2 * keys))
    )
  }

  /// The part that computes `run` of every `step` outputs, beginning with output `first`.
  func outputs(from first: Int, run: Int, ofEvery step: Int) -> LinearLayer {
    let members = stride(from: first, to: bias.count, by: step).flatMap { bias[$0..<($0 + run)] }
    return LinearLayer(weight: weight.outputs(from: first, run: run, ofEvery: step), bias: members)
  }

  /// y = x W + b. y: [T, outputs].
  func forward(_ x: Matrix, into y: Matrix, on team: ThreadTeam) {
    linear(x, weight, into: y, on: team)
    addBias(bias, to: y, on: team)
  }

  /// y = base + x W + b; without a base, x W + b. base, y: [T, outputs]; they may be the same matrix.
  func forward(_ x: Matrix, addingTo base: Matrix?, into y: Matrix, on team: ThreadTeam) {
    guard let base else { return forward(x, into: y, on: team) }
    copyAddingBias(base, bias, into: y, on: team)
    linear(x, weight, into: y, accumulating: true, on: team)
  }

  /// dx = dy Wᵀ. dy: [T, outputs], dx: [T, inputs].
  func backward(_ dy: Matrix, into dx: Matrix, on team: ThreadTeam) {
    linearBackward(dy, weight, into: dx, on: team)
  }
}
