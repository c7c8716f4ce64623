import Kernels

/// The input of a decoder: segments of tokens, each continuing a parent.
///
/// A token sees the earlier tokens of its segment and of all ancestors of the segment. Its position is its depth, the
/// number of tokens before it on that path. The rows of all segments are stored in sequence without padding, every
/// segment directly before its descendants. A context shared by many examples is one segment and is computed once:
///
///     context ─┬─ example 1 ─┬─ label "positive"
///              │             └─ label "negative"
///              └─ example 2 ─ …
///
/// The tree may continue a prefix: the stored keys and values of a path computed earlier.
package struct TokenTree: Sendable {
  /// The contents of a segment's rows before the first block.
  package enum Content: Sendable {
    /// Word embeddings of these token ids.
    case tokens([Int])
    /// These embeddings, [tokens, width], instead of the model's.
    case embeddings(Matrix)

    var count: Int {
      switch self {
      case .tokens(let ids): ids.count
      case .embeddings(let matrix): matrix.rows
      }
    }
  }

  /// A run of tokens and its place in the tree.
  package struct Segment: Sendable {
    package let content: Content
    /// The segment this one continues; nil for one that continues the prefix.
    package let parent: Int?
    /// Its rows in the pack.
    package let rows: Range<Int>
    /// Depth (position) of its first token.
    package let depth: Int
    /// One past the last row of its last descendant.
    fileprivate(set) var endOfDescendants: Int
  }

  /// Number of tokens of the prefix.
  package let prefixLength: Int
  package private(set) var segments: [Segment] = []

  package init(prefixLength: Int = 0) {
    self.prefixLength = prefixLength
  }

  package var rowCount: Int { segments.last?.rows.upperBound ?? 0 }

  /// The number of positions of the deepest path, including the prefix.
  package var maximumDepth: Int { segments.map { $0.depth + $0.rows.count }.max() ?? prefixLength }

  /// Adds a segment and returns its index.
  ///
  /// `parent` must be the segment added last or one of its ancestors, so that descendants stay contiguous.
  @discardableResult
  package mutating func append(_ content: Content, parent: Int? = nil) -> Int {
    let start = rowCount
    var depth = prefixLength
    if let parent {
      precondition(segments.indices.contains(parent) && segments[parent].endOfDescendants == start, "not depth-first")
      depth = segments[parent].depth + segments[parent].rows.count
    }
    let rows = start..<(start + content.count)
    segments.append(
      Segment(content: content, parent: parent, rows: rows, depth: depth, endOfDescendants: rows.upperBound))
    var ancestor = parent
    while let index = ancestor {
      segments[index].endOfDescendants = rows.upperBound
      ancestor = segments[index].parent
    }
    return segments.count - 1
  }

  /// The depth of every row.
  package var depths: [Int] {
    segments.flatMap { segment in (0..<segment.rows.count).map { segment.depth + $0 } }
  }

  /// Scores, queries times keys, of a tile, so that a tile's two score matrices stay in the second-level cache.
  private static let tileArea = 1 << 17

  /// The keys that the given rows (ascending; nil: all) see, split into tiles.
  func plan(rows selected: [Int]? = nil) -> AttentionPlan {
    let allDepths = depths
    let rows = selected ?? Array(0..<rowCount)
    let queryDepths = rows.map { allDepths[$0] }
    /// The number of selected rows before a row of the pack.
    func position(of row: Int) -> Int {
      guard let selected else { return row }
      var low = 0, high = selected.count
      while low < high {
        let middle = (low + high) / 2
        if selected[middle] < row { low = middle + 1 } else { high = middle }
      }
      return low
    }
    let reaches = segments.map { position(of: $0.rows.lowerBound)..<position(of: $0.endOfDescendants) }

    var tiles: [AttentionPlan.Tile] = []
    var start = 0
    while start < rows.count {
      let limit = max(16, min(256, Self.tileArea / (queryDepths[start] + 1)))
      let tile = start..<min(start + limit, rows.count)
      let width = queryDepths[tile].max().map { $0 + 1 } ?? 0
      var spans: [AttentionPlan.Span] = []
      if prefixLength > 0 {
        spans.append(.init(queries: tile, keys: 0..<prefixLength, depth: 0))
      }
      for (segment, reach) in zip(segments, reaches) where !segment.rows.isEmpty {
        let queries = reach.clamped(to: tile)
        if queries.isEmpty { continue }
        // No row sees keys deeper than the tile's deepest row of this segment.
        let deepest = queryDepths[queries].max() ?? 0
        let count = min(segment.rows.count, deepest + 1 - segment.depth)
        let first = prefixLength + segment.rows.lowerBound
        spans.append(.init(queries: queries, keys: first..<(first + count), depth: segment.depth))
      }
      tiles.append(.init(queries: tile, width: width, spans: spans))
      start = tile.upperBound
    }
    return AttentionPlan(depths: queryDepths, tiles: tiles)
  }
}
