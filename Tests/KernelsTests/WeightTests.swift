import Kernels
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

/// The bytes of a stored weight, for as long as a weight reads them.
final class StoredBytes {
  private let memory: UnsafeMutableRawPointer
  /// One byte off: tensors may lie anywhere in a file.
  var base: UnsafeRawPointer { UnsafeRawPointer(memory + 1) }

  init(_ bytes: [UInt8]) {
    memory = .allocate(byteCount: bytes.count + 1, alignment: 8)
    for (i, byte) in bytes.enumerated() { memory.storeBytes(of: byte, toByteOffset: i + 1, as: UInt8.self) }
  }

  deinit { memory.deallocate() }
}

extension Weight {
  init(_ bytes: [UInt8], format: Format, inputs: Int, outputs: Int, layout: Layout) {
    let stored = StoredBytes(bytes)
    self.init(
      base: stored.base, format: format, inputs: inputs, outputs: outputs, layout: layout, owner: stored)
  }
}

/// Weights that products widen piece by piece.
@Suite struct WeightTests {
  private static func numbers(_ format: Weight.Format, _ values: [Float]) -> [UInt16] {
    values.map { format == .float16 ? Float16($0).bitPattern : UInt16($0.bitPattern >> 16) }
  }

  private static func value(_ format: Weight.Format, _ number: UInt16) -> Float {
    format == .float16 ? Float(Float16(bitPattern: number)) : Float(bitPattern: UInt32(number) << 16)
  }

  /// A product with 16-bit weights is that with the same numbers in float32, more than a panel wide and deep.
  @Test(
    arguments: [Weight.Format.float16, .bfloat16],
    [(Weight.Layout.inputMajor, 7, 5), (.outputMajor, 7, 5), (.inputMajor, 1030, 33), (.outputMajor, 33, 1030)])
  func widenedProducts(format: Weight.Format, sizes: (layout: Weight.Layout, inputs: Int, outputs: Int)) {
    var generator = TestGenerator(seed: 12)
    let (layout, inputs, outputs) = sizes
    let numbers = Self.numbers(format, generator.floats(inputs * outputs))
    let narrow = Weight(
      numbers.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }, format: format, inputs: inputs,
      outputs: outputs, layout: layout)
    let wide = Weight(
      inputs: inputs, outputs: outputs, layout: layout, values: numbers.map { Self.value(format, $0) })
    expectSameProducts(narrow, wide, tolerance: 1e-6)
    expectSameProducts(narrow.outputs(1..<4), wide.outputs(1..<4), tolerance: 1e-6)
    if layout == .outputMajor { #expect(narrow.row(3) == wide.row(3)) }
  }

  /// Numbers of float32 that lie at no multiple of four bytes.
  @Test func unalignedNumbers() {
    var generator = TestGenerator(seed: 19)
    let values = generator.floats(7 * 5)
    let bytes = values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
    let found = Weight(bytes, format: .float32, inputs: 7, outputs: 5, layout: .outputMajor)
    expectSameProducts(
      found, Weight(inputs: 7, outputs: 5, layout: .outputMajor, values: values), tolerance: 1e-6)
    #expect((0..<5).flatMap(found.row) == values)
  }

