import Glibc
import Kernels
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

/// A prefix of 70 keys, more than a block; a pack of 11 rows: a root of 4, a child of 3 with a child of 1, another child of 3. Queries for
/// rows 1, 3, 4, 6, 7, 8, 10, in tiles of 3, so that tiles straddle segments.
private struct Case {
  static let prefixLength = 70, N = 11
  static let selected = [1, 3, 4, 6, 7, 8, 10]
  static let segments: [(rows: Range<Int>, depth: Int, reach: Range<Int>)] = [
    (0..<4, 70, 0..<11), (4..<7, 74, 4..<8), (7..<8, 77, 7..<8), (8..<11, 74, 8..<11),
  ]
  static let depths = [71, 73, 74, 76, 77, 74, 76]

  static var plan: AttentionPlan {
    let tiles = stride(from: 0, to: selected.count, by: 3).map { start in
      let tile = start..<min(start + 3, selected.count)
      var spans = [AttentionPlan.Span(queries: tile, keys: 0..<prefixLength, depth: 0)]
      for segment in segments {
        let members = tile.filter { segment.reach.contains(selected[$0]) }
        guard let first = members.first, let last = members.last else { continue }
        let keys = (prefixLength + segment.rows.lowerBound)..<(prefixLength + segment.rows.upperBound)
        spans.append(.init(queries: first..<(last + 1), keys: keys, depth: segment.depth))
      }
      // The widest span may reach past the deepest query: a root's keys seen by a row in the root's middle.
      let width = spans.map { $0.depth + $0.keys.count }.max() ?? 0
      return AttentionPlan.Tile(queries: tile, width: width, spans: spans)
    }
    return AttentionPlan(depths: depths, tiles: tiles)
  }

  /// The keys (true: in the prefix) that a selected query sees.
  static func seen(by query: Int) -> [(Bool, Int)] {
    let row = selected[query]
    let inPack = segments.filter { $0.reach.contains(row) }.flatMap { $0.rows.filter { $0 <= row } }
    return (0..<prefixLength).map { (true, $0) } + inPack.map { (false, $0) }
  }
}

@Suite struct AttentionTests {
  @Test(
    arguments: [(heads: 3, keyValueHeads: 3, size: 5), (heads: 6, keyValueHeads: 2, size: 5), (2, 1, 80)],
    [
      (window: nil, cap: nil, hasSlopes: false), (3, nil, false), (75, nil, false), (nil, 0.7, false),
      (nil, nil, true), (5, nil, true), (5, 0.7, false),
    ] as [(window: Int?, cap: Float?, hasSlopes: Bool)])
  func forwardAndBackward(
    sizes: (heads: Int, keyValueHeads: Int, size: Int), kind: (window: Int?, cap: Float?, hasSlopes: Bool)
  ) {
    let (heads, keyValueHeads, size) = sizes
    let R = Case.selected.count
    let scale: Float = size == 5 ? 0.6 : 0.1
    let slopes = kind.hasSlopes ? (0..<heads).map { 0.3 / Float($0 + 1) } : []
    let shape = AttentionShape(
      heads: heads, keyValueHeads: keyValueHeads, headSize: size, scale: scale, window: kind.window,
      softCap: kind.cap, slopes: slopes)
    let counts =
      [R * heads * size] + [Case.N, Case.N, Case.prefixLength, Case.prefixLength].map { $0 * keyValueHeads * size }
    var generator = TestGenerator(seed: 7)
    let x = generator.floats(counts.reduce(0, +))
    let c = generator.floats(R * heads * size)
    /// Queries, keys, values, prefix keys and prefix values out of one vector.
    func parts(_ x: [Float]) -> [Matrix] {
      var start = 0
      return zip(counts, [R, Case.N, Case.N, Case.prefixLength, Case.prefixLength]).map { count, rows in
        defer { start += count }
        return Matrix(rows: rows, columns: count / rows, values: Array(x[start..<(start + count)]))
      }
    }
    func forward(_ p: [Matrix]) -> (output: Matrix, logSumExp: Matrix) {
      let output = Matrix(rows: R, columns: heads * size), logSumExp = Matrix(rows: R, columns: heads)
      attention(
        queries: p[0], pack: KeysAndValues(keys: p[1], values: p[2]), prefix: KeysAndValues(keys: p[3], values: p[4]),
        plan: Case.plan, shape: shape, into: output, logSumExp: logSumExp,
        workspace: Workspace(), on: team)
      return (output, logSumExp)
    }
    let p = parts(x)
    let (output, logSumExp) = forward(p)

    for query in 0..<R {
      for head in 0..<heads {
        let keyColumn = head / (heads / keyValueHeads) * size
        // In the order of their depths, the last the query's own.
        let all = Case.seen(by: query)
        let seen = Array(all.suffix(kind.window ?? all.count))
        let scores = seen.enumerated().map { index, key in
          let (inPrefix, row) = key
          var score =
            Double(scale)
            * (0..<size).reduce(0.0) {
              $0 + Double(p[0][query, head * size + $1]) * Double(p[inPrefix ? 3 : 1][row, keyColumn + $1])
            }
          if let cap = kind.cap.map(Double.init) { score = cap * tanh(score / cap) }
          return score - (kind.hasSlopes ? Double(slopes[head]) * Double(seen.count - 1 - index) : 0)
        }
        let total = scores.reduce(0) { $0 + exp($1) }
        #expect(abs(Double(logSumExp[query, head]) - log(total)) < 1e-5)
        for j in 0..<size {
          let expected = zip(seen, scores).reduce(0.0) {
            $0 + exp($1.1) / total * Double(p[$1.0.0 ? 4 : 2][$1.0.1, keyColumn + j])
          }
          #expect(abs(Double(output[query, head * size + j]) - expected) < 1e-5)
        }
      }
    }

    // What stands there is overwritten, but for the prefix's gradients, which are added to.
    let gradients = parts([Float](repeating: 0.5, count: x.count))
    attentionBackward(
      Matrix(rows: R, columns: heads * size, values: c), output: output, logSumExp: logSumExp, queries: p[0],
      pack: KeysAndValues(keys: p[1], values: p[2]), prefix: KeysAndValues(keys: p[3], values: p[4]), plan: Case.plan,
      shape: shape, dQueries: gradients[0], dPack: KeysAndValues(keys: gradients[1], values: gradients[2]),
      addingTo: KeysAndValues(keys: gradients[3], values: gradients[4]), workspace: Workspace(), on: team)
    let found = gradients[..<3].flatMap(\.values) + gradients[3...].flatMap(\.values).map { $0 - 0.5 }
    let error = gradientError(at: x, gradient: found) { dot(forward(parts($0)).output.values, c) }
    #expect(error < 2e-3)
  }
}
