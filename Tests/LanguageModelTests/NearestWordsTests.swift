import Kernels
import LanguageModel
import Testing
import TestSupport

@Suite struct NearestWordsTests {
  /// Of embeddings as the model sees them: scaled, in Gemma.
  @Test(arguments: try FamilyGoldens().cases)
  func distancesAreThoseOfEmbeddings(golden: FamilyGoldens.Case) throws {
    let decoder = try FrozenModel(path: golden.folder).decoder
    let width = decoder.width
    let all = (0..<decoder.vocabularySize).map { decoder.embedding.rows(of: [$0]) }
    var generator = TestGenerator(seed: 3)
    // Near the words 5 and 9, but not on them.
    let rows = [5, 9].map { word in zip(all[word], generator.floats(width, scale: 0.01)).map { $0 + $1 } }
    let found = decoder.embedding.nearestWords(
      to: Matrix(rows: 2, columns: width, values: rows.flatMap { $0 }), count: 4, on: ThreadTeam(threads: 2))
    for (row, words) in zip(rows, found) {
      let distances = all.map { word in
        Float(zip(row, word).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot())
      }
      let nearest = distances.indices.sorted { distances[$0] < distances[$1] }.prefix(4)
      #expect(words.map(\.id) == Array(nearest))
      for (id, distance) in words { #expect(abs(distance - distances[id]) < 1e-3 * (1 + distances[id])) }
    }
  }
}
