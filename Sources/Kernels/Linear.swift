/// y [T, outputs] = x [T, inputs] · W, added to y when `accumulating`.
package func linear(_ x: Matrix, _ weight: Weight, into y: Matrix, accumulating: Bool = false, on team: ThreadTeam) {
  precondition(x.columns == weight.inputs && y.columns == weight.outputs && x.rows == y.rows, "linear: shapes differ")
  product(
    .linear, x, weight, stored: weight.layout == .outputMajor, inner: weight.inputs, into: y,
    accumulating: accumulating,
    on: team)
}

/// dx [T, inputs] = dy [T, outputs] · Wᵀ, added to dx when `accumulating`.
package func linearBackward(
  _ dy: Matrix, _ weight: Weight, into dx: Matrix, accumulating: Bool = false, on team: ThreadTeam
) {
  precondition(
    dy.columns == weight.outputs && dx.columns == weight.inputs && dx.rows == dy.rows, "linearBackward: shapes differ")
  product(
    .linearBackward, dy, weight, stored: weight.layout == .inputMajor, inner: weight.outputs, into: dx,
    accumulating: accumulating, on: team)
}

/// A weight and the matrix of its outputs or their gradients.
package typealias Projection = (weight: Weight, values: Matrix)

/// Several projections of one x: values = x · weight for each.
///
/// Projections that are adjacent in the weights and in the results, like GPT-2's queries, keys and values, are computed
/// as one wide product.
package func linear(_ x: Matrix, _ projections: [Projection], on team: ThreadTeam) {
  for projection in joined(projections) { linear(x, projection.weight, into: projection.values, on: team) }
}

/// dx [T, inputs] = Σ values · weightᵀ, the backward of several projections of one x.
package func linearBackward(_ projections: [Projection], into dx: Matrix, on team: ThreadTeam) {
  for (index, projection) in joined(projections).enumerated() {
    linearBackward(projection.values, projection.weight, into: dx, accumulating: index > 0, on: team)
  }
}

private func joined(_ projections: [Projection]) -> [Projection] {
  var result: [Projection] = []
  for next in projections {
    if let last = result.last, let weight = last.weight.joined(with: next.weight),
      let values = last.values.joined(with: next.values)
    {
      result[result.count - 1] = (weight, values)
    } else {
      result.append(next)
    }
  }
  return result
}

