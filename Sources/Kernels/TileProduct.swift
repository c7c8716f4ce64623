import COpenBLAS

// Attention's products are small: 64 keys of 64 floats. BLAS packs both operands of every call, which at this size
// takes as long as the product itself. Here a tile is multiplied in place.

/// c [rows, columns] = alpha · a [rows, inner] · b [inner, columns], added to c when `accumulating`.
///
/// a's element (i, k) is `a[i * rowStep + k * innerStep]`, so either of its axes may be contiguous; rows of b and c are
/// contiguous. `columns` is a multiple of the vector width. The operands should fit the first-level cache.
@inline(never)
func multiplyTile(
  rows: Int, columns: Int, inner: Int, alpha: Float = 1,
  _ a: UnsafePointer<Float>, rowStep: Int, innerStep: Int,
  _ b: UnsafePointer<Float>, leadingB: Int,
  accumulating: Bool, into c: UnsafeMutablePointer<Float>, leadingC: Int
) {
  var column = 0
  while column < columns {
    let left = columns - column
    let wide = CPT_HAS_WIDE_REGISTERS == 1 && left >= 4 * vectorWidth
    var row = 0
    while row < rows {
      let block = min(blockRows, rows - row)
      if wide {
        multiplyBlock(
          rows: block, inner: inner, alpha: alpha, a + row * rowStep, rowStep: rowStep, innerStep: innerStep,
          b + column, leadingB: leadingB, accumulating: accumulating, into: c + row * leadingC + column,
          leadingC: leadingC)
      } else {
        multiplyColumn(
          rows: block, inner: inner, alpha: alpha, a + row * rowStep,
          rowStep: rowStep, innerStep: innerStep, b + column, leadingB: leadingB, accumulating: accumulating,
          into: c + row * leadingC + column, leadingC: leadingC)
      }
      row += block
    }
    column += wide ? 4 * vectorWidth : vectorWidth
  }
}

/// Rows computed together: 6 × 4 vectors of sums leave 8 of 32 registers for the operands.
private let blockRows = 6

/// Six rows (or fewer: the last is then computed repeatedly and stored once) by four vectors.
@inline(always)
private func multiplyBlock(
  rows: Int, inner: Int, alpha: Float, _ a: UnsafePointer<Float>, rowStep: Int, innerStep: Int,
  _ b: UnsafePointer<Float>, leadingB: Int, accumulating: Bool, into c: UnsafeMutablePointer<Float>, leadingC: Int
) {
  let a0 = a, a1 = a + min(1, rows - 1) * rowStep, a2 = a + min(2, rows - 1) * rowStep
  let a3 = a + min(3, rows - 1) * rowStep, a4 = a + min(4, rows - 1) * rowStep, a5 = a + min(5, rows - 1) * rowStep
  var (c00, c01, c02, c03) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (c10, c11, c12, c13) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (c20, c21, c22, c23) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (c30, c31, c32, c33) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (c40, c41, c42, c43) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (c50, c51, c52, c53) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var line = b
  var step = 0
  for _ in 0..<inner {
    let b0 = load(line), b1 = load(line + 16), b2 = load(line + 32), b3 = load(line + 48)
    addProducts(a0[step], b0, b1, b2, b3, &c00, &c01, &c02, &c03)
    addProducts(a1[step], b0, b1, b2, b3, &c10, &c11, &c12, &c13)
    addProducts(a2[step], b0, b1, b2, b3, &c20, &c21, &c22, &c23)
    addProducts(a3[step], b0, b1, b2, b3, &c30, &c31, &c32, &c33)
    addProducts(a4[step], b0, b1, b2, b3, &c40, &c41, &c42, &c43)
    addProducts(a5[step], b0, b1, b2, b3, &c50, &c51, &c52, &c53)
    line += leadingB
    step += innerStep
  }
  var target = c
  put(c00, c01, c02, c03, alpha, accumulating, target)
  target += leadingC
  if rows > 1 { put(c10, c11, c12, c13, alpha, accumulating, target) }
  target += leadingC
  if rows > 2 { put(c20, c21, c22, c23, alpha, accumulating, target) }
  target += leadingC
  if rows > 3 { put(c30, c31, c32, c33, alpha, accumulating, target) }
  target += leadingC
  if rows > 4 { put(c40, c41, c42, c43, alpha, accumulating, target) }
  target += leadingC
  if rows > 5 { put(c50, c51, c52, c53, alpha, accumulating, target) }
}