  /// Blocks of 8 bits keep every number to half a step of its block's largest.
  @Test(arguments: [Weight.Layout.inputMajor, .outputMajor])
  func eightBitBlocks(layout: Weight.Layout) {
    var generator = TestGenerator(seed: 13)
    // Rows of 70: two whole blocks and a rest; the blocks' sizes differ by far.
    let values = (0..<(70 * 70)).map { Float.random(in: -1...1, using: &generator) * ($0 % 70 < 32 ? 100 : 0.01) }
    let exact = Weight(inputs: 70, outputs: 70, layout: layout, values: values)
    let quantized = exact.quantized(on: team)
    #expect(quantized.format == .eightBitBlocks && quantized.byteCount == 70 * 3 * 36)
    let identity = Matrix(rows: 70, columns: 70)
    for i in 0..<70 { identity[i, i] = 1 }
    let found = Matrix(rows: 70, columns: 70)
    linear(identity, quantized, into: found, on: team)
    for i in 0..<70 {
      for o in 0..<70 {
        let (row, column) = layout == .inputMajor ? (i, o) : (o, i)
        let block = values[(row * 70 + column / 32 * 32)..<(row * 70 + min(70, column / 32 * 32 + 32))]
        let largest = block.map { abs($0) }.max() ?? 0
        #expect(abs(found[i, o] - values[row * 70 + column]) <= largest / 254 * 1.001)
      }
    }
    // A slice reads the same numbers, from the middle of a block.
    let slice = Matrix(rows: 70, columns: 30)
    linear(identity, quantized.outputs(20..<50), into: slice, on: team)
    #expect(slice.values == found.columns(20..<50).values)
    expectSameProducts(
      quantized, Weight(inputs: 70, outputs: 70, layout: .inputMajor, values: found.values), tolerance: 1e-6)
  }

  /// A byte times a factor in float32; a block of zeros stays one, and a number that is not finite spoils its block.
  @Test func numbersOfEightBitBlocks() {
    var generator = TestGenerator(seed: 16)
    var values = generator.floats(3 * 70)
    for i in 70..<102 { values[i] = 0 }
    values[140] = .infinity
    let quantized = Weight(inputs: 70, outputs: 3, layout: .outputMajor, values: values).quantized(on: team)
    for row in 0..<3 {
      let numbers = quantized.row(row)
      for first in [0, 32, 64] {
        let block = values[(row * 70 + first)..<(row * 70 + min(70, first + 32))]
        let factor = (block.map { abs($0) }.max() ?? 0) / 127
        let expected = block.map { factor > 0 ? ($0 / factor).rounded() * factor : 0 }
        let found = Array(numbers[first..<(first + block.count)])
        if factor.isFinite { #expect(found == expected) } else { #expect(found.allSatisfy { $0.isNaN }) }
      }
    }
  }

  /// Of 4 heads with 2 queries, 1 key and 2 values each: the values.
  @Test(arguments: [true, false])
  func runsOfOutputs(isQuantized: Bool) {
    var generator = TestGenerator(seed: 14)
    let values = generator.floats(20 * 9)
    let fused = Weight(inputs: 9, outputs: 20, layout: .outputMajor, values: values)
    let rows = (0..<20).filter { $0 % 5 >= 3 }
    let expected = Weight(
      inputs: 9, outputs: 8, layout: .outputMajor, values: rows.flatMap { values[($0 * 9)..<($0 * 9 + 9)] })
    let found = (isQuantized ? fused.quantized(on: team) : fused).outputs(from: 3, run: 2, ofEvery: 5)
    expectSameProducts(found, expected, tolerance: isQuantized ? 1e-2 : 1e-6)
  }
}

/// The products of both weights are the same, for few rows and for more, which are computed in different ways.
func expectSameProducts(_ a: Weight, _ b: Weight, tolerance: Double) {
  for rows in [1, 3, 5, 37] { expectSameProducts(a, b, rows: rows, tolerance: tolerance) }
}

private func expectSameProducts(_ a: Weight, _ b: Weight, rows: Int, tolerance: Double) {
  var generator = TestGenerator(seed: 15)
  let x = Matrix(rows: rows, columns: a.inputs, values: generator.floats(rows * a.inputs))
  let dy = Matrix(rows: rows, columns: a.outputs, values: generator.floats(rows * a.outputs))
  func products(_ weight: Weight) -> (y: [Float], dx: [Float]) {
    let y = Matrix(rows: rows, columns: a.outputs), dx = Matrix(rows: rows, columns: a.inputs)
    linear(x, weight, into: y, on: team)
    linear(x, weight, into: y, accumulating: true, on: team)
    linearBackward(dy, weight, into: dx, on: team)
    linearBackward(dy, weight, into: dx, accumulating: true, on: team)
    return (y.values, dx.values)
  }
  let found = products(a), expected = products(b)
  #expect(relativeDifference(found.y, expected.y) < tolerance)
  #expect(relativeDifference(found.dx, expected.dx) < tolerance)
}
