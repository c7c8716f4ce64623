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

/// y = f(x + bias). x, y: [T, F]; bias: [F].
public func biasAndActivation(_ x: Matrix, bias: [Float], _ activation: Activation, into y: Matrix, on team: ThreadTeam)
{
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

/// dx = f'(x + bias) · dy, written over dy. x, dy: [T, F]; bias: [F].
public func activationBackward(_ dy: Matrix, x: Matrix, bias: [Float], _ activation: Activation, on team: ThreadTeam) {
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
