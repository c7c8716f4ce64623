import FileFormats
import Glibc
import Kernels
import LanguageModel
import TestSupport
import Testing

private let team = ThreadTeam(threads: 2)

@Suite struct GPT2GoldenTests {
  static let goldens = fixtures + "/parity/goldens"

  /// Every configuration in the fixtures gives the log-probabilities transformers computes.
  @Test(arguments: ["f16-shards-noprefix-relu", "bf16-untied-gelu", "f32-silu"])
  func variantsGiveTransformersLogits(name: String) throws {
    let json = try JSON.read(file: Self.goldens + ".json")
    let variant = try #require(json["variants"]?.array?.first { $0["name"]?.string == name })
    let ids = try #require(variant["ids"]?.array).compactMap(\.integer)
    let model = try FrozenModel(folder: fixtures + "/parity/variant-" + name)
    let V = model.decoder.vocabularySize
    let logits = try SafetensorsFile(path: Self.goldens + ".safetensors").floats(
      "variant." + name, shape: [ids.count, V])
    var tree = TokenTree()
    tree.append(.tokens(ids))
    let targets = ids.indices.flatMap { row in (0..<V).map { Target(row: row, token: $0) } }
    let pass = model.decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
    var worst = 0.0
    for (target, score) in zip(targets, pass.scores) {
      let line = logits[(target.row * V)..<((target.row + 1) * V)].map(Double.init)
      let expected = line[target.token] - log(line.reduce(0) { $0 + exp($1) })
      worst = max(worst, abs(Double(score.logProbability) - expected))
    }
    #expect(worst < 1e-4)
  }
}
