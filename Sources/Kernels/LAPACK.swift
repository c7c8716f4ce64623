import COpenBLAS

/// The singular value decomposition of a matrix: A [m, n] = U · diag(σ) · Vᵀ, r = min(m, n).
///
/// Source: LAPACK, `sgesdd` (divide and conquer), in its economy size.
package struct SingularValueDecomposition: Sendable {
  /// U, [m, r]; its columns are orthonormal.
  package let left: Matrix
  /// σ, [r], non-negative and descending.
  package let values: [Float]
  /// Vᵀ, [r, n]; its rows are orthonormal.
  package let right: Matrix

  /// Decomposes a matrix without changing it; nil when it holds a non-finite number, or when LAPACK's iteration does
  /// not converge.
  package init?(of matrix: Matrix) {
    // LAPACK overwrites its input.
    var a = matrix.values
    guard a.allSatisfy(\.isFinite) else { return nil }
    let m = matrix.rows, n = matrix.columns, r = min(m, n)
    left = Matrix(rows: m, columns: r)
    right = Matrix(rows: r, columns: n)
    var values = [Float](repeating: 0, count: r)
    if r > 0 {
      let status = LAPACKE_sgesdd(
        LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "S")), Int32(m), Int32(n), &a, Int32(n), &values,
        left.base, Int32(left.stride), right.base, Int32(right.stride))
      precondition(status >= 0, "argument \(-status) of sgesdd is wrong, or there is no memory for it")
      guard status == 0 else { return nil }
    }
    self.values = values
  }
}
