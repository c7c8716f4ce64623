/// The optimisers, with Hugging Face's names.
package enum OptimizerKind: String, CaseIterable, Sendable {
  case adamW = "adamw"
  case sgd
}

/// An optimiser over one vector of parameters, with its state.
///
/// AdamW equals torch.optim.AdamW (betas 0.9 and 0.999, epsilon 1e-8, decoupled weight decay, bias correction); SGD
/// equals torch.optim.SGD without momentum.
package struct Optimizer: Sendable {
  package let kind: OptimizerKind
  let weightDecay: Double
  /// m, running mean of gradients; empty for SGD.
  package var firstMoment: [Float]
  /// v, running mean of squared gradients; empty for SGD.
  package var secondMoment: [Float]
  /// t, number of steps taken.
  package var step = 0

  static let beta1 = 0.9
  static let beta2 = 0.999
  static let epsilon = 1e-8

  package init(kind: OptimizerKind, weightDecay: Double, count: Int) {
    self.kind = kind
    self.weightDecay = weightDecay
    let moments = [Float](repeating: 0, count: kind == .adamW ? count : 0)
    firstMoment = moments
    secondMoment = moments
  }

  /// One step along a gradient.
  ///
  /// AdamW: θ ← θ (1 - η λ); m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²;
  /// θ ← θ - η / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε).
  package mutating func update(_ parameters: inout [Float], gradient: [Float], learningRate: Double) {
    precondition(parameters.count == gradient.count)
    step += 1
    switch kind {
    case .sgd:
      let rate = Float(learningRate), decay = Float(weightDecay)
      for i in parameters.indices { parameters[i] -= rate * (gradient[i] + decay * parameters[i]) }
    case .adamW:
      let keep = Float(1 - learningRate * weightDecay)
      let beta1 = Float(Self.beta1), beta2 = Float(Self.beta2), epsilon = Float(Self.epsilon)
      let take1 = Float(1 - Self.beta1), take2 = Float(1 - Self.beta2)
      let stepSize = Float(learningRate / (1 - power(Self.beta1, step)))
      let secondScale = Float((1 - power(Self.beta2, step)).squareRoot())
      for i in parameters.indices {
        let g = gradient[i]
        let m = beta1 * firstMoment[i] + take1 * g
        let v = beta2 * secondMoment[i] + take2 * (g * g)
        firstMoment[i] = m
        secondMoment[i] = v
        parameters[i] = parameters[i] * keep - stepSize * m / (v.squareRoot() / secondScale + epsilon)
      }
    }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    for _ in 0..<exponent { result *= base }
    return result
  }
}

/// Scales a gradient down to a maximum norm, like torch's `clip_grad_norm_`, and returns its norm before.
package func clip(_ gradient: inout [Float], toNorm limit: Double?) -> Double {
  let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  if let limit, norm.isFinite {
    let scale = Float(min(1, limit / (norm + 1e-6)))
    if scale < 1 { for i in gradient.indices { gradient[i] *= scale } }
  }
  return norm
}
