import Kernels
import Testing
import TestSupport

@Suite struct SingularValueDecompositionTests {
  @Test(arguments: [(7, 5), (5, 7), (33, 17), (3, 129), (1, 6), (6, 1), (1, 1)])
  func multipliesBackToTheMatrix(m: Int, n: Int) throws {
    var generator = TestGenerator(seed: 1)
    // A view of a wider matrix: rows are not contiguous.
    let a = Matrix(rows: m, columns: n + 2, values: generator.floats(m * (n + 2))).columns(1..<n + 1)
    let before = a.values
    let svd = try #require(SingularValueDecomposition(of: a))
    #expect(a.values == before)
    let r = min(m, n)
    #expect((svd.left.rows, svd.left.columns, svd.right.rows, svd.right.columns) == (m, r, r, n))
    #expect(svd.values.count == r && svd.values == svd.values.sorted(by: >))
    var product: [Float] = []
    for i in 0..<m {
      for j in 0..<n { product.append((0..<r).reduce(0) { $0 + svd.left[i, $1] * svd.values[$1] * svd.right[$1, j] }) }
    }
    #expect(relativeDifference(product, before) < 1e-6)
    for p in 0..<r {
      for q in 0..<r {
        let identity: Float = p == q ? 1 : 0
        #expect(abs((0..<m).reduce(0) { $0 + svd.left[$1, p] * svd.left[$1, q] } - identity) < 2e-6)
        #expect(abs((0..<n).reduce(0) { $0 + svd.right[p, $1] * svd.right[q, $1] } - identity) < 2e-6)
      }
    }
  }

  /// numpy.linalg.svd([[3, 1, 1], [-1, 3, 1]]): √12 and √10.
  @Test func knownValues() throws {
    let svd = try #require(SingularValueDecomposition(of: Matrix(rows: 2, columns: 3, values: [3, 1, 1, -1, 3, 1])))
    #expect(relativeDifference(svd.values, [3.4641016, 3.1622777]) < 1e-6)
  }

  @Test func rankDeficient() throws {
    var generator = TestGenerator(seed: 2)
    let u = generator.floats(9), v = generator.floats(5)
    let outer = Matrix(rows: 9, columns: 5, values: u.flatMap { left in v.map { left * $0 } })
    let svd = try #require(SingularValueDecomposition(of: outer))
    #expect(abs(svd.values[0] / Float((dot(u, u) * dot(v, v)).squareRoot()) - 1) < 1e-6)
    #expect(svd.values[1...].allSatisfy { $0 < 1e-6 * svd.values[0] })
  }

  @Test func zeroAndEmpty() throws {
    let zero = try #require(SingularValueDecomposition(of: Matrix(rows: 4, columns: 3)))
    #expect(zero.values == [0, 0, 0])
    let empty = try #require(SingularValueDecomposition(of: Matrix(rows: 0, columns: 3)))
    #expect(empty.values.isEmpty && empty.left.rows == 0 && empty.right.columns == 3)
  }

  @Test(arguments: [Float.nan, .infinity])
  func notFinite(value: Float) {
    #expect(SingularValueDecomposition(of: Matrix(rows: 2, columns: 2, values: [1, 2, value, 4])) == nil)
  }
}

@Suite struct PrincipalComponentsTests {
  /// Points on a line in three dimensions, moved off it a little along another.
  @Test func findsTheLine() throws {
    let along: [Float] = [-2, -1, 0, 1, 2], off: [Float] = [0.1, -0.2, 0.2, -0.2, 0.1]
    var values: [Float] = []
    for (a, o) in zip(along, off) { values += [5 - 0.6 * a, 7 + 0.8 * a, o] }
    let rows = Matrix(rows: 5, columns: 3, values: values)
    let components = try #require(PrincipalComponents(ofRows: rows, count: 2))
    #expect(relativeDifference(components.mean, [5, 7, 0]) < 1e-6)
    #expect(relativeDifference(components.axes.values, [-0.6, 0.8, 0, 0, 0, 1]) < 1e-6)
    #expect(relativeDifference(components.project(rows).columns(0..<1).values, along) < 1e-6)
    #expect(relativeDifference(components.project(rows).columns(1..<2).values, off) < 1e-5)
    #expect(abs(components.shares[0] - 10 / 10.14) < 1e-6 && abs(components.shares[1] - 0.14 / 10.14) < 1e-6)
  }

  /// A single row has no direction.
  @Test func fewerDirectionsThanAxes() throws {
    let row = Matrix(rows: 1, columns: 3, values: [1, 2, 3])
    let components = try #require(PrincipalComponents(ofRows: row, count: 2))
    #expect(components.shares == [0, 0] && components.project(row).values == [0, 0])
    #expect(PrincipalComponents(ofRows: Matrix(rows: 1, columns: 2, values: [1, .nan]), count: 2) == nil)
  }
}

@Suite struct SymmetricEigenvectorsTests {
  @Test(arguments: [1, 2, 5, 17, 33])
  func multiplyBackToTheMatrix(n: Int) throws {
    var generator = TestGenerator(seed: 3)
    let half = generator.floats(n * n).map(Double.init)
    let a = (0..<n * n).map { half[$0] + half[$0 % n * n + $0 / n] }
    let eigen = try #require(SymmetricEigenvectors(of: a, size: n))
    #expect(eigen.values == eigen.values.sorted())
    for i in 0..<n {
      for j in 0..<n {
        let back = (0..<n).reduce(0) { $0 + eigen.rows[$1 * n + i] * eigen.values[$1] * eigen.rows[$1 * n + j] }
        #expect(abs(back - a[i * n + j]) < 1e-12 * Double(n))
        let product = (0..<n).reduce(0) { $0 + eigen.rows[i * n + $1] * eigen.rows[j * n + $1] }
        #expect(abs(product - (i == j ? 1 : 0)) < 1e-12)
      }
    }
  }

  @Test func emptyAndNotFinite() throws {
    #expect(try #require(SymmetricEigenvectors(of: [], size: 0)).values.isEmpty)
    #expect(SymmetricEigenvectors(of: [1, .nan, .nan, 1], size: 2) == nil)
  }

  /// By hand: A = [[1, 2, 3], [4, 5, 6]], B = [[1, 0], [0, 1], [1, 1]]; C = A · B.
  @Test func productsInDoublePrecision() {
    let a = [1.0, 2, 3, 4, 5, 6], b = [1.0, 0, 0, 1, 1, 1], c = [4.0, 5, 10, 11]
    #expect(product(m: 2, n: 2, k: 3, a, b) == c)
    #expect(product(m: 2, n: 2, k: 3, [1, 4, 2, 5, 3, 6], transposedA: true, b) == c)
    #expect(product(m: 2, n: 2, k: 3, a, [1, 0, 1, 0, 1, 1], transposedB: true) == c)
    #expect(product(m: 2, n: 1, k: 0, [], []) == [0, 0])
  }
}
