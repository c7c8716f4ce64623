/// A frozen weight matrix in place in memory, in the number format and layout of its checkpoint; read-only.
package struct Weight: @unchecked Sendable {
  // Sendable: the numbers are never written after load, and `owner` keeps them alive.

  /// The order of the stored rows.
  package enum Layout: Sendable {
    /// Stored [inputs, outputs], like GPT-2's Conv1D.
    case inputMajor
    /// Stored [outputs, inputs], like torch.nn.Linear.
    case outputMajor
  }

  /// The format of the stored numbers; products widen formats other than float32 piece by piece.
  package enum Format: Sendable {
    case float32
    case float16
    case bfloat16
    /// 32 numbers of a stored row as signed bytes with one float32 factor: 36 bytes instead of 128.
    case eightBitBlocks
  }

  /// The stored rows of this weight if others lie between them: `length` of every `step`.
  private struct Runs {
    let length: Int
    let step: Int
  }

  private let base: UnsafeRawPointer
  package let format: Format
  package let inputs: Int
  package let outputs: Int
  package let layout: Layout
  /// Number of values in a whole stored row.
  private let stride: Int
  /// The start of this weight in the stored matrix.
  private let firstRow: Int
  private let firstColumn: Int
  /// nil: the stored rows are consecutive.
  private let runs: Runs?
  private let owner: AnyObject

  private init(
    base: UnsafeRawPointer, format: Format, inputs: Int, outputs: Int, layout: Layout, stride: Int,
    firstRow: Int = 0, firstColumn: Int = 0, runs: Runs? = nil, owner: AnyObject
  ) {
    self.base = base
    self.format = format
    self.inputs = inputs
    self.outputs = outputs
    self.layout = layout
    self.stride = stride
    self.firstRow = firstRow
    self.firstColumn = firstColumn
    self.runs = runs
    self.owner = owner
  }

  /// A weight over `inputs * outputs` numbers at `base`, which `owner` keeps alive.
  package init(
    base: UnsafeRawPointer, format: Format, inputs: Int, outputs: Int, layout: Layout, owner: AnyObject
  ) {
    self.init(
      base: base, format: format, inputs: inputs, outputs: outputs, layout: layout,
      stride: layout == .inputMajor ? outputs : inputs, owner: owner)
  }

  /// A weight over the numbers of a matrix of one row, in the order of its layout.
  package init(inputs: Int, outputs: Int, layout: Layout, storage: Matrix) {
    precondition(storage.rows == 1 && storage.columns == inputs * outputs)
    self.init(
      base: storage.base, format: .float32, inputs: inputs, outputs: outputs, layout: layout, owner: storage.owner)
  }

  /// A weight with these values, in the order of its layout.
  package init(inputs: Int, outputs: Int, layout: Layout, values: [Float]) {
    self.init(
      inputs: inputs, outputs: outputs, layout: layout,
      storage: Matrix(rows: 1, columns: values.count, values: values))
  }

  /// The part that computes a range of outputs.
  package func outputs(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= outputs && runs == nil, "outputs \(range) of \(outputs)")
    let isInputMajor = layout == .inputMajor
    return Weight(
      base: base, format: format, inputs: inputs, outputs: range.count, layout: layout, stride: stride,
      firstRow: firstRow + (isInputMajor ? 0 : range.lowerBound),
      firstColumn: firstColumn + (isInputMajor ? range.lowerBound : 0), owner: owner)
  }

  /// The part of an output-major weight that computes `run` of every `step` outputs, beginning with output `first`:
  /// the queries of a projection that has queries, keys and values head by head.
  package func outputs(from first: Int, run: Int, ofEvery step: Int) -> Weight {
    precondition(layout == .outputMajor && runs == nil && outputs % step == 0 && first + run <= step)
    return Weight(
      base: base, format: format, inputs: inputs, outputs: outputs / step * run, layout: layout, stride: stride,
      firstRow: firstRow + first, firstColumn: firstColumn, runs: run == step ? nil : Runs(length: run, step: step),
      owner: owner)
  }

  /// This weight joined with one whose outputs directly follow its own; nil if they do not.
  func joined(with other: Weight) -> Weight? {
    guard base == other.base, format == other.format, layout == other.layout, inputs == other.inputs,
      stride == other.stride, owner === other.owner, runs == nil, other.runs == nil,
      layout == .inputMajor
        ? firstColumn + outputs == other.firstColumn && firstRow == other.firstRow
        : firstRow + outputs == other.firstRow && firstColumn == other.firstColumn
    else { return nil }
    return Weight(
      base: base, format: format, inputs: inputs, outputs: outputs + other.outputs, layout: layout, stride: stride,
      firstRow: firstRow, firstColumn: firstColumn, owner: owner)
  }

  /// Whether both share the same memory, like the word embeddings and a head tied to them.
  package func isSame(as other: Weight) -> Bool {
    base == other.base && firstRow == other.firstRow && firstColumn == other.firstColumn && inputs == other.inputs
      && outputs == other.outputs
  }

  /// Bytes of the stored numbers. Those of a mapped file come into memory only when products read them.
  package var byteCount: Int {
    switch format {
    case .float32: 4 * inputs * outputs
    case .float16, .bfloat16: 2 * inputs * outputs
    case .eightBitBlocks: inputs * outputs / EightBitBlocks.size * (4 + EightBitBlocks.size)
    }
  }

  /// Some of the numbers: the first of the first, the middle and the last stored row. Reads at most a few pages.
  package var sample: [Float] {
    let (rows, columns) = layout == .inputMajor ? (inputs, outputs) : (outputs, inputs)
    if rows == 0 || columns == 0 { return [] }
    return [0, rows / 2, rows - 1].flatMap { row in
      let count = min(columns, EightBitBlocks.size)
      return [Float](unsafeUninitializedCapacity: count) { buffer, used in
        if let start = buffer.baseAddress {
          widen(rows: row..<row + 1, columns: 0..<count, into: start, leading: count)
        }
        used = count
      }
    }
  }

  /// The numbers in place, and the row stride in floats; nil if they must be widened or gathered.
  var inPlace: (base: UnsafePointer<Float>, leading: Int)? {
    guard format == .float32, runs == nil else { return nil }
    let start = base.assumingMemoryBound(to: Float.self) + firstRow * stride + firstColumn
    return (start, stride)
  }

  /// Writes a piece of the stored rows as float32, [rows.count, columns.count], rows `leading` floats apart.
  func widen(
    rows: Range<Int>, columns: Range<Int>, into target: UnsafeMutablePointer<Float>, leading: Int
  ) {
    let start = firstColumn + columns.lowerBound
    for (index, row) in rows.enumerated() {
      let stored = firstRow + (runs.map { row / $0.length * $0.step + row % $0.length } ?? row)
      let place = target + index * leading
      switch format {
      case .float32:
        place.update(from: base.assumingMemoryBound(to: Float.self) + stored * stride + start, count: columns.count)
      case .float16: widenFloat16(base + 2 * (stored * stride + start), into: place, count: columns.count)
      case .bfloat16: widenBFloat16(base + 2 * (stored * stride + start), into: place, count: columns.count)
      case .eightBitBlocks:
        widenBlocks(base + stored * EightBitBlocks.bytes(of: stride), stride, start, into: place, count: columns.count)
      }
    }
  }

  /// Row `index` of an output-major weight (a word embedding), copied into `inputs` floats.
  package func copyRow(_ index: Int, into target: UnsafeMutablePointer<Float>) {
    precondition(layout == .outputMajor && 0 <= index && index < outputs)
    widen(rows: index..<(index + 1), columns: 0..<inputs, into: target, leading: inputs)
  }

  /// Row `index` of an output-major weight.
  package func row(_ index: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
      if let start = buffer.baseAddress { copyRow(index, into: start) }
      count = inputs
    }
  }

  /// The same weight in blocks of 8-bit numbers, in its own memory.
  package func quantized(on team: ThreadTeam) -> Weight {
    let (rows, columns) = layout == .inputMajor ? (inputs, outputs) : (outputs, inputs)
    let rowBytes = EightBitBlocks.bytes(of: columns)
    let memory = FloatMemory(count: (rows * rowBytes + 3) / 4)
    let target = UncheckedSendable(UnsafeMutableRawPointer(memory.base))
    team.items(.quantization, rows, scratch: columns) { row, numbers in
      widen(rows: row..<(row + 1), columns: 0..<columns, into: numbers, leading: columns)
      EightBitBlocks.write(numbers, count: columns, to: target.value + row * rowBytes)
    }
    return Weight(
      base: UnsafeRawPointer(memory.base), format: .eightBitBlocks, inputs: inputs, outputs: outputs, layout: layout,
      stride: columns, owner: memory)
  }
}

