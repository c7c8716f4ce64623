import FileFormats
import Kernels
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

/// Blocks of GGUF files and their numbers as the Python package gguf computes them; scripts/make-block-goldens makes them.
private struct BlockGoldens {
  let format: Weight.Format
  let rows: Int
  /// Numbers of a row.
  let columns: Int
  let bytes: [UInt8]
  let values: [Float]

  init(_ format: Weight.Format) throws {
    let file = try SafetensorsFile(path: fixtures + "/blocks/goldens.safetensors")
    let name = "\(format)".lowercased()
    let blocks = try #require(file[name + ".blocks"]), values = try #require(file[name + ".values"])
    self.format = format
    rows = values.shape[0]
    columns = values.shape[1]
    bytes = Array(blocks.bytes)
    self.values = try values.floats()
  }

  func weight(_ layout: Weight.Layout, rows: Range<Int>) -> Weight {
    let rowBytes = bytes.count / self.rows
    return Weight(
      Array(bytes[(rows.lowerBound * rowBytes)..<(rows.upperBound * rowBytes)]), format: format,
      inputs: layout == .inputMajor ? rows.count : columns, outputs: layout == .inputMajor ? columns : rows.count,
      layout: layout)
  }

  /// Stored rows of blocks whose numbers are neither all tiny nor huge, and the same weight in float32.
  func weights(inputs: Int, outputs: Int, layout: Weight.Layout) -> (blocks: Weight, wide: Weight) {
    let (size, blockBytes) = format.block
    let usual = (0..<(values.count / size)).filter { block in
      let largest = values[(block * size)..<((block + 1) * size)].map { abs($0) }.max() ?? 0
      return largest > 0.001 && largest < 1000
    }
    let chosen = (0..<(inputs * outputs / size)).map { usual[$0 % usual.count] }
    return (
      Weight(
        chosen.flatMap { bytes[($0 * blockBytes)..<(($0 + 1) * blockBytes)] }, format: format, inputs: inputs,
        outputs: outputs, layout: layout),
      Weight(
        inputs: inputs, outputs: outputs, layout: layout,
        values: chosen.flatMap { values[($0 * size)..<(($0 + 1) * size)] })
    )
  }
}

/// The formats of GGUF's blocks.
private let formats = Weight.Format.allCases.filter { $0.block.numbers > 1 && $0 != .eightBitBlocks }

/// Weights in blocks of GGUF files.
@Suite struct BlockTests {
  @Test(arguments: formats)
  func bitsOfNumbers(format: Weight.Format) throws {
    let golden = try BlockGoldens(format)
    let weight = golden.weight(.outputMajor, rows: 0..<golden.rows)
    let found = (0..<golden.rows).flatMap(weight.row)
    #expect(found.map(\.bitPattern) == golden.values.map(\.bitPattern))
    #expect(weight.byteCount == golden.bytes.count)
    #expect(weight.sample.prefix(32) == golden.values.prefix(32))
  }

  /// A range of outputs of a row reads the same numbers, wherever in a block it begins and ends.
  @Test(arguments: formats)
  func partsOfRows(format: Weight.Format) throws {
    let golden = try BlockGoldens(format)
    let size = format.block.numbers
    let row = golden.weight(.inputMajor, rows: 3..<4), values = golden.values[(3 * golden.columns)...]
    let one = Matrix(rows: 1, columns: 1, values: [1])
    let places =
      size == 32
      ? Array(0...golden.columns)
      : [0, 1, 15, 16, 17, 31, 32, 33, 127, 128, 129, 255, 256, 257, 300, 511, 512, 513, 700, 767, 768]
    for start in places {
      for end in places where end > start && end - start < 2 * size + 5 {
        let part = row.outputs(start..<end)
        let found = Matrix(rows: 1, columns: end - start)
        linear(one, part, into: found, on: team)
        #expect(found.values == Array(values.dropFirst(start).prefix(end - start)), "\(start)..<\(end)")
        let blocks = (end - 1) / size - start / size + 1
        #expect(part.byteCount == blocks * format.block.bytes)
      }
    }
  }

