/// target row i = source row indices[i]. source: [N, D], target: [indices.count, D].
public func gather(_ source: Matrix, rows indices: [Int], into target: Matrix) {
  precondition(target.rows == indices.count && target.columns == source.columns, "gather: shapes differ")
  for (row, index) in indices.enumerated() {
    precondition(0 <= index && index < source.rows)
    (target.base + row * target.stride).update(from: source.base + index * source.stride, count: source.columns)
  }
}

/// target row indices[i] += source row i, the backward of `gather`. source: [indices.count, D], target: [N, D].
public func scatterAdd(_ source: Matrix, rows indices: [Int], into target: Matrix) {
  precondition(source.rows == indices.count && target.columns == source.columns, "scatterAdd: shapes differ")
  for (row, index) in indices.enumerated() {
    precondition(0 <= index && index < target.rows)
    let place = target.base + index * target.stride
    map(source.columns, place, source.base + row * source.stride, into: place) { $0 + $1 }
  }
}

/// y += bias, in every row. y: [T, D], bias: [D].
public func addBias(_ bias: [Float], to y: Matrix, on team: ThreadTeam) {
  precondition(bias.count == y.columns, "addBias: shapes differ")
  withPointer(to: bias) { bias in
    team.slices(of: y.rows, minimum: elementwiseMinimum / max(1, y.columns)) { rows in
      for row in rows {
        let target = y.base + row * y.stride
        map(y.columns, target, bias.value, into: target) { $0 + $1 }
      }
    }
  }
}