extension Weight {
  /// target row i = row ids[i] of an output-major weight (word embeddings). target: [ids.count, inputs].
  package func copyRows(_ ids: [Int], into target: Matrix, on team: ThreadTeam) {
    precondition(target.rows == ids.count && target.columns == inputs, "copyRows: shapes differ")
    team.rows(.rows, of: target) { rows in
      for row in rows { copyRow(ids[row], into: target.base + row * target.stride) }
    }
  }

  /// target row i += row range[i] of an output-major weight (position embeddings). target: [range.count, inputs].
  package func addRows(_ range: Range<Int>, to target: Matrix, on team: ThreadTeam) {
    precondition(layout == .outputMajor && range.lowerBound >= 0 && range.upperBound <= outputs)
    precondition(target.rows == range.count && target.columns == inputs, "addRows: shapes differ")
    team.items(.rows, range.count, scratch: inputs) { row, embedding in
      copyRow(range.lowerBound + row, into: embedding)
      let place = target.base + row * target.stride
      map(inputs, place, embedding, into: place) { $0 + $1 }
    }
  }
}

/// The layout of a row in `Weight.Format.eightBitBlocks`: a float32 factor per block, then the blocks' bytes.
///
/// A number is byte · factor with factor = max |number| / 127 over its block, so it is off by at most factor / 2.
/// The same as llama.cpp's Q8_0 except for the factor's width.
private enum EightBitBlocks {
  static let size = 32

