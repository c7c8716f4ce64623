import Kernels
import Testing

/// Work that is measured and not done.
@Suite struct MeasurementTests {
  private static let embeddings = Weight(
    inputs: 100, outputs: 7, layout: .outputMajor, storage: Matrix(rows: 1, columns: 700))

  /// Each thread has room for a row; a second kernel reuses it.
  @Test(arguments: [1, 3])
  func scratchMemoryIsCounted(threads: Int) {
    let measurement = Measurement(threads: threads) { workspace, team in
      let rows = workspace.matrix(5, 100)
      for _ in 0..<2 { Self.embeddings.addRows(1..<6, to: rows, on: team) }
    }
    #expect(measurement.threadBytes == 4 * 100 * threads)
    #expect(measurement.matrixBytes == 4 * 512)
    #expect(measurement.bytes == measurement.matrixBytes + measurement.threadBytes)
    #expect(measurement.operations == 0)
  }

  /// A product's operations, and what OpenBLAS packs for it; nothing is touched.
  @Test func productsAreCounted() {
    let weight = Weight(inputs: 100, outputs: 7, layout: .outputMajor, storage: Matrix(rows: 1, columns: 700))
    let measurement = Measurement(threads: 2) { workspace, team in
      let x = workspace.matrix(50, 100), y = workspace.matrix(50, 7)
      linear(x, weight, into: y, on: team)
      workspace.scoped { linearBackward(y, weight, into: workspace.matrix(50, 100), on: team) }
    }
    #expect(measurement.operations == 2 * 2 * 50 * 100 * 7)
    // The larger of the two: 50 rows and 7 columns of 100 numbers, or 50 and 100 of 7.
    #expect(measurement.threadBytes == 2 * 4 * 100 * (7 + 50))
    #expect(measurement.matrixBytes == 4 * (2 * (50 * 100 + 8) + 50 * 7 + 2))
  }
}
