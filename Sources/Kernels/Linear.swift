/// A frozen weight matrix where it lies in memory, in either of the two layouts checkpoints use; only read.
public struct Weight: @unchecked Sendable {
  // Sendable: the numbers are never written after load, and `owner` keeps them alive.

  /// Which index runs along the stored rows.
  public enum Layout: Sendable {
    /// Stored [inputs, outputs], as GPT-2's Conv1D.
    case inputMajor
    /// Stored [outputs, inputs], as torch.nn.Linear.
    case outputMajor
  }

  let base: UnsafePointer<Float>
  public let inputs: Int
  public let outputs: Int
  public let layout: Layout
  let stride: Int
  private let owner: AnyObject

  /// A weight over `inputs * outputs` floats at `base`, which `owner` keeps alive.
  public init(base: UnsafePointer<Float>, inputs: Int, outputs: Int, layout: Layout, owner: AnyObject) {
    self.init(
      base: base, inputs: inputs, outputs: outputs, layout: layout,
      stride: layout == .inputMajor ? outputs : inputs, owner: owner)
  }

  private init(
    base: UnsafePointer<Float>, inputs: Int, outputs: Int, layout: Layout, stride: Int, owner: AnyObject
  ) {
    self.base = base
    self.inputs = inputs
    self.outputs = outputs
    self.layout = layout
    self.stride = stride
    self.owner = owner
  }

  /// A weight with these values, in the order of its layout.
  public init(inputs: Int, outputs: Int, layout: Layout, values: [Float]) {
    self.init(
      inputs: inputs, outputs: outputs, layout: layout,
      storage: Matrix(rows: 1, columns: values.count, values: values))
  }

  /// A weight over the numbers of a matrix of one row, in the order of its layout.
  public init(inputs: Int, outputs: Int, layout: Layout, storage: Matrix) {
    precondition(storage.rows == 1 && storage.columns == inputs * outputs)
    self.init(base: storage.base, inputs: inputs, outputs: outputs, layout: layout, owner: storage.owner)
  }

  /// The part that computes those outputs.
  public func outputs(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= outputs, "outputs \(range) of \(outputs)")
    let offset = layout == .inputMajor ? range.lowerBound : range.lowerBound * stride
    return Weight(
      base: base + offset, inputs: inputs, outputs: range.count, layout: layout, stride: stride, owner: owner)
  }

  /// This weight and one whose outputs lie directly behind its own, as one; nil where they do not.
  func joined(with other: Weight) -> Weight? {
    let step = layout == .inputMajor ? outputs : outputs * stride
    guard base + step == other.base, layout == other.layout, inputs == other.inputs, stride == other.stride,
      owner === other.owner, layout == .outputMajor || outputs + other.outputs <= stride
    else { return nil }
    return Weight(
      base: base, inputs: inputs, outputs: outputs + other.outputs, layout: layout, stride: stride, owner: owner)
  }

  /// Row `index` of an output-major weight (a word embedding), copied into `inputs` floats.
  public func copyRow(_ index: Int, into target: UnsafeMutablePointer<Float>) {
    precondition(layout == .outputMajor && 0 <= index && index < outputs)
    target.update(from: base + index * stride, count: inputs)
  }

  /// Row `index` of an output-major weight.
  public func row(_ index: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
      if let start = buffer.baseAddress { copyRow(index, into: start) }
      count = inputs
    }
  }
}

/// y [T, outputs] = x [T, inputs] · W, added to what y holds when `accumulating`.
public func linear(_ x: Matrix, _ weight: Weight, into y: Matrix, accumulating: Bool = false, on team: ThreadTeam) {
  precondition(x.columns == weight.inputs && y.columns == weight.outputs && x.rows == y.rows, "linear: shapes differ")
  product(
    .linear, x, weight, stored: weight.layout == .outputMajor, inner: weight.inputs, into: y,
    accumulating: accumulating,
    on: team)
}

