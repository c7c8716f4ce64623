import Collectives

/// Replaces x with its sum over the ranks, the same bits on each of them.
package func sum(_ x: Matrix, over ranks: any Communicator, on team: ThreadTeam) {
  if ranks.size == 1 || x.rows == 0 { return }
  team.measured(.communication) {
    if x.stride == Workspace.stride(x.columns) || x.stride == x.columns {
      // What lies between the rows is nobody's.
      let count = (x.rows - 1) * x.stride + x.columns
      ranks.sum(UnsafeMutableBufferPointer(start: x.base, count: count))
    } else {
      let packed = Matrix(rows: x.rows, columns: x.columns)
      copy(x, into: packed, on: team)
      ranks.sum(UnsafeMutableBufferPointer(start: packed.base, count: (x.rows - 1) * packed.stride + x.columns))
      copy(packed, into: x, on: team)
    }
  }
}
