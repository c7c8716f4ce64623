/// target = source. source, target: [T, D].
package func copy(_ source: Matrix, into target: Matrix, on team: ThreadTeam) {
  precondition(target.rows == source.rows && target.columns == source.columns, "copy: shapes differ")
  team.rows(.rows, of: target) { rows in
    for row in rows {
      (target.base + row * target.stride).update(from: source.base + row * source.stride, count: source.columns)
    }
  }
}

/// target = value, in every element. target: [T, D].
package func fill(_ target: Matrix, with value: Float, on team: ThreadTeam) {
  team.rows(.rows, of: target) { rows in
    for row in rows { (target.base + row * target.stride).update(repeating: value, count: target.columns) }
  }
}

/// target += source. source, target: [T, D].
package func add(_ source: Matrix, to target: Matrix, on team: ThreadTeam) {
  precondition(target.rows == source.rows && target.columns == source.columns, "add: shapes differ")
  team.rows(.rows, of: target) { rows in
    for row in rows {
      let place = target.base + row * target.stride
      map(source.columns, place, source.base + row * source.stride, into: place) { $0 + $1 }
    }
  }
}

/// target row i = source row indices[i]. source: [N, D], target: [indices.count, D].
package func gather(_ source: Matrix, rows indices: [Int], into target: Matrix, on team: ThreadTeam) {
  precondition(target.rows == indices.count && target.columns == source.columns, "gather: shapes differ")
  precondition(indices.allSatisfy { 0 <= $0 && $0 < source.rows }, "gather: no such row")
  team.rows(.rows, of: target) { rows in
    for row in rows {
      (target.base + row * target.stride).update(
        from: source.base + indices[row] * source.stride, count: source.columns)
    }
  }
}

/// target = source + bias, in every row: a residual plus a projection's bias. source, target: [T, D]; bias: [D], or
/// empty for none.
package func copyAddingBias(_ source: Matrix, _ bias: [Float], into target: Matrix, on team: ThreadTeam) {
  if bias.isEmpty { return copy(source, into: target, on: team) }
  precondition(
    bias.count == source.columns && target.rows == source.rows && target.columns == source.columns,
    "copyAddingBias: shapes differ")
  withPointer(to: bias) { bias in
    team.rows(.rows, of: target) { rows in
      for row in rows {
        map(source.columns, source.base + row * source.stride, bias.value, into: target.base + row * target.stride) {
          $0 + $1
        }
      }
    }
  }
}

/// target row indices[i] += source row i, the backward of `gather`. source: [indices.count, D], target: [N, D].
package func scatterAdd(_ source: Matrix, rows indices: [Int], into target: Matrix, on team: ThreadTeam) {
  precondition(source.rows == indices.count && target.columns == source.columns, "scatterAdd: shapes differ")
  precondition(indices.allSatisfy { 0 <= $0 && $0 < target.rows }, "scatterAdd: no such row")
  // An index may occur twice: the threads split the columns, not the rows.
  team.slices(.rows, of: source.columns, minimum: (1 << 14) / max(1, source.rows)) { columns in
    for (row, index) in indices.enumerated() {
      let place = target.base + index * target.stride + columns.lowerBound
      map(columns.count, place, source.base + row * source.stride + columns.lowerBound, into: place) { $0 + $1 }
    }
  }
}

/// y += bias, in every row. y: [T, D]; bias: [D], or empty for none.
package func addBias(_ bias: [Float], to y: Matrix, on team: ThreadTeam) {
  if bias.isEmpty { return }
  precondition(bias.count == y.columns, "addBias: shapes differ")
  withPointer(to: bias) { bias in
    team.rows(.rows, of: y) { rows in
      for row in rows {
        let target = y.base + row * y.stride
        map(y.columns, target, bias.value, into: target) { $0 + $1 }
      }
    }
  }
}

/// x = factor · x, in place. x: [T, D].
package func scale(_ x: Matrix, by factor: Float, on team: ThreadTeam) {
  team.rows(.rows, of: x) { rows in
    for row in rows {
      let place = x.base + row * x.stride
      map(x.columns, place, into: place) { $0 * factor }
    }
  }
}
