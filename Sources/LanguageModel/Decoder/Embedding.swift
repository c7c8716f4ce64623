import Kernels

/// The embedding of tokens as hidden states before the first block.
///
/// hidden row = norm(project(scale · word embedding, or a prompt's own row) + position embedding), each if present.
package struct Embedding: Sendable {
  /// Output-major [vocabulary, width].
  package let words: Weight
  /// The factor on word embeddings at lookup (Gemma); a prompt's rows are not scaled.
  package let scale: Float
  /// The projection from the embeddings' width to that of the hidden states (OPT 350m); nil if they are equal.
  package let projection: LinearLayer?
  /// Learned position embeddings, output-major [positions, hidden width]; nil: none.
  package let positions: Weight?
  /// The row of the first position's embedding (OPT's is 2).
  package let positionOffset: Int
  /// nil: none (BLOOM has one).
  package let norm: NormWeights?

  package init(
    words: Weight, scale: Float = 1, projection: LinearLayer? = nil, positions: Weight? = nil, positionOffset: Int = 0,
    norm: NormWeights? = nil
  ) {
    self.words = words
    self.scale = scale
    self.projection = projection
    self.positions = positions
    self.positionOffset = positionOffset
    self.norm = norm
  }

  /// The width of the embeddings, and so of a prompt.
  package var width: Int { words.inputs }

  /// The embeddings of these tokens, [ids.count, width] row by row.
  package func rows(of ids: [Int]) -> [Float] {
    let rows = Matrix(rows: ids.count, columns: width)
    lookUp(ids, into: rows, on: ThreadTeam(threads: 1))
    return rows.values
  }

  private func lookUp(_ ids: [Int], into rows: Matrix, on team: ThreadTeam) {
    words.copyRows(ids, into: rows, on: team)
    if scale != 1 { Kernels.scale(rows, by: scale, on: team) }
  }

  /// The hidden states of a tree. hidden: [N, D]; `kept`: receives the input of the norm.
  func forward(
    _ tree: TokenTree, kept: NormActivations?, into hidden: Matrix, workspace: Workspace, on team: ThreadTeam
  ) {
    let sums = kept?.x ?? hidden
    workspace.scoped {
      let rows = projection == nil ? sums : workspace.matrix(hidden.rows, width)
      for segment in tree.segments {
        switch segment.content {
        case .tokens(let ids): lookUp(ids, into: rows.rows(segment.rows), on: team)
        case .embeddings(let matrix): copy(matrix, into: rows.rows(segment.rows), on: team)
        }
      }
      projection?.forward(rows, into: sums, on: team)
    }
    if let positions {
      for segment in tree.segments {
        let first = segment.depth + positionOffset
        positions.addRows(first..<(first + segment.rows.count), to: sums.rows(segment.rows), on: team)
      }
    }
    kept?.forward(into: hidden, on: team)
  }

  /// The gradient of some rows' embeddings, [T, width], from that of their hidden states, [T, D], which is overwritten.
  func backward(_ dHidden: Matrix, kept: NormActivations?, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    let dSums = kept?.backward(dHidden, in: workspace, on: team) ?? dHidden
    guard let projection else { return dSums }
    let dRows = workspace.matrix(dSums.rows, width)
    projection.backward(dSums, into: dRows, on: team)
    return dRows
  }
}
