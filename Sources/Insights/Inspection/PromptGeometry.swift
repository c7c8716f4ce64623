import Glibc
import Kernels
import Method

/// How training has moved a prompt: the distance of each kind of token, and the number of directions of all.
package struct PromptGeometry: Sendable {
  /// The distances that the tokens of one role have moved.
  package struct Drift: Sendable {
    package let role: TokenRole
    package let tokens: Int
    /// Radius of the role's balls; nil for a role that is not trained, cannot move, or is unbounded.
    package let radius: Double?
    /// Mean and maximum of ‖delta‖.
    package let mean: Double
    package let largest: Double
    /// Tokens on the surface of their ball: within `surfaceTolerance` of its radius.
    package let onSurface: Int
    /// Tokens farther out, or moved although they are not trained; training never leaves any.
    package let outside: Int

    /// Mean distance as a share of the radius.
    package var shareOfRadius: Double? { radius.map { mean / $0 } }
  }

  /// The tolerance for a token on the surface, as a share of its radius: embeddings are stored as e0 + delta, which
  /// rounds delta.
  package static let surfaceTolerance = 1e-3

  /// The roles that occur, in the order of `TokenRole`.
  package let drifts: [Drift]
  /// The singular values of delta, [tokens, width], descending; min(tokens, width) of them.
  package let singularValues: [Float]

  /// Measures a prompt; nil when it holds a non-finite number.
  package init?(_ prompt: TunedPrompt) {
    let delta = Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.delta)
    guard let decomposition = SingularValueDecomposition(of: delta) else { return nil }
    singularValues = decomposition.values
    let roles = prompt.context.tokens.types.map(TokenRole.init(type:))
    let distances = prompt.distances.map(Double.init)
    drifts = TokenRole.allCases.compactMap { role in
      let members = roles.indices.filter { roles[$0] == role }
      guard let first = members.first else { return nil }
      let limit = Double(prompt.radii[first]), moved = members.map { distances[$0] }
      return Drift(
        role: role, tokens: members.count, radius: prompt.radius(ofToken: first).flatMap { $0 > 0 ? $0 : nil },
        mean: moved.reduce(0, +) / Double(moved.count), largest: moved.max() ?? 0,
        onSurface: role.isTrained ? moved.count { abs($0 / limit - 1) <= Self.surfaceTolerance } : 0,
        outside: moved.count { $0 > limit * (1 + Self.surfaceTolerance) })
    }
  }

  /// The effective rank of delta: exp(-Σ p log p), p = σ / Σ σ; 0 for a prompt that has not moved.
  ///
  /// Source: Roy and Vetterli 2007, "The effective rank".
  package var effectiveRank: Double {
    let sum = singularValues.reduce(0.0) { $0 + Double($1) }
    guard sum > 0 else { return 0 }
    return exp(
      -singularValues.reduce(0.0) { entropy, value in
        let share = Double(value) / sum
        return share > 0 ? entropy + share * log(share) : entropy
      })
  }
}

extension TunedPrompt {
  /// The radius of a token's ball; nil for a token that is not trained or is unbounded.
  func radius(ofToken position: Int) -> Double? {
    let role = TokenRole(type: context.tokens.types[position]), radius = radii[position]
    let isBounded = radius < ProjectionRadii.unbounded.radius(of: role, width: width)
    return role.isTrained && isBounded ? Double(radius) : nil
  }
}