/// c = a · W or a · Wᵀ, distributed over the threads.
///
/// BLAS packs its operands, on each thread separately. If the product is split along c's columns or rows, every thread
/// packs the other operand, so that should be the smaller one. If it is split along the inner axis, nothing is packed
/// twice, but the threads' sums must be added, which pays for a long axis. Weights that must be widened are split along
/// columns, so that none is widened twice.
private func product(
  _ operation: Profile.Operation, _ a: Matrix, _ weight: Weight, stored transposed: Bool, inner: Int, into c: Matrix,
  accumulating: Bool, on team: ThreadTeam
) {
  let operations = 2 * Double(c.rows) * Double(c.columns) * Double(inner)
  // A product of fewer operations than this takes less time than waking a thread.
  let tooSmall = 1 << 18
  let allRows = 0..<c.rows, allColumns = 0..<c.columns, all = 0..<inner
  let minimumColumns = max(16, tooSmall / max(1, c.rows * inner))
  // With so few rows, as for a generated token, reading the weight takes most of the time.
  if transposed, c.rows <= 4 {
    team.slices(operation, of: c.columns, minimum: minimumColumns, scratch: inner, operations: operations) {
      columns, scratch in
      multiplyRowByRow(a, weight, columns: columns, into: c, accumulating: accumulating, scratch: scratch)
    }
    return
  }
  team.notePacking(packedFloats(m: c.rows, n: c.columns, k: inner), workers: team.threads)
  guard let stored = weight.inPlace.map(UncheckedSendable.init) else {
    let area = min(Panel.width, c.columns) * min(Panel.depth, inner)
    team.slices(operation, of: c.columns, minimum: minimumColumns, scratch: area, operations: operations) {
      columns, panel in
      multiplyByPanels(
        a, weight, stored: transposed, inner: inner, columns: columns, into: c, accumulating: accumulating, panel: panel
      )
    }
    return
  }
  /// The part of the product over these rows, columns and inner indices.
  @Sendable func multiply(
    _ rows: Range<Int>, _ columns: Range<Int>, _ part: Range<Int>, accumulating: Bool,
    into target: UnsafeMutablePointer<Float>, leading: Int
  ) {
    let (row, column) = transposed ? (columns, part) : (part, columns)
    Kernels.multiply(
      m: rows.count, n: columns.count, k: part.count,
      a.base + rows.lowerBound * a.stride + part.lowerBound, leadingA: a.stride,
      stored.value.base + row.lowerBound * stored.value.leading + column.lowerBound, leadingB: stored.value.leading,
      transposedB: transposed, beta: accumulating ? 1 : 0, into: target, leadingC: leading)
  }
  if team.threads > 1, inner >= 2 * c.columns, c.rows * c.columns * inner >= 16 * tooSmall {
    let parts = team.threads
    let area = c.rows * c.columns
    team.withScratch((parts - 1) * area) { sums in
      team.items(operation, parts, scratch: 0, operations: operations) { part, _ in
        let range = (inner * part / parts)..<(inner * (part + 1) / parts)
        if part == 0 {
          multiply(allRows, allColumns, range, accumulating: accumulating, into: c.base, leading: c.stride)
        } else {
          multiply(
            allRows, allColumns, range, accumulating: false, into: sums.value + (part - 1) * area,
            leading: c.columns)
        }
      }
      team.rows(operation, of: c) { rows in
        for row in rows {
          let place = c.base + row * c.stride
          for part in 1..<parts {
            map(c.columns, place, sums.value + (part - 1) * area + row * c.columns, into: place) { $0 + $1 }
          }
        }
      }
    }
  } else if c.columns >= c.rows {
    team.slices(operation, of: c.columns, minimum: minimumColumns, operations: operations) { columns in
      multiply(
        allRows, columns, all, accumulating: accumulating, into: c.base + columns.lowerBound, leading: c.stride)
    }
  } else {
    let minimum = max(16, tooSmall / max(1, c.columns * inner))
    team.slices(operation, of: c.rows, minimum: minimum, operations: operations) { rows in
      multiply(
        rows, allColumns, all, accumulating: accumulating, into: c.base + rows.lowerBound * c.stride,
        leading: c.stride)
    }
  }
}

/// Columns of c = a · Wᵀ, on the calling thread: every stored row is read once for all rows of a.
///
/// `scratch`: floats of a stored row.
private func multiplyRowByRow(
  _ a: Matrix, _ weight: Weight, columns: Range<Int>, into c: Matrix, accumulating: Bool,
  scratch: UnsafeMutablePointer<Float>
) {
  let inner = a.columns
  for column in columns {
    var stored = UnsafePointer(scratch)
    if let inPlace = weight.inPlace {
      stored = inPlace.base + column * inPlace.leading
    } else {
      weight.widen(rows: column..<(column + 1), columns: 0..<inner, into: scratch, leading: inner)
    }
    for row in 0..<c.rows {
      let place = c.base + row * c.stride + column
      let product = sum(inner, stored, a.base + row * a.stride) { $0 * $1 }
      place.pointee = accumulating ? place.pointee + product : product
    }
  }
}

/// The piece of a weight to widen at once: large enough that packing the rows again for each piece costs little, and
/// small enough for the caches.
private enum Panel {
  static let width = 512
  static let depth = 1024
}

/// Columns of c = a · W or a · Wᵀ, on the calling thread, from pieces of the weight widened one by one.
private func multiplyByPanels(
  _ a: Matrix, _ weight: Weight, stored transposed: Bool, inner: Int, columns: Range<Int>, into c: Matrix,
  accumulating: Bool, panel: UnsafeMutablePointer<Float>
) {
  for first in stride(from: 0, to: inner, by: Panel.depth) {
    let part = first..<min(first + Panel.depth, inner)
    for start in stride(from: columns.lowerBound, to: columns.upperBound, by: Panel.width) {
      let slice = start..<min(start + Panel.width, columns.upperBound)
      let (rows, storedColumns) = transposed ? (slice, part) : (part, slice)
      weight.widen(rows: rows, columns: storedColumns, into: panel, leading: storedColumns.count)
      multiply(
        m: c.rows, n: slice.count, k: part.count, a.base + part.lowerBound, leadingA: a.stride, panel,
        leadingB: storedColumns.count, transposedB: transposed, beta: accumulating || first > 0 ? 1 : 0,
        into: c.base + slice.lowerBound, leadingC: c.stride)
    }
  }
}