/// dx [T, inputs] = dy [T, outputs] · Wᵀ, added to what dx holds when `accumulating`.
public func linearBackward(
  _ dy: Matrix, _ weight: Weight, into dx: Matrix, accumulating: Bool = false, on team: ThreadTeam
) {
  precondition(
    dy.columns == weight.outputs && dx.columns == weight.inputs && dx.rows == dy.rows, "linearBackward: shapes differ")
  product(
    .linearBackward, dy, weight, stored: weight.layout == .inputMajor, inner: weight.outputs, into: dx,
    accumulating: accumulating, on: team)
}

/// A weight and the matrix it computes, or whose gradient it carries back.
public typealias Projection = (weight: Weight, values: Matrix)

/// Several projections of one x: values = x · weight for each.
///
/// Those that lie side by side, in the weights and in the results, are computed as one wide product: GPT-2's queries,
/// keys and values are.
public func linear(_ x: Matrix, _ projections: [Projection], on team: ThreadTeam) {
  for projection in joined(projections) { linear(x, projection.weight, into: projection.values, on: team) }
}

/// dx [T, inputs] = Σ values · weightᵀ, the backward of several projections of one x.
public func linearBackward(_ projections: [Projection], into dx: Matrix, on team: ThreadTeam) {
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

/// c = a · W or a · Wᵀ, shared among the threads.
///
/// BLAS packs what it multiplies, and each thread for itself: cut along c's columns or rows, the operand that is not cut
/// is packed by every thread, so it should be the smaller one. Cut along the inner axis nothing is packed twice, but the
/// threads' sums have to be added, which pays where that axis is long.
private func product(
  _ operation: Profile.Operation, _ a: Matrix, _ weight: Weight, stored transposed: Bool, inner: Int, into c: Matrix,
  accumulating: Bool, on team: ThreadTeam
) {
  let operations = 2 * Double(c.rows) * Double(c.columns) * Double(inner)
  // A product of fewer operations than this takes less time than waking a thread.
  let tooSmall = 1 << 18
  /// The part of the product that these rows, columns and inner indices make.
  @Sendable func multiply(
    _ rows: Range<Int>, _ columns: Range<Int>, _ part: Range<Int>, accumulating: Bool,
    into target: UnsafeMutablePointer<Float>, leading: Int
  ) {
    let (row, column) = transposed ? (columns, part) : (part, columns)
    Kernels.multiply(
      m: rows.count, n: columns.count, k: part.count,
      a.base + rows.lowerBound * a.stride + part.lowerBound, leadingA: a.stride,
      weight.base + row.lowerBound * weight.stride + column.lowerBound, leadingB: weight.stride,
      transposedB: transposed, beta: accumulating ? 1 : 0, into: target, leadingC: leading)
  }
  let allRows = 0..<c.rows, allColumns = 0..<c.columns, all = 0..<inner
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
    let minimum = max(16, tooSmall / max(1, c.rows * inner))
    team.slices(operation, of: c.columns, minimum: minimum, operations: operations) { columns in
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

extension Weight {
  /// target row i = row ids[i] of an output-major weight (word embeddings). target: [ids.count, inputs].
  public func copyRows(_ ids: [Int], into target: Matrix) {
    precondition(target.rows == ids.count && target.columns == inputs, "copyRows: shapes differ")
    for (row, id) in ids.enumerated() { copyRow(id, into: target.base + row * target.stride) }
  }

  /// target row i += row range[i] of an output-major weight (position embeddings). target: [range.count, inputs].
  public func addRows(_ range: Range<Int>, to target: Matrix) {
    precondition(layout == .outputMajor && range.lowerBound >= 0 && range.upperBound <= outputs)
    precondition(target.rows == range.count && target.columns == inputs, "addRows: shapes differ")
    for (row, index) in range.enumerated() {
      let place = target.base + row * target.stride
      map(inputs, place, base + index * stride, into: place) { $0 + $1 }
    }
  }
}