  /// More than a panel deep, with an odd number of outputs; and the other way round.
  @Test(arguments: formats)
  func products(format: Weight.Format) throws {
    let golden = try BlockGoldens(format)
    for (inputs, outputs, layout) in [(1280, 33, Weight.Layout.outputMajor), (7, 768, .inputMajor)] {
      let (blocks, wide) = golden.weights(inputs: inputs, outputs: outputs, layout: layout)
      expectSameProducts(blocks, wide, tolerance: 1e-6)
      expectSameProducts(blocks.outputs(3..<24), wide.outputs(3..<24), tolerance: 1e-6)
      #expect(blocks.byteCount == inputs * outputs / format.block.numbers * format.block.bytes)
    }
    let (blocks, wide) = golden.weights(inputs: 256, outputs: 20, layout: .outputMajor)
    let runs = blocks.outputs(from: 3, run: 2, ofEvery: 5)
    expectSameProducts(runs, wide.outputs(from: 3, run: 2, ofEvery: 5), tolerance: 1e-6)
    #expect(runs.byteCount == blocks.byteCount / 5 * 2)
    let again = blocks.quantized(on: team), expected = wide.quantized(on: team)
    for row in 0..<20 { #expect(again.row(row) == expected.row(row)) }
  }

  /// Adjacent projections of one stored weight are one product, of the right numbers.
  @Test func projectionsOfOneInput() throws {
    let (blocks, wide) = try BlockGoldens(.q4_K).weights(inputs: 256, outputs: 30, layout: .outputMajor)
    var generator = TestGenerator(seed: 17)
    let x = Matrix(rows: 5, columns: 256, values: generator.floats(5 * 256))
    let found = Matrix(rows: 5, columns: 30), expected = Matrix(rows: 5, columns: 30)
    linear(x, [0..<12, 12..<30].map { (blocks.outputs($0), found.columns($0)) }, on: team)
    linear(x, wide, into: expected, on: team)
    #expect(relativeDifference(found.values, expected.values) < 1e-6)
  }
}

/// Weights whose rows are stored in another order.
@Suite struct RowOrderTests {
  /// Two heads of six rows: the stored row of every row, as llama.cpp's conversion writes them.
  private static let stored = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]

  private static func weights(isInBlocks: Bool, heads: Int) throws -> (stored: Weight, expected: Weight) {
    let (blocks, wide) = try BlockGoldens(.q8_0).weights(inputs: 64, outputs: 6 * heads, layout: .outputMajor)
    let rows = (0..<(6 * heads)).map { stored[$0 % 12] + $0 / 12 * 12 }
    return (
      isInBlocks ? blocks : wide,
      Weight(inputs: 64, outputs: 6 * heads, layout: .outputMajor, values: rows.flatMap(wide.row))
    )
  }

  @Test(arguments: [true, false])
  func unpairedHalves(isInBlocks: Bool) throws {
    let (stored, expected) = try Self.weights(isInBlocks: isInBlocks, heads: 2)
    let found = stored.unpairingHalves(headSize: 6)
    for row in 0..<12 { #expect(found.row(row) == expected.row(row)) }
    expectSameProducts(found, expected, tolerance: 1e-6)
    #expect(found.byteCount == stored.byteCount)
    #expect(!found.isSame(as: stored) && found.isSame(as: stored.unpairingHalves(headSize: 6)))
    let quantized = found.quantized(on: team), other = expected.quantized(on: team)
    for row in 0..<12 { #expect(quantized.row(row) == other.row(row)) }
  }

  /// Queries and keys in another order than the values beside them.
  @Test(arguments: [true, false])
  func projectionsOfOneInput(isInBlocks: Bool) throws {
    let (stored, expected) = try Self.weights(isInBlocks: isInBlocks, heads: 6)
    let wide = (0..<36).map(stored.row)
    let weights = [
      stored.outputs(0..<12).unpairingHalves(headSize: 6), stored.outputs(12..<24).unpairingHalves(headSize: 6),
      stored.outputs(24..<36),
    ]
    let rows = (0..<24).map(expected.row) + wide[24...]
    let whole = Weight(inputs: 64, outputs: 36, layout: .outputMajor, values: rows.flatMap { $0 })
    var generator = TestGenerator(seed: 18)
    let x = Matrix(rows: 5, columns: 64, values: generator.floats(5 * 64))
    let found = Matrix(rows: 5, columns: 36), values = Matrix(rows: 5, columns: 36)
    let projections = weights.enumerated().map { ($1, found.columns((12 * $0)..<(12 * $0 + 12))) }
    linear(x, projections, on: team)
    linear(x, whole, into: values, on: team)
    #expect(relativeDifference(found.values, values.values) < 1e-6)
    let dx = Matrix(rows: 5, columns: 64), gradient = Matrix(rows: 5, columns: 64)
    linearBackward(projections, into: dx, on: team)
    linearBackward(found, whole, into: gradient, on: team)
    #expect(relativeDifference(dx.values, gradient.values) < 1e-6)
  }
}
