/// The directions of largest variance of the rows of a matrix.
///
/// They are the right singular vectors of the centred rows. Their signs make the entry of largest magnitude positive,
/// so that they are the same on every machine.
package struct PrincipalComponents: Sendable {
  /// The rows' mean, [n].
  package let mean: [Float]
  /// [count, n]; orthonormal, the most important first. Zero beyond min(m, n), where no direction is left.
  package let axes: Matrix
  /// The share of the rows' variance along each axis, σ² / Σ σ²; zero if all rows are equal.
  package let shares: [Double]

  /// The first `count` components of the rows of a matrix [m, n]; nil when it holds a non-finite number, or when the
  /// decomposition does not converge.
  package init?(ofRows rows: Matrix, count: Int) {
    let n = rows.columns
    var sums = [Double](repeating: 0, count: n)
    for row in 0..<rows.rows { for column in 0..<n { sums[column] += Double(rows[row, column]) } }
    mean = sums.map { Float($0 / Double(max(1, rows.rows))) }
    guard let decomposition = SingularValueDecomposition(of: Self.centred(rows, mean)) else { return nil }
    let squares = decomposition.values.map { Double($0) * Double($0) }
    let total = squares.reduce(0, +)
    axes = Matrix(rows: count, columns: n)
    for axis in 0..<min(count, squares.count) {
      let direction = decomposition.right.rows(axis..<axis + 1).values
      let largest = direction.max { abs($0) < abs($1) } ?? 0
      for column in 0..<n { axes[axis, column] = largest < 0 ? -direction[column] : direction[column] }
    }
    shares = (0..<count).map { $0 < squares.count && total > 0 ? squares[$0] / total : 0 }
  }

  /// The coordinates of rows along the axes: (row - mean) · axesᵀ, [rows, count].
  package func project(_ rows: Matrix) -> Matrix {
    precondition(rows.columns == axes.columns, "rows of \(rows.columns) numbers, axes of \(axes.columns)")
    let centred = Self.centred(rows, mean)
    let places = Matrix(rows: rows.rows, columns: axes.rows)
    multiply(
      m: rows.rows, n: axes.rows, k: rows.columns, centred.base, leadingA: centred.stride, axes.base,
      leadingB: axes.stride, transposedB: true, into: places.base, leadingC: places.stride)
    return places
  }

  private static func centred(_ rows: Matrix, _ mean: [Float]) -> Matrix {
    let result = Matrix(rows: rows.rows, columns: rows.columns)
    for row in 0..<rows.rows {
      for column in 0..<rows.columns { result[row, column] = rows[row, column] - mean[column] }
    }
    return result
  }
}
