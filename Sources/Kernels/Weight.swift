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
  ///
  /// Numbers in blocks share a factor; those from `q4_0` on are the formats of ggml.
  package enum Format: Sendable, CaseIterable {
    case float32
    case float16
    case bfloat16
    /// 32 signed bytes with one float32 factor: 36 bytes instead of 128.
    case eightBitBlocks
    case q4_0
    case q4_1
    case q5_0
    case q5_1
    case q8_0
    case q2_K
    case q3_K
    case q4_K
    case q5_K
    case q6_K
    case iq4_nl
    case iq4_xs
  }

  /// Which stored row is row r of a weight.
  private enum RowOrder: Equatable {
    /// Row r.
    case same
    /// `length` rows of every `step`; the others belong to other weights.
    case runs(length: Int, step: Int)
    /// Within every `headSize` rows, rows 2j and 2j + 1 are row j of the first and of the second half.
    case pairedHalves(headSize: Int)

    func stored(_ row: Int) -> Int {
      switch self {
      case .same: return row
      case .runs(let length, let step): return row / length * step + row % length
      case .pairedHalves(let headSize): return pairedRow(row, headSize: headSize)
      }
    }
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
  private let order: RowOrder
  private let owner: AnyObject

  private init(
    base: UnsafeRawPointer, format: Format, inputs: Int, outputs: Int, layout: Layout, stride: Int,
    firstRow: Int = 0, firstColumn: Int = 0, order: RowOrder = .same, owner: AnyObject
  ) {
    self.base = base
    self.format = format
    self.inputs = inputs
    self.outputs = outputs
    self.layout = layout
    self.stride = stride
    self.firstRow = firstRow
    self.firstColumn = firstColumn
    self.order = order
    self.owner = owner
  }

  /// A weight over `inputs * outputs` numbers at `base`, which `owner` keeps alive. A stored row is a number of whole
  /// blocks; the numbers may lie at any address.
  package init(
    base: UnsafeRawPointer, format: Format, inputs: Int, outputs: Int, layout: Layout, owner: AnyObject
  ) {
    let stride = layout == .inputMajor ? outputs : inputs
    precondition(stride % format.block.numbers == 0, "\(format): a row of \(stride) is not a number of whole blocks")
    self.init(
      base: base, format: format, inputs: inputs, outputs: outputs, layout: layout, stride: stride, owner: owner)
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

  /// The part that computes a range of outputs; of outputs in runs or in heads, whole ones or a part of one run.
  package func outputs(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= outputs, "outputs \(range) of \(outputs)")
    if layout == .inputMajor {
      return part(outputs: range.count, firstColumn: firstColumn + range.lowerBound, order: order)
    }
    switch order {
    case .same: break
    case .runs(let length, _):
      let first = range.lowerBound / length * length
      if range.upperBound <= first + length {
        return part(outputs: range.count, firstRow: firstRow + order.stored(range.lowerBound), order: .same)
      }
      precondition(range.lowerBound == first && range.count % length == 0, "outputs \(range) cut a run of \(length)")
    case .pairedHalves(let headSize):
      precondition(
        range.lowerBound % headSize == 0 && range.count % headSize == 0, "outputs \(range) cut a head of \(headSize)")
    }
    return part(outputs: range.count, firstRow: firstRow + order.stored(range.lowerBound), order: order)
  }

  /// The part that reads a range of inputs.
  package func inputs(_ range: Range<Int>) -> Weight {
    precondition(range.lowerBound >= 0 && range.upperBound <= inputs, "inputs \(range) of \(inputs)")
    return layout == .inputMajor
      ? part(inputs: range.count, firstRow: firstRow + range.lowerBound, order: order)
      : part(inputs: range.count, firstColumn: firstColumn + range.lowerBound, order: order)
  }

  private func part(
    inputs: Int? = nil, outputs: Int? = nil, firstRow: Int? = nil, firstColumn: Int? = nil, order: RowOrder
  ) -> Weight {
    Weight(
      base: base, format: format, inputs: inputs ?? self.inputs, outputs: outputs ?? self.outputs, layout: layout,
      stride: stride, firstRow: firstRow ?? self.firstRow, firstColumn: firstColumn ?? self.firstColumn, order: order,
      owner: owner)
  }

  /// A part in memory of its own if its numbers lie between others, or in memory that is kept for it alone; where the part
  /// does not begin and end with whole blocks, it stays.
  package func separated() -> Weight {
    let (rows, columns) = storedShape, size = format.block.numbers
    guard columns < stride || owner is FloatMemory, firstColumn % size == 0, columns % size == 0 else { return self }
    let rowBytes = format.bytes(ofRow: columns), storedBytes = format.bytes(ofRow: stride)
    let memory = FloatMemory(count: (rows * rowBytes + 3) / 4)
    let target = UnsafeMutableRawPointer(memory.base), start = format.bytes(ofRow: firstColumn)
    for row in 0..<rows {
      let place = base + (firstRow + order.stored(row)) * storedBytes + start
      (target + row * rowBytes).copyMemory(from: place, byteCount: rowBytes)
    }
    return Weight(
      base: UnsafeRawPointer(memory.base), format: format, inputs: inputs, outputs: outputs, layout: layout,
      stride: columns, owner: memory)
  }

  /// The part of an output-major weight that computes `run` of every `step` outputs, beginning with output `first`:
  /// the queries of a projection that has queries, keys and values head by head.
  package func outputs(from first: Int, run: Int, ofEvery step: Int) -> Weight {
    precondition(layout == .outputMajor && order == .same && outputs % step == 0 && first + run <= step)
    return Weight(
      base: base, format: format, inputs: inputs, outputs: outputs / step * run, layout: layout, stride: stride,
      firstRow: firstRow + first, firstColumn: firstColumn, order: run == step ? .same : .runs(length: run, step: step),
      owner: owner)
  }

  /// The output-major weight whose heads' halves are stored in pairs, as llama.cpp stores queries and keys whose rotary
  /// positions turn the halves: its row j is row 2j of the head, and row headSize/2 + j is row 2j + 1.
  package func unpairingHalves(headSize: Int) -> Weight {
    precondition(layout == .outputMajor && order == .same && headSize % 2 == 0 && outputs % headSize == 0)
    return Weight(
      base: base, format: format, inputs: inputs, outputs: outputs, layout: layout, stride: stride,
      firstRow: firstRow, firstColumn: firstColumn, order: .pairedHalves(headSize: headSize), owner: owner)
  }

  /// This weight joined with one whose outputs directly follow its own; nil if they do not.
  func joined(with other: Weight) -> Weight? {
    guard base == other.base, format == other.format, layout == other.layout, inputs == other.inputs,
      stride == other.stride, owner === other.owner, order == .same, other.order == .same,
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
      && outputs == other.outputs && order == other.order
  }

  /// Rows, and columns within the stored rows.
  private var storedShape: (rows: Int, columns: Int) {
    layout == .inputMajor ? (inputs, outputs) : (outputs, inputs)
  }

  /// Bytes of the stored numbers. Those of a mapped file come into memory only when products read them.
  package var byteCount: Int {
    let (rows, columns) = storedShape
    let size = format.block.numbers
    let blocks = (firstColumn + columns + size - 1) / size - firstColumn / size
    return columns == 0 ? 0 : rows * blocks * format.block.bytes
  }

  /// Some of the numbers: the first of the first, the middle and the last stored row. Reads at most a few pages.
  package var sample: [Float] {
    let (rows, columns) = storedShape
    if rows == 0 || columns == 0 { return [] }
    return [0, rows / 2, rows - 1].flatMap { row in
      let count = min(columns, 32)
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
    guard format == .float32, order == .same, UInt(bitPattern: base) % 4 == 0 else { return nil }
    let start = base.assumingMemoryBound(to: Float.self) + firstRow * stride + firstColumn
    return (start, stride)
  }

  /// Writes a piece of the stored rows as float32, [rows.count, columns.count], rows `leading` floats apart.
  func widen(
    rows: Range<Int>, columns: Range<Int>, into target: UnsafeMutablePointer<Float>, leading: Int
  ) {
    let rowBytes = format.bytes(ofRow: stride)
    let stored = (firstColumn + columns.lowerBound)..<(firstColumn + columns.upperBound)
    for (index, row) in rows.enumerated() {
      format.widen(
        stored, ofRow: base + (firstRow + order.stored(row)) * rowBytes, into: target + index * leading)
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
    let (rows, columns) = storedShape
    let rowBytes = Format.eightBitBlocks.bytes(ofRow: columns)
    let memory = FloatMemory(count: (rows * rowBytes + 3) / 4)
    let target = UncheckedSendable(UnsafeMutableRawPointer(memory.base))
    team.items(.quantization, rows, scratch: columns) { row, numbers in
      widen(rows: row..<(row + 1), columns: 0..<columns, into: numbers, leading: columns)
      writeEightBitBlocks(numbers, count: columns, to: target.value + row * rowBytes)
    }
    return Weight(
      base: UnsafeRawPointer(memory.base), format: .eightBitBlocks, inputs: inputs, outputs: outputs, layout: layout,
      stride: columns, owner: memory)
  }
}

/// The place of row `row` where the rows of each head are stored in pairs, one of its first half with one of its second, as
/// llama.cpp's converter does for Llama.
package func pairedRow(_ row: Int, headSize: Int) -> Int {
  let inHead = row % headSize, half = headSize / 2
  return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1)
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
