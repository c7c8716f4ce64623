/// The activation function between the two products of a feed-forward layer.
package enum Activation: Sendable {
  /// x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³))), Hugging Face's "gelu_new" and "gelu_pytorch_tanh".
  case geluTanh
  /// x · ½ (1 + erf(x / √2)), "gelu".
  case gelu
  /// max(x, 0).
  case relu
  /// x / (1 + e^-x), "silu" or "swish".
  case silu
}

/// y = f(x + bias). x, y: [T, F]; bias: [F], or empty for none.
package func biasAndActivation(
  _ x: Matrix, bias: [Float], _ activation: Activation, into y: Matrix, on team: ThreadTeam
) {
  let bias = bias.isEmpty ? [Float](repeating: 0, count: x.columns) : bias
  precondition(
    x.rows == y.rows && x.columns == y.columns && bias.count == x.columns, "biasAndActivation: shapes differ")
  withPointer(to: bias) { bias in
    team.rows(.activation, of: x) { rows in
      for row in rows {
        let source = x.base + row * x.stride
        let target = y.base + row * y.stride
        switch activation {
        case .geluTanh: map(x.columns, source, bias.value, into: target, geluTanh)
        case .gelu: map(x.columns, source, bias.value, into: target, gelu)
        case .relu: map(x.columns, source, bias.value, into: target, relu)
        case .silu: map(x.columns, source, bias.value, into: target, silu)
        }
      }
    }
  }
}

/// dx = f'(x + bias) · dy, in place in dy. x, dy: [T, F]; bias: [F], or empty for none.
package func activationBackward(_ dy: Matrix, x: Matrix, bias: [Float], _ activation: Activation, on team: ThreadTeam) {
  let bias = bias.isEmpty ? [Float](repeating: 0, count: x.columns) : bias
  precondition(
    x.rows == dy.rows && x.columns == dy.columns && bias.count == x.columns, "activationBackward: shapes differ")
  withPointer(to: bias) { bias in
    team.rows(.activationBackward, of: x) { rows in
      for row in rows {
        let source = x.base + row * x.stride
        let gradient = dy.base + row * dy.stride
        switch activation {
        case .geluTanh: map(x.columns, source, bias.value, gradient, into: gradient, geluTanhBackward)
        case .gelu: map(x.columns, source, bias.value, gradient, into: gradient, geluBackward)
        case .relu: map(x.columns, source, bias.value, gradient, into: gradient, reluBackward)
        case .silu: map(x.columns, source, bias.value, gradient, into: gradient, siluBackward)
        }
      }
    }
  }
}

/// y = f(gate) · x, the middle of a gated feed-forward layer. gate, x, y: [T, F].
package func gatedActivation(
  gate: Matrix, _ x: Matrix, _ activation: Activation, into y: Matrix, on team: ThreadTeam
) {
  precondition(gate.rows == x.rows && x.rows == y.rows && gate.columns == x.columns && x.columns == y.columns)
  team.rows(.activation, of: x) { rows in
    for row in rows {
      let gates = gate.base + row * gate.stride
      let source = x.base + row * x.stride
      let target = y.base + row * y.stride
      switch activation {
      case .geluTanh: map(x.columns, gates, source, into: target) { geluTanh($0, .zero) * $1 }
      case .gelu: map(x.columns, gates, source, into: target) { gelu($0, .zero) * $1 }
      case .relu: map(x.columns, gates, source, into: target) { relu($0, .zero) * $1 }
      case .silu: map(x.columns, gates, source, into: target) { silu($0, .zero) * $1 }
      }
    }
  }
}

/// dGate = f'(gate) · x · dy and dx = f(gate) · dy. All: [T, F].
package func gatedActivationBackward(
  _ dy: Matrix, gate: Matrix, _ x: Matrix, _ activation: Activation, dGate: Matrix, dx: Matrix, on team: ThreadTeam
) {
  precondition(gate.rows == x.rows && x.rows == dy.rows && gate.columns == x.columns && x.columns == dy.columns)
  precondition(dGate.rows == x.rows && dx.rows == x.rows && dGate.columns == x.columns && dx.columns == x.columns)
  team.rows(.activationBackward, of: x) { rows in
    for row in rows {
      let gates = gate.base + row * gate.stride
      let source = x.base + row * x.stride
      let gradient = dy.base + row * dy.stride
      let gateTarget = dGate.base + row * dGate.stride
      let target = dx.base + row * dx.stride
      switch activation {
      case .geluTanh:
        map(x.columns, gates, gradient, into: target) { geluTanh($0, .zero) * $1 }
        map(x.columns, gates, source, gradient, into: gateTarget) { geluTanhBackward($0, .zero, $1 * $2) }
      case .gelu:
        map(x.columns, gates, gradient, into: target) { gelu($0, .zero) * $1 }
        map(x.columns, gates, source, gradient, into: gateTarget) { geluBackward($0, .zero, $1 * $2) }
      case .relu:
        map(x.columns, gates, gradient, into: target) { relu($0, .zero) * $1 }
        map(x.columns, gates, source, gradient, into: gateTarget) { reluBackward($0, .zero, $1 * $2) }
      case .silu:
        map(x.columns, gates, gradient, into: target) { silu($0, .zero) * $1 }
        map(x.columns, gates, source, gradient, into: gateTarget) { siluBackward($0, .zero, $1 * $2) }
      }
    }
  }
}

