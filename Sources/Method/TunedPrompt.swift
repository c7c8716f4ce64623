import LanguageModel

/// How far a token may move: `opt_projection_epsilon` and `opt_projection_format_epsilon`.
package struct ProjectionRadii: Sendable, Equatable {
  package var input: Double
  package var format: Double

  package init(input: Double = 0.1, format: Double = 0.1) {
    self.input = input
    self.format = format
  }

  /// Infinite balls.
  package static let unbounded = ProjectionRadii(input: 1e30, format: 1e30)

  /// Radius of a token's ball: its epsilon · sqrt(width / 2048), infinite if it is unbounded; 1e-10 for fixed tokens.
  package func radius(of role: TokenRole, width: Int) -> Float {
    let scale = (Float(width) / 2048).squareRoot()
    switch role {
    case .input: return input < Self.unbounded.input ? Float(input) * scale : .infinity
    case .inputTemplate, .outputTemplate: return format < Self.unbounded.format ? Float(format) * scale : .infinity
    case .none, .label: return 1e-10
    }
  }
}

/// The prompt being tuned: e0 + delta, with every row of delta inside its ball.
///
/// e0, delta: [tokens, width], row by row. e0 holds the model's embeddings of the context's tokens and never changes.
package struct TunedPrompt: Sendable {
  package let context: Context
  package let width: Int
  package let initial: [Float]
  package var delta: [Float]
  /// Radius of each token's ball.
  package let radii: [Float]

  package init(context: Context, initial: [Float], delta: [Float]? = nil, radii: ProjectionRadii, width: Int) {
    precondition(initial.count == context.count * width && delta?.count ?? initial.count == initial.count)
    self.context = context
    self.width = width
    self.initial = initial
    self.delta = delta ?? [Float](repeating: 0, count: initial.count)
    self.radii = context.tokens.types.map { radii.radius(of: TokenRole(type: $0), width: width) }
  }

  /// The untrained prompt of a context: delta = 0.
  package init(context: Context, decoder: Decoder, radii: ProjectionRadii) {
    self.init(
      context: context, initial: decoder.embedding.rows(of: context.tokens.ids), radii: radii, width: decoder.width)
  }

  /// The numbers that training changes: those of the rows that may move.
  package var trainedCount: Int { context.tokens.types.count { TokenRole(type: $0).isTrained } * width }

  /// e0 + delta.
  package var embeddings: [Float] { zip(initial, delta).map { $0 + $1 } }

  /// ‖delta‖ of each token.
  package var distances: [Float] {
    radii.indices.map { row in
      Float(delta[rowRange(row)].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
  }

  private func rowRange(_ row: Int) -> Range<Int> { (row * width)..<((row + 1) * width) }

  /// Scales every row of delta that left its ball back to the surface.
  ///
  /// PEFT does this inside every forward and writes the result back, so the optimiser's next step starts from the
  /// projected value, with unchanged moments. Here the training step calls it explicitly.
  package mutating func project() {
    for (row, distance) in distances.enumerated() where distance > radii[row] {
      let scale = radii[row] / distance
      for index in rowRange(row) { delta[index] *= scale }
    }
  }

  /// The prompt with delta projected.
  package var projected: TunedPrompt {
    var copy = self
    copy.project()
    return copy
  }

  /// The prompt with delta = 0: plain in-context learning.
  package var untrained: TunedPrompt {
    var copy = self
    copy.delta = [Float](repeating: 0, count: delta.count)
    return copy
  }

  /// Zeroes the gradient of tokens that are not trained: separators and labels.
  package func maskGradient(_ gradient: inout [Float]) {
    for (row, type) in context.tokens.types.enumerated() where !TokenRole(type: type).isTrained {
      for index in rowRange(row) { gradient[index] = 0 }
    }
  }
}
