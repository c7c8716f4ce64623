/// The nonlinearity between the two products of a feed-forward layer.
public enum Activation: Sendable {
  /// x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³))), "gelu_new" and "gelu_pytorch_tanh" in Hugging Face's spelling.
  case geluTanh
  /// x · ½ (1 + erf(x / √2)), "gelu".
  case gelu
  /// max(x, 0).
  case relu
  /// x / (1 + e^-x), "silu" or "swish".
  case silu
}

/// y = f(x + bias), and x becomes x + bias, which is what the backward needs.
///
/// x, y: [T, F]; bias: [F].
public func biasAndActivation(_ x: Matrix, bias: [Float], _ activation: Activation, into y: Matrix, on team: ThreadTeam)
{
  precondition(
    x.rows == y.rows && x.columns == y.columns && bias.count == x.columns, "biasAndActivation: shapes differ")
  withPointer(to: bias) { bias in
    team.rows(.activation, of: x) { rows in
      for row in rows {
        let source = x.base + row * x.stride
        let target = y.base + row * y.stride
        map(x.columns, source, bias.value, into: source) { $0 + $1 }
        switch activation {
        case .geluTanh: map(x.columns, source, into: target, geluTanh)
        case .gelu: map(x.columns, source, into: target, gelu)
        case .relu: map(x.columns, source, into: target) { $0.replacing(with: 0, where: $0 .< 0) }
        case .silu: map(x.columns, source, into: target, silu)
        }
      }
    }
  }
}

/// dx = f'(x) · dy, written over dy.
///
/// x: [T, F] as `biasAndActivation` left it; dy: [T, F].
public func activationBackward(_ dy: Matrix, x: Matrix, _ activation: Activation, on team: ThreadTeam) {
  precondition(x.rows == dy.rows && x.columns == dy.columns, "activationBackward: shapes differ")
  team.rows(.activationBackward, of: x) { rows in
    for row in rows {
      let source = x.base + row * x.stride
      let gradient = dy.base + row * dy.stride
      switch activation {
      case .geluTanh: map(x.columns, source, gradient, into: gradient, geluTanhBackward)
      case .gelu: map(x.columns, source, gradient, into: gradient, geluBackward)
      case .relu: map(x.columns, source, gradient, into: gradient) { x, g in g.replacing(with: 0, where: x .<= 0) }
      case .silu: map(x.columns, source, gradient, into: gradient, siluBackward)
      }
    }
  }
}

@inline(always)
private func geluTanh(_ x: Vector) -> Vector {
  x * sigmoid(2 * geluArgument(x))
}

@inline(always)
private func geluTanhBackward(_ x: Vector, _ g: Vector) -> Vector {
  let s = sigmoid(2 * geluArgument(x))
  let slope = (x * x * (3 * 0.044715) + 1) * 0.7978845608
  return g * (s + x * s * (1 - s) * 2 * slope)
}

@inline(always)
private func gelu(_ x: Vector) -> Vector {
  x * normalCDF(x)
}

@inline(always)
private func geluBackward(_ x: Vector, _ g: Vector) -> Vector {
  g * (normalCDF(x) + x * 0.3989422804 * exponential(x * x * -0.5))
}

@inline(always)
private func silu(_ x: Vector) -> Vector {
  x * sigmoid(x)
}

@inline(always)
private func siluBackward(_ x: Vector, _ g: Vector) -> Vector {
  let s = sigmoid(x)
  return g * s * (1 + x * (1 - s))
}

/// √(2/π) (x + 0.044715 x³).
@inline(always)
private func geluArgument(_ x: Vector) -> Vector {
  (x + x * x * x * 0.044715) * 0.7978845608
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
