import Method

/// The mean difference between two methods on the same rows with the same seeds, and how it varies if other seeds and rows
/// had been drawn.
///
/// A resample draws as many seeds and, independently, as many rows, both with replacement; the rows are the same for all
/// its seeds, as they are unless they are drawn from the training file. Its mean is that of the differences at the drawn
/// seeds and rows.
/// Source: Owen 2007, "The pigeonhole bootstrap" (Annals of Applied Statistics 1).
struct PairedBootstrap {
  /// Number of resamples.
  static let resamples = 2000

  let seeds: Int
  let rows: Int
  let mean: Double
  /// The mean of each resample.
  let means: [Double]

  /// The bootstrap of the differences of each seed, row by row; nil without seeds or rows, or if seeds have different numbers
  /// of rows.
  ///
  /// `stream` separates the draws of conditions, so that their means can be averaged.
  init?(_ differences: [[Int]], stream: Int) {
    guard let rows = differences.first?.count, rows > 0, differences.allSatisfy({ $0.count == rows }) else {
      return nil
    }
    let seeds = differences.count, total = Double(seeds * rows)
    self.seeds = seeds
    self.rows = rows
    mean = Double(differences.reduce(0) { $0 + $1.reduce(0, +) }) / total
    var generator = SeededGenerator(seed: 0, .resampling, index: stream)
    means = (0..<Self.resamples).map { _ in
      var drawn = [Int](repeating: 0, count: rows)
      for _ in 0..<rows { drawn[Int.random(in: 0..<rows, using: &generator)] += 1 }
      var sum = 0
      for _ in 0..<seeds {
        let seed = differences[Int.random(in: 0..<seeds, using: &generator)]
        for row in 0..<rows { sum += drawn[row] * seed[row] }
      }
      return Double(sum) / total
    }
  }
}
