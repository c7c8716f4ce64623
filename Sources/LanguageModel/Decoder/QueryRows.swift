import Kernels

/// The R rows of a pack of N that a layer computes, the keys they see, and the angles of their positions.
struct QueryRows {
  /// Their indices in the pack, ascending; nil: all.
  let selected: [Int]?
  let plan: AttentionPlan
  /// The angles of all rows and of the query rows, for each of the decoder's rotary embeddings.
  let angles: [(all: RotaryAngles, queries: RotaryAngles)]

  var count: Int { plan.depths.count }

  /// The same rows for a layer whose input has only these.
  var amongThemselves: QueryRows { QueryRows(selected: nil, plan: plan, angles: []) }

  /// The query rows of a matrix [N, D]: the matrix itself if all rows are query rows.
  func gathered(_ matrix: Matrix, in workspace: Workspace, on team: ThreadTeam) -> Matrix {
    guard let selected else { return matrix }
    let target = workspace.matrix(selected.count, matrix.columns)
    gather(matrix, rows: selected, into: target, on: team)
    return target
  }

  /// Writes rows of a range of the pack: query rows from [R, D], the others as zeros.
  ///
  /// target: [range.count, D]; does nothing if it already holds the rows.
  func scatter(_ matrix: Matrix, _ range: Range<Int>, into target: Matrix, on team: ThreadTeam) {
    let rows = matrix.rows(positions(in: range))
    guard selected != nil else {
      if rows.base != target.base { copy(rows, into: target, on: team) }
      return
    }
    fill(target, with: 0, on: team)
    scatterAdd(rows, rows: places(in: range), into: target, on: team)
  }

  /// The query rows inside a range of the pack's rows; they are contiguous, since both ascend.
  func positions(in range: Range<Int>) -> Range<Int> {
    guard let selected else { return range }
    let first = selected.firstIndex { $0 >= range.lowerBound } ?? selected.count
    let end = selected.firstIndex { $0 >= range.upperBound } ?? selected.count
    return first..<end
  }

  /// The offsets of the query rows inside a range of the pack's rows.
  func places(in range: Range<Int>) -> [Int] {
    guard let selected else { return Array(0..<range.count) }
    return selected[positions(in: range)].map { $0 - range.lowerBound }
  }
}
