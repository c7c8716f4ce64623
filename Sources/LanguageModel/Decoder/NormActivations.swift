import Kernels

/// A norm with its input, which its backward needs.
struct NormActivations {
  let norm: NormWeights
  let x: Matrix  // [T, G · D], in G groups of the norm's D numbers
  let statistics: Matrix  // [T, 2 · G]

  /// The activations of a norm of x; its forward fills the statistics.
  init(_ norm: NormWeights, of x: Matrix, in workspace: Workspace) {
    self.init(norm: norm, x: x, statistics: workspace.matrix(x.rows, 2 * (x.columns / norm.gain.count)))
  }

  private init(norm: NormWeights, x: Matrix, statistics: Matrix) {
    self.norm = norm
    self.x = x
    self.statistics = statistics
  }

  /// The activations of a range of rows.
  func rows(_ range: Range<Int>) -> NormActivations {
    NormActivations(norm: norm, x: x.rows(range), statistics: statistics.rows(range))
  }

  /// y = norm(x). y: as x.
  func forward(into y: Matrix, on team: ThreadTeam) {
    Kernels.norm(x, norm, into: y, statistics: statistics, on: team)
  }

  /// norm(x), in a matrix of the workspace.
  func forward(in workspace: Workspace, on team: ThreadTeam) -> Matrix {
    let y = workspace.matrix(x.rows, x.columns)
    forward(into: y, on: team)
    return y
  }

  /// dx += the gradient from dy, which is overwritten. dy, dx: as x.
  func backward(_ dy: Matrix, addingTo dx: Matrix, on team: ThreadTeam) {
    normBackward(dy, x: x, norm, statistics: statistics, addingTo: dx, on: team)
  }

  /// The gradient from dy, which is overwritten, in a matrix of the workspace.
  func backward(_ dy: Matrix, in workspace: Workspace, on team: ThreadTeam) -> Matrix {
    let dx = workspace.matrix(x.rows, x.columns)
    fill(dx, with: 0, on: team)
    backward(dy, addingTo: dx, on: team)
    return dx
  }
}