  static func blocks(of columns: Int) -> Int { (columns + size - 1) / size }

  static func bytes(of columns: Int) -> Int { blocks(of: columns) * (4 + size) }

  static func write(_ numbers: UnsafePointer<Float>, count: Int, to target: UnsafeMutableRawPointer) {
    let factors = target.assumingMemoryBound(to: Float.self)
    let bytes = (target + 4 * blocks(of: count)).assumingMemoryBound(to: Int8.self)
    for block in 0..<blocks(of: count) {
      let members = (block * size)..<min((block + 1) * size, count)
      let largest = members.reduce(Float(0)) { max($0, abs(numbers[$1])) }
      let factor = largest / 127
      factors[block] = factor
      for i in members {
        // A non-finite number stays visible: its block becomes NaN.
        let scaled = factor > 0 && factor.isFinite ? (numbers[i] / factor).rounded() : 0
        bytes[i] = Int8(max(-127, min(127, scaled)))
      }
      if !largest.isFinite { factors[block] = .nan }
      for i in members.upperBound..<((block + 1) * size) { bytes[i] = 0 }
    }
  }
}

private func widenFloat16(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, count: Int) {
  for i in 0..<count {
    target[i] = Float(Float16(bitPattern: source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)))
  }
}

private func widenBFloat16(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, count: Int) {
  for i in 0..<count {
    let high = UInt32(source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
    target[i] = Float(bitPattern: high << 16)
  }
}

/// Columns `start ..< start + count` of a row of blocks, `stride` numbers long.
private func widenBlocks(
  _ row: UnsafeRawPointer, _ stride: Int, _ start: Int, into target: UnsafeMutablePointer<Float>, count: Int
) {
  let factors = row.assumingMemoryBound(to: Float.self)
  let bytes = (row + 4 * EightBitBlocks.blocks(of: stride)).assumingMemoryBound(to: Int8.self)
  var column = start
  while column < start + count {
    let block = column / EightBitBlocks.size
    let end = min((block + 1) * EightBitBlocks.size, start + count)
    let factor = factors[block]
    for i in column..<end { target[i - start] = Float(bytes[i]) * factor }
    column = end
  }
}
