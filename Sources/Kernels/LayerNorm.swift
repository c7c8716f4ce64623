/// The gain and bias of a layer norm, each of length D.
public struct NormWeights: Sendable {
  public let gain: [Float]
  public let bias: [Float]
  public let epsilon: Float

  public init(gain: [Float], bias: [Float], epsilon: Float) {
    precondition(gain.count == bias.count)
    self.gain = gain
    self.bias = bias
    self.epsilon = epsilon
  }
}

/// y = (x - mean) / sqrt(variance + epsilon) · gain + bias, row by row.
///
/// x, y: [T, D]. `statistics`: [T, 2], receives each row's mean and 1 / sqrt(variance + epsilon) for the backward.
public func layerNorm(_ x: Matrix, _ weights: NormWeights, into y: Matrix, statistics: Matrix, on team: ThreadTeam) {
  let D = x.columns
  precondition(weights.gain.count == D && y.columns == D && y.rows == x.rows, "layerNorm: shapes differ")
  precondition(statistics.rows == x.rows && statistics.columns == 2)
  withPointer(to: weights.gain) { gain in
    withPointer(to: weights.bias) { bias in
      team.rows(.layerNorm, of: x) { rows in
        let gain = gain.value, bias = bias.value
        for row in rows {
          let source = x.base + row * x.stride
          let target = y.base + row * y.stride
          let mean = sum(D, source, source) { a, _ in a } / Float(D)
          // The deviations are parked in y: a masked subtraction in the sum would count the padding lanes.
          map(D, source, into: target) { $0 - mean }
          let variance = sum(D, target, target) { a, b in a * b } / Float(D)
          let scale = 1 / (variance + weights.epsilon).squareRoot()
          statistics.base[row * statistics.stride] = mean
          statistics.base[row * statistics.stride + 1] = scale
          map(D, target, gain, into: target) { $0 * scale * $1 }
          map(D, target, bias, into: target) { $0 + $1 }
        }
      }
    }
  }
}

/// dx += scale · (g - mean(g) - x̂ · mean(g · x̂)) with g = dy · gain and x̂ = (x - mean) · scale, row by row.
///
/// x, dy, dx: [T, D]; `statistics` as `layerNorm` left it. `dy` is overwritten.
public func layerNormBackward(
  _ dy: Matrix, x: Matrix, _ weights: NormWeights, statistics: Matrix, addingTo dx: Matrix, on team: ThreadTeam
) {
  let D = x.columns
  precondition(
    dy.columns == D && dx.columns == D && dy.rows == x.rows && dx.rows == x.rows, "layerNormBackward: shapes")
  withPointer(to: weights.gain) { gain in
    team.rows(.layerNormBackward, of: x) { rows in
      let gain = gain.value
      for row in rows {
        let source = x.base + row * x.stride
        let gradient = dy.base + row * dy.stride
        let target = dx.base + row * dx.stride
        let mean = statistics.base[row * statistics.stride]
        let scale = statistics.base[row * statistics.stride + 1]
        map(D, gradient, gain, into: gradient) { $0 * $1 }
        let meanGradient = sum(D, gradient, gradient) { a, _ in a } / Float(D)
        // In padding lanes the gradient is 0, so that their deviation does not count.
        let meanProjection = sum(D, gradient, source) { g, x in g * (x - mean) } * scale / Float(D)
        map(D, gradient, source, into: gradient) { g, x in
          scale * (g - meanGradient - (x - mean) * scale * meanProjection)
        }
        map(D, target, gradient, into: target) { $0 + $1 }
      }
    }
  }
}
