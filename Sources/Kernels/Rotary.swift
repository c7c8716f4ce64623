import Glibc

/// Rotary position embedding: pairs of a head's numbers, rotated by an angle that grows with the position.
///
/// Source: RoFormer (arXiv 2104.09864).
package struct Rotary: Sendable, Equatable {
  /// How a head's numbers form pairs.
  package enum Pairing: Sendable {
    /// i and i + size / 2, as in GPT-NeoX and Llama.
    case halves
    /// 2i and 2i + 1, as in GPT-J.
    case neighbours
  }

  /// Radians per position, for each pair.
  package let inverseFrequencies: [Float]
  package let pairing: Pairing
  /// The factor on sines and cosines: the attention factor of YaRN and LongRoPE.
  package let factor: Float

  package init(inverseFrequencies: [Float], pairing: Pairing, factor: Float = 1) {
    self.inverseFrequencies = inverseFrequencies
    self.pairing = pairing
    self.factor = factor
  }

  /// The plain embedding.
  package init(theta: Double, size: Int, pairing: Pairing) {
    self.init(inverseFrequencies: Self.frequencies(theta: theta, size: size), pairing: pairing)
  }

  /// θ^(-2i / size) radians per position for pair i, with the exponent, the power and its inverse rounded to float32 as
  /// transformers does: the angles of far positions depend on it.
  package static func frequencies(theta: Double, size: Int) -> [Float] {
    (0..<(size / 2)).map { 1 / Float(pow(theta, Double(Float(2 * $0) / Float(size)))) }
  }

  /// Number of rotated numbers at the start of a head; the others are unchanged.
  var size: Int { 2 * inverseFrequencies.count }
}

/// Cosines and sines for some rows, each [T, size / 2], and their rotary embedding.
package struct RotaryAngles: Sendable {
  let rotary: Rotary
  let cosines: Matrix
  let sines: Matrix

  /// The angles at these positions, computed in float32 like transformers.
  package init(_ rotary: Rotary, positions: [Int], in workspace: Workspace, on team: ThreadTeam) {
    let count = rotary.inverseFrequencies.count
    let cosines = workspace.matrix(positions.count, count), sines = workspace.matrix(positions.count, count)
    self.rotary = rotary
    self.cosines = cosines
    self.sines = sines
    team.rows(.rotary, of: cosines) { rows in
      for row in rows {
        for (i, frequency) in rotary.inverseFrequencies.enumerated() {
          let angle = Float(positions[row]) * frequency
          cosines.base[row * cosines.stride + i] = cosf(angle) * rotary.factor
          sines.base[row * sines.stride + i] = sinf(angle) * rotary.factor
        }
      }
    }
  }
}

/// Rotates every head of x in place: (a, b) becomes (a cos - b sin, b cos + a sin). x: [T, heads · headSize].
package func rotate(_ x: Matrix, headSize: Int, by angles: RotaryAngles, on team: ThreadTeam) {
  turn(.rotary, x, headSize, angles, sign: 1, on: team)
}

/// The gradient of `rotate`, in place: the rotation by the opposite angle (times the same factor).
package func rotateBackward(_ dx: Matrix, headSize: Int, by angles: RotaryAngles, on team: ThreadTeam) {
  turn(.rotary, dx, headSize, angles, sign: -1, on: team)
}

private func turn(
  _ operation: Profile.Operation, _ x: Matrix, _ headSize: Int, _ angles: RotaryAngles, sign: Float,
  on team: ThreadTeam
) {
  let pairs = angles.rotary.inverseFrequencies.count
  precondition(x.columns % headSize == 0 && 2 * pairs <= headSize && angles.cosines.rows == x.rows, "rotate: shapes")
  team.rows(operation, of: x) { rows in
    for row in rows {
      let cosines = angles.cosines.base + row * angles.cosines.stride
      let sines = angles.sines.base + row * angles.sines.stride
      for head in 0..<(x.columns / headSize) {
        let place = x.base + row * x.stride + head * headSize
        switch angles.rotary.pairing {
        case .halves: turnPairs(place, place + pairs, step: 1, cosines, sines, sign, count: pairs)
        case .neighbours: turnPairs(place, place + 1, step: 2, cosines, sines, sign, count: pairs)
        }
      }
    }
  }
}

@inline(always)
private func turnPairs(
  _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>, step: Int,
  _ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>, _ sign: Float, count: Int
) {
  var i = 0
  while step == 1, i + vectorWidth <= count {
    let a = load(first + i), b = load(second + i), c = load(cosines + i), s = load(sines + i) * sign
    store(a * c - b * s, first + i)
    store(b * c + a * s, second + i)
    i += vectorWidth
  }
  while i < count {
    let a = first[i * step], b = second[i * step], c = cosines[i], s = sines[i] * sign
    first[i * step] = a * c - b * s
    second[i * step] = b * c + a * s
    i += 1
  }
}
