import COpenBLAS
import Glibc

/// The number of threads OpenBLAS itself uses for a product of the calling thread: 1, since a `ThreadTeam` distributes the
/// work.
func useBLASThreads(_ count: Int) {
  openblas_set_num_threads(blasint(count))
  useOpenMPThreads(count)
}

/// The number of threads for the calling thread alone, which an OpenBLAS that was built with OpenMP asks that library for.
func useOpenMPThreads(_ count: Int) {
  guard openblas_get_parallel() == OPENBLAS_OPENMP, let symbol = dlsym(nil, "omp_set_num_threads") else { return }
  unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Void).self)(Int32(count))
}

/// The library of matrix products: its version and build, the kernel it chose for this processor, and how it makes threads.
package var matrixLibrary: String {
  let threads =
    switch openblas_get_parallel() {
    case OPENBLAS_OPENMP: "OpenMP"
    case OPENBLAS_THREAD: "pthreads"
    default: "no threads"
    }
  let version = String(cString: openblas_get_config()).split(separator: " ").prefix(2).joined(separator: " ")
  return "\(version), kernel \(String(cString: openblas_get_corename())), \(threads)"
}

/// The commit that an installed program was built from; empty for a build in the working tree.
package var commit: String { String(cString: cpt_commit()) }

/// The instruction set that the kernels are compiled for.
package var instructionSet: String { String(cString: cpt_instruction_set()) }

/// Floats that OpenBLAS packs on one thread for C [m, n] = A [m, k] · B [k, n], in memory it keeps: a block of B, and a
/// panel of all rows of A.
///
/// Source: OpenBLAS, `param.h`, `SGEMM_DEFAULT_P` and `SGEMM_DEFAULT_Q` of SkylakeX, the largest of x86-64.
func packedFloats(m: Int, n: Int, k: Int) -> Int { min(k, 448) * (min(n, 448) + m) }

/// C [m, n] = alpha · op(A) [m, k] · op(B) [k, n] + beta · C, on the calling thread.
///
/// `leadingA`, `leadingB`, `leadingC` are the floats from one stored row to the next; a transposed operand is stored
/// [k, m] or [n, k]. Source: BLAS level 3, `sgemm`.
func multiply(
  m: Int, n: Int, k: Int, alpha: Float = 1,
  _ a: UnsafePointer<Float>, leadingA: Int, transposedA: Bool = false,
  _ b: UnsafePointer<Float>, leadingB: Int, transposedB: Bool = false,
  beta: Float = 0, into c: UnsafeMutablePointer<Float>, leadingC: Int
) {
  if m == 0 || n == 0 { return }
  cblas_sgemm(
    CblasRowMajor, transposedA ? CblasTrans : CblasNoTrans, transposedB ? CblasTrans : CblasNoTrans,
    blasint(m), blasint(n), blasint(k), alpha, a, blasint(leadingA), b, blasint(leadingB),
    beta, c, blasint(leadingC))
}

/// A matrix product in double precision, on the calling thread: C [m, n] = op(A) [m, k] · op(B) [k, n], row by row.
///
/// A transposed operand is stored [k, m] or [n, k]. Source: BLAS level 3, `dgemm`.
package func product(
  m: Int, n: Int, k: Int, _ a: [Double], transposedA: Bool = false, _ b: [Double], transposedB: Bool = false
) -> [Double] {
  precondition(
    a.count == m * k && b.count == k * n, "operands of \(a.count) and \(b.count) numbers for \(m) · \(k) · \(n)")
  var c = [Double](repeating: 0, count: m * n)
  if m == 0 || n == 0 || k == 0 { return c }
  cblas_dgemm(
    CblasRowMajor, transposedA ? CblasTrans : CblasNoTrans, transposedB ? CblasTrans : CblasNoTrans,
    blasint(m), blasint(n), blasint(k), 1, a, blasint(transposedA ? m : k), b, blasint(transposedB ? k : n),
    0, &c, blasint(n))
  return c
}