@inline(always)
private func put(
  _ v0: Vector, _ v1: Vector, _ v2: Vector, _ v3: Vector, _ alpha: Float, _ accumulating: Bool,
  _ target: UnsafeMutablePointer<Float>
) {
  if accumulating {
    store(load(target) + v0 * alpha, target)
    store(load(target + 16) + v1 * alpha, target + 16)
    store(load(target + 32) + v2 * alpha, target + 32)
    store(load(target + 48) + v3 * alpha, target + 48)
  } else {
    store(v0 * alpha, target)
    store(v1 * alpha, target + 16)
    store(v2 * alpha, target + 32)
    store(v3 * alpha, target + 48)
  }
}

/// Six rows (or fewer) by one vector.
@inline(always)
private func multiplyColumn(
  rows: Int, inner: Int, alpha: Float, _ a: UnsafePointer<Float>, rowStep: Int, innerStep: Int,
  _ b: UnsafePointer<Float>, leadingB: Int, accumulating: Bool, into c: UnsafeMutablePointer<Float>, leadingC: Int
) {
  let a0 = a, a1 = a + min(1, rows - 1) * rowStep, a2 = a + min(2, rows - 1) * rowStep
  let a3 = a + min(3, rows - 1) * rowStep, a4 = a + min(4, rows - 1) * rowStep, a5 = a + min(5, rows - 1) * rowStep
  var (c0, c1, c2, c3, c4, c5) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var line = b
  var step = 0
  for _ in 0..<inner {
    let x = load(line)
    c0 = multiplyAdd(Vector(repeating: a0[step]), x, c0)
    c1 = multiplyAdd(Vector(repeating: a1[step]), x, c1)
    c2 = multiplyAdd(Vector(repeating: a2[step]), x, c2)
    c3 = multiplyAdd(Vector(repeating: a3[step]), x, c3)
    c4 = multiplyAdd(Vector(repeating: a4[step]), x, c4)
    c5 = multiplyAdd(Vector(repeating: a5[step]), x, c5)
    line += leadingB
    step += innerStep
  }
  put(c0, alpha, accumulating, c)
  if rows > 1 { put(c1, alpha, accumulating, c + leadingC) }
  if rows > 2 { put(c2, alpha, accumulating, c + 2 * leadingC) }
  if rows > 3 { put(c3, alpha, accumulating, c + 3 * leadingC) }
  if rows > 4 { put(c4, alpha, accumulating, c + 4 * leadingC) }
  if rows > 5 { put(c5, alpha, accumulating, c + 5 * leadingC) }
}

@inline(always)
private func put(_ v: Vector, _ alpha: Float, _ accumulating: Bool, _ target: UnsafeMutablePointer<Float>) {
  store(accumulating ? load(target) + v * alpha : v * alpha, target)
}

@inline(always)
private func addProducts(
  _ a: Float, _ b0: Vector, _ b1: Vector, _ b2: Vector, _ b3: Vector,
  _ c0: inout Vector, _ c1: inout Vector, _ c2: inout Vector, _ c3: inout Vector
) {
  let x = Vector(repeating: a)
  c0 = multiplyAdd(x, b0, c0)
  c1 = multiplyAdd(x, b1, c1)
  c2 = multiplyAdd(x, b2, c2)
  c3 = multiplyAdd(x, b3, c3)
}

/// target [16, 16] = source [rows, columns]ᵀ, padded with zeros. `scratch`: two such squares.
///
/// Each of four rounds rotates the eight bits of an element's index (row, column) by one, so that rows become columns.
func transposeSquare(
  _ source: UnsafePointer<Float>, rows: Int, columns: Int, leading sourceStep: Int,
  into target: UnsafeMutablePointer<Float>, leading targetStep: Int, scratch: UnsafeMutablePointer<Float>
) {
  let half = vectorWidth / 2
  var from = scratch
  var to = scratch + vectorWidth * vectorWidth
  for row in 0..<vectorWidth {
    let line = source + row * sourceStep
    let values =
      row >= rows
      ? Vector.zero : columns == vectorWidth ? load(line) : load(line, count: columns, padding: 0)
    store(values, from + row * vectorWidth)
  }
  for _ in 0..<4 {
    for row in 0..<half {
      let upper = load(from + 2 * row * vectorWidth), lower = load(from + (2 * row + 1) * vectorWidth)
      store(Vector(lowHalf: upper.evenHalf, highHalf: lower.evenHalf), to + row * vectorWidth)
      store(Vector(lowHalf: upper.oddHalf, highHalf: lower.oddHalf), to + (row + half) * vectorWidth)
    }
    swap(&from, &to)
  }
  for row in 0..<vectorWidth { store(load(from + row * vectorWidth), target + row * targetStep) }
}
