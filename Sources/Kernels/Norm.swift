/// The weights of a layer norm or an RMS norm over D numbers.
package struct NormWeights: Sendable {
  package enum Kind: Sendable {
    /// (x - mean) / sqrt(variance + epsilon) · gain + bias.
    case layer
    /// x / sqrt(mean(x²) + epsilon) · gain.
    case rootMeanSquare
  }

  package let kind: Kind
  /// [D].
  package let gain: [Float]
  /// [D]; empty: none.
  package let bias: [Float]
  package let epsilon: Float

  package init(_ kind: Kind = .layer, gain: [Float], bias: [Float] = [], epsilon: Float) {
    precondition(bias.isEmpty || gain.count == bias.count)
    self.kind = kind
    self.gain = gain
    self.bias = bias
    self.epsilon = epsilon
  }

  /// Whether both are the same norm, not two norms with equal numbers.
  package func isSame(as other: NormWeights) -> Bool {
    gain.withUnsafeBufferPointer { mine in
      other.gain.withUnsafeBufferPointer { mine.baseAddress == $0.baseAddress }
    }
  }
}

/// y = norm(x), each row in groups of D numbers: one group for hidden states, one per head for queries and keys.
///
/// x, y: [T, G · D]. `statistics`: [T, 2 · G], receives each group's mean (0 for RMS) and the factor
/// 1 / sqrt(variance + epsilon) for the backward.
package func norm(_ x: Matrix, _ weights: NormWeights, into y: Matrix, statistics: Matrix, on team: ThreadTeam) {
  let D = weights.gain.count
  precondition(x.columns % D == 0 && y.columns == x.columns && y.rows == x.rows, "norm: shapes differ")
  precondition(statistics.rows == x.rows && statistics.columns == 2 * (x.columns / D))
  withPointer(to: weights.gain) { gain in
    team.rows(.norm, of: x) { rows in
      for row in rows {
        for group in 0..<(x.columns / D) {
          let source = x.base + row * x.stride + group * D
          let target = y.base + row * y.stride + group * D
          let mean = weights.kind == .layer ? sum(D, source, source) { a, _ in a } / Float(D) : 0
          // The deviations are stored in y: a masked subtraction in the sum would count the padding lanes.
          map(D, source, into: target) { $0 - mean }
          let variance = sum(D, target, target) { a, b in a * b } / Float(D)
          let scale = 1 / (variance + weights.epsilon).squareRoot()
          let place = statistics.base + row * statistics.stride + 2 * group
          place[0] = mean
          place[1] = scale
          map(D, target, gain.value, into: target) { $0 * scale * $1 }
          if !weights.bias.isEmpty {
            weights.bias.withUnsafeBufferPointer { bias in
              if let bias = bias.baseAddress { map(D, target, bias, into: target) { $0 + $1 } }
            }
          }
        }
      }
    }
  }
}

/// dx += scale · (g - mean(g) - x̂ · mean(g · x̂)) with g = dy · gain and x̂ = (x - mean) · scale, group by group; for RMS
/// without the mean of g.
///
/// x, dy, dx: [T, G · D]; `statistics` as `norm` left it. `dy` is overwritten.
package func normBackward(
  _ dy: Matrix, x: Matrix, _ weights: NormWeights, statistics: Matrix, addingTo dx: Matrix, on team: ThreadTeam
) {
  let D = weights.gain.count
  precondition(
    x.columns % D == 0 && dy.columns == x.columns && dx.columns == x.columns && dy.rows == x.rows && dx.rows == x.rows,
    "normBackward: shapes differ")
  withPointer(to: weights.gain) { gain in
    team.rows(.normBackward, of: x) { rows in
      for row in rows {
        for group in 0..<(x.columns / D) {
          let source = x.base + row * x.stride + group * D
          let gradient = dy.base + row * dy.stride + group * D
          let target = dx.base + row * dx.stride + group * D
          let place = statistics.base + row * statistics.stride + 2 * group
          let mean = place[0], scale = place[1]
          map(D, gradient, gain.value, into: gradient) { $0 * $1 }
          let meanGradient = weights.kind == .layer ? sum(D, gradient, gradient) { a, _ in a } / Float(D) : 0
          // In padding lanes the gradient is 0, so their deviation does not count.
          let meanProjection = sum(D, gradient, source) { g, x in g * (x - mean) } * scale / Float(D)
          map(D, gradient, source, into: gradient) { g, x in
            scale * (g - meanGradient - (x - mean) * scale * meanProjection)
          }
          map(D, target, gradient, into: target) { $0 + $1 }
        }
      }
    }
  }
}