/// x = cap · tanh(x / cap), in place: Gemma 2's bound on logits. x: [T, V].
package func softCap(_ x: Matrix, at cap: Float, on team: ThreadTeam) {
  team.rows(.activation, of: x) { rows in
    for row in rows { capped(x.columns, x.base + row * x.stride, at: cap) }
  }
}

/// dx = (1 - (y / cap)²) · dy, in place in dy; y holds the capped numbers. y, dy: [T, V].
package func softCapBackward(_ dy: Matrix, capped y: Matrix, at cap: Float, on team: ThreadTeam) {
  precondition(dy.rows == y.rows && dy.columns == y.columns, "softCapBackward: shapes differ")
  team.rows(.activationBackward, of: dy) { rows in
    for row in rows {
      let place = dy.base + row * dy.stride
      map(dy.columns, place, y.base + row * y.stride, into: place) { $0 * capSlope($1, cap) }
    }
  }
}

/// Caps numbers in place.
func capped(_ count: Int, _ x: UnsafeMutablePointer<Float>, at cap: Float) {
  map(count, x, into: x) { cap * (2 * sigmoid($0 * (2 / cap)) - 1) }
}

/// The derivative of a cap at a number whose capped value is y.
@inline(always)
func capSlope(_ y: Vector, _ cap: Float) -> Vector {
  1 - (y / cap) * (y / cap)
}

@inline(always)
private func geluTanh(_ x: Vector, _ bias: Vector) -> Vector {
  let x = x + bias
  return x * sigmoid(2 * geluArgument(x))
}

@inline(always)
private func geluTanhBackward(_ x: Vector, _ bias: Vector, _ g: Vector) -> Vector {
  let x = x + bias
  let s = sigmoid(2 * geluArgument(x))
  let slope = multiplyAdd(x * x, Vector(repeating: 3 * 0.044715), Vector(repeating: 1)) * 0.7978845608
  return g * multiplyAdd(x * s * (1 - s), 2 * slope, s)
}

@inline(always)
private func gelu(_ x: Vector, _ bias: Vector) -> Vector {
  let x = x + bias
  return x * normalCDF(x)
}

@inline(always)
private func geluBackward(_ x: Vector, _ bias: Vector, _ g: Vector) -> Vector {
  let x = x + bias
  return g * (normalCDF(x) + x * 0.3989422804 * exponential(x * x * -0.5))
}

@inline(always)
private func relu(_ x: Vector, _ bias: Vector) -> Vector {
  let x = x + bias
  return x.replacing(with: 0, where: x .< 0)
}

@inline(always)
private func reluBackward(_ x: Vector, _ bias: Vector, _ g: Vector) -> Vector {
  g.replacing(with: 0, where: x + bias .<= 0)
}

@inline(always)
private func silu(_ x: Vector, _ bias: Vector) -> Vector {
  let x = x + bias
  return x * sigmoid(x)
}

@inline(always)
private func siluBackward(_ x: Vector, _ bias: Vector, _ g: Vector) -> Vector {
  let x = x + bias
  let s = sigmoid(x)
  return g * s * (1 + x * (1 - s))
}

/// √(2/π) (x + 0.044715 x³).
@inline(always)
private func geluArgument(_ x: Vector) -> Vector {
  multiplyAdd(x * x * x, Vector(repeating: 0.044715), x) * 0.7978845608
}

/// ½ (1 + erf(x / √2)), absolute error below 2e-7 (Abramowitz and Stegun 7.1.26).
@inline(always)
private func normalCDF(_ x: Vector) -> Vector {
  let z = x * 0.70710678
  let magnitude = z.replacing(with: -z, where: z .< 0)
  let t = 1 / (magnitude * 0.3275911 + 1)
  var p = t * 1.061405429 - 1.453152027
  p = p * t + 1.421413741
  p = p * t - 0.284496736
  p = p * t + 0.254829592
  let tail = p * t * exponential(-(z * z)) * 0.5
  return (1 - tail).replacing(with: tail, where: z .< 0)
}
