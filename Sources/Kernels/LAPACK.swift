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

/// The eigenvectors of a symmetric matrix in double precision: A [n, n] = Vᵀ · diag(λ) · V.
///
/// Source: LAPACK, `dsyevd` (divide and conquer).
package struct SymmetricEigenvectors: Sendable {
  /// V, [n, n], row by row; each row is an eigenvector of length 1.
  package let rows: [Double]
  /// λ, [n], ascending.
  package let values: [Double]

  /// Decomposes a symmetric matrix [size, size], of which only one triangle is read; nil when it holds a non-finite
  /// number, or when LAPACK's iteration does not converge.
  package init?(of matrix: [Double], size: Int) {
    precondition(matrix.count == size * size, "expected \(size * size) numbers, got \(matrix.count)")
    guard matrix.allSatisfy(\.isFinite) else { return nil }
    // LAPACK overwrites its input. Its columns are our rows, which a symmetric matrix does not notice.
    var vectors = matrix, values = [Double](repeating: 0, count: size)
    if size > 0 {
      let status = LAPACKE_dsyevd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "U")), Int32(size), &vectors, Int32(size),
        &values)
      precondition(status >= 0, "argument \(-status) of dsyevd is wrong, or there is no memory for it")
      guard status == 0 else { return nil }
    }
    rows = vectors
    self.values = values
  }
}
