import Kernels

extension Embedding {
  /// For each row, the words with the nearest embeddings (Euclidean), nearest first.
  ///
  /// rows: [T, width]. ‖r - w‖² = ‖r‖² - 2 r · w + ‖w‖², with one matrix product per chunk of rows.
  package func nearestWords(to rows: Matrix, count: Int, on team: ThreadTeam) -> [[(id: Int, distance: Float)]] {
    let vocabularySize = words.outputs
    let squares = (0..<vocabularySize).map { words.row($0).reduce(0) { $0 + $1 * $1 } * scale * scale }
    let workspace = Workspace()
    let chunk = max(1, (16 << 20) / vocabularySize)
    return stride(from: 0, to: rows.rows, by: chunk).flatMap { start in
      workspace.scoped {
        let part = rows.rows(start..<min(start + chunk, rows.rows))
        let products = workspace.matrix(part.rows, vocabularySize)
        linear(part, words, into: products, on: team)
        return (0..<part.rows).map { row in
          let length = (0..<width).reduce(Float(0)) { $0 + part[row, $1] * part[row, $1] }
          var best: [(id: Int, distance: Float)] = []
          for id in 0..<vocabularySize {
            let distance = max(0, length - 2 * scale * products[row, id] + squares[id]).squareRoot()
            if best.count == count, distance >= best.last?.distance ?? .infinity { continue }
            best.insert((id, distance), at: best.firstIndex { $0.distance > distance } ?? best.count)
            if best.count > count { best.removeLast() }
          }
          return best
        }
      }
    }
  }
}
