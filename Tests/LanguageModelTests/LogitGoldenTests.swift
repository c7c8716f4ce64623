import FileFormats
import Glibc
import Kernels
import LanguageModel
import TestSupport
import Testing

private let team = ThreadTeam(threads: 2)

/// The largest difference between a model's log-probabilities after each token and those of golden logits.
private func worstError(of folder: String, ids: [Int], logits: SafetensorsFile, _ name: String) throws -> Double {
  let decoder = try FrozenModel(folder: folder).decoder
  let V = decoder.vocabularySize
  let golden = try logits.floats(name, shape: [ids.count, V])
  var tree = TokenTree()
  tree.append(.tokens(ids))
  let targets = ids.indices.flatMap { row in (0..<V).map { Target(row: row, token: $0) } }
  let pass = decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
  return zip(targets, pass.scores).map { target, score in
    let line = golden[(target.row * V)..<((target.row + 1) * V)].map(Double.init)
    let expected = line[target.token] - log(line.reduce(0) { $0 + exp($1) })
    return abs(Double(score.logProbability) - expected)
  }.max() ?? .infinity
}

/// The log-probabilities that transformers computes.
@Suite struct LogitGoldenTests {
  /// Other configurations and number formats of GPT-2.
  @Test(arguments: ["f16-shards-noprefix-relu", "bf16-untied-gelu", "f32-silu"])
  func variantsOfGPT2(name: String) throws {
    let goldens = fixtures + "/parity/goldens"
    let variants = try #require(JSON.read(file: goldens + ".json")["variants"]?.array)
    let variant = try #require(variants.first { $0["name"]?.string == name })
    let ids = try #require(variant["ids"]?.array).compactMap(\.integer)
    let logits = try SafetensorsFile(path: goldens + ".safetensors")
    let error = try worstError(of: fixtures + "/parity/variant-" + name, ids: ids, logits: logits, "variant." + name)
    #expect(error < 1e-4)
  }

  @Test(arguments: try FamilyGoldens().cases)
  func families(golden: FamilyGoldens.Case) throws {
    let error = try worstError(
      of: golden.folder, ids: golden.ids, logits: FamilyGoldens.tensors, golden.name + ".logits")
    #expect(error < 1e-4)
  }

  /// Every way in which config.json may be written, old and new and with defaults left out, means the same.
  @Test(arguments: try FamilyGoldens().spellings)
  func spellings(spelling: FamilyGoldens.Spelling) throws {
    let golden = spelling.golden
    try withTemporaryFolder { folder in
      try writeAtomically(readBytes(of: golden.folder + "/model.safetensors"), to: folder + "/model.safetensors")
      try writeAtomically(spelling.configuration.compact, to: folder + "/config.json")
      let error = try worstError(of: folder, ids: golden.ids, logits: FamilyGoldens.tensors, golden.name + ".logits")
      #expect(error < 1e-4)
    }
  }
}
