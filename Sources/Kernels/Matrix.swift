import Glibc

/// A view of float32 numbers in row-major order: element (i, j) is `base[i * stride + j]`.
///
/// Copies of a view share the numbers. A view keeps its memory alive.
package struct Matrix: @unchecked Sendable {
  // Sendable: kernels give disjoint rows or columns of one matrix to several threads; each kernel decides in one place
  // which thread writes what.
  package let base: UnsafeMutablePointer<Float>
  package let rows: Int
  package let columns: Int
  /// Floats from one row to the next; at least `columns`.
  package let stride: Int
  let owner: AnyObject

  init(base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int, owner: AnyObject) {
    precondition(rows >= 0 && columns >= 0 && stride >= columns)
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.owner = owner
  }

  /// A new matrix of zeros, shape [rows, columns].
  package init(rows: Int, columns: Int) {
    let memory = FloatMemory(count: rows * columns)
    memory.base.initialize(repeating: 0, count: rows * columns)
    self.init(base: memory.base, rows: rows, columns: columns, stride: columns, owner: memory)
  }

  /// A new matrix with these values, row by row.
  package init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns, "expected \(rows * columns) values, got \(values.count)")
    self.init(rows: rows, columns: columns)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.update(from: start, count: source.count) }
    }
  }

  /// The rows of a range, as a view.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return Matrix(
      base: base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride, owner: owner)
  }

  /// The columns of a range, as a view.
  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
    return Matrix(base: base + range.lowerBound, rows: rows, columns: range.count, stride: stride, owner: owner)
  }

  /// This matrix joined with one whose columns directly follow its own; nil if they do not.
  func joined(with other: Matrix) -> Matrix? {
    guard base + columns == other.base, stride == other.stride, rows == other.rows, owner === other.owner,
      columns + other.columns <= stride
    else { return nil }
    return Matrix(base: base, rows: rows, columns: columns + other.columns, stride: stride, owner: owner)
  }

  package subscript(row: Int, column: Int) -> Float {
    get {
      precondition(
        0 <= row && row < rows && 0 <= column && column < columns, "(\(row), \(column)) of [\(rows), \(columns)]")
      return base[row * stride + column]
    }
    nonmutating set {
      precondition(
        0 <= row && row < rows && 0 <= column && column < columns, "(\(row), \(column)) of [\(rows), \(columns)]")
      base[row * stride + column] = newValue
    }
  }

  /// The numbers row by row, copied.
  package var values: [Float] {
    [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      if let target = buffer.baseAddress {
        for row in 0..<rows { (target + row * columns).initialize(from: base + row * stride, count: columns) }
      }
      count = rows * columns
    }
  }

  /// Overwrites every number.
  package func fill(_ value: Float) {
    for row in 0..<rows { (base + row * stride).update(repeating: value, count: columns) }
  }
}

/// 64-byte aligned memory for floats, freed with the last view of it.
final class FloatMemory: @unchecked Sendable {
  // Sendable: the kernels decide which thread writes, as for the matrices that point into it.
  let base: UnsafeMutablePointer<Float>
  let count: Int
  private let isMeasured: Bool

  /// - Parameters:
  ///   - count: number of floats.
  ///   - larger: a larger number of floats to take if the system has them.
  ///   - isMeasured: whether to reserve addresses without memory, for work that is only measured.
  init(count: Int, preferably larger: Int = 0, isMeasured: Bool = false) {
    self.isMeasured = isMeasured
    if isMeasured {
      guard let nowhere = UnsafeMutablePointer<Float>(bitPattern: 64) else { preconditionFailure("64 is not null") }
      base = nowhere
      self.count = count
      return
    }
    let sizes = [larger, larger / 8, count].filter { $0 >= count }
    var memory: UnsafeMutableRawPointer?
    let found = sizes.first { posix_memalign(&memory, 64, max($0, 1) * 4) == 0 && memory != nil }
    guard let found, let memory else { Self.endWithoutMemory(count * 4) }
    base = memory.assumingMemoryBound(to: Float.self)
    self.count = found
  }

  /// Ends the program with a message. A kernel cannot go on without memory, and no call between it and the program could
  /// do better: what a run has saved stays.
  private static func endWithoutMemory(_ bytes: Int) -> Never {
    let message =
      "cpt: error: memory: the system has no \(bytes / 1_000_000 + 1) MB more for activations or weights; "
      + "set training.memory_limit lower, or raise the limit (ulimit -v)\n"
    write(STDERR_FILENO, message, message.utf8.count)
    exit(1)
  }

  deinit { if !isMeasured { free(base) } }
}

/// Memory for the matrices of a pass, allocated front to back and released at once, so that every step of a training
/// run reuses the same pages.
///
/// A matrix from a workspace initially holds arbitrary numbers, and must not be used after the `release` of a mark that
/// is older than the matrix.
package final class Workspace {
  /// A point to which a workspace can be released.
  package struct Mark {
    fileprivate let chunk: Int
    fileprivate let used: Int
  }

  /// Floats per chunk: the system provides a page on its first write, and large chunks leave few floats unused.
  private static let smallestChunk = 64 << 20
  private var chunks: [FloatMemory] = []
  private var chunk = 0
  private var used = 0

  package init() {}

  /// A workspace of addresses without memory, for work that is only measured: its matrices must not be accessed.
  init(measuring: Void) {
    chunks = [FloatMemory(count: 1 << 48, isMeasured: true)]
  }

  /// Maximum number of floats in use so far.
  package private(set) var peak = 0

  package var mark: Mark { Mark(chunk: chunk, used: used) }

  /// Releases every matrix allocated since the mark.
  package func release(to mark: Mark) {
    chunk = mark.chunk
    used = mark.used
  }

  /// A matrix of shape [rows, columns], contents arbitrary.
  package func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    let stride = Self.stride(columns)
    let count = (rows * stride + 15) / 16 * 16
    while chunk < chunks.count, used + count > chunks[chunk].count {
      chunk += 1
      used = 0
    }
    if chunk == chunks.count { chunks.append(FloatMemory(count: count, preferably: Self.smallestChunk)) }
    defer {
      used += count
      peak = max(peak, chunks[..<chunk].reduce(used) { $0 + $1.count })
    }
    return Matrix(base: chunks[chunk].base + used, rows: rows, columns: columns, stride: stride, owner: chunks[chunk])
  }

  /// Row stride in floats. Rows a multiple of 512 bytes apart would map to a few sets of the first-level cache and evict
  /// each other, so such rows get an extra cache line.
  package static func stride(_ columns: Int) -> Int {
    columns > 0 && columns % 128 == 0 ? columns + 16 : columns
  }

  /// Runs `body` and releases the matrices it allocated.
  package func scoped<Result>(_ body: () throws -> Result) rethrows -> Result {
    let start = mark
    defer { release(to: start) }
    return try body()
  }
}
