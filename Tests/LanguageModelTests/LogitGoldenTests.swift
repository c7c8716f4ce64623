import Diagnostics
import FileFormats
import Glibc
import Kernels
import LanguageModel
import System
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

/// The log-probability of every token of the vocabulary after each token of a text, [text, vocabulary] row by row.
func logProbabilities(_ decoder: Decoder, _ ids: [Int]) -> [Double] {
  var tree = TokenTree()
  tree.append(.tokens(ids))
  // A few rows at a time: the time to score targets grows with their number times that of their rows.
  return stride(from: 0, to: ids.count, by: 8).flatMap { first in
    let rows = first..<min(first + 8, ids.count)
    let targets = rows.flatMap { row in (0..<decoder.vocabularySize).map { Target(row: row, token: $0) } }
    let pass = decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
    return pass.scores.map { Double($0.logProbability) }
  }
}

/// The largest difference between a model's log-probabilities after each token and those of golden logits.
func worstError(
  of folder: String, ids: [Int], logits: SafetensorsFile, _ name: String, isQuantized: Bool = false
) throws -> Double {
  let decoder = try FrozenModel(path: folder, quantizing: isQuantized ? team : nil).decoder
  let V = decoder.vocabularySize
  let golden = try logits.floats(name, shape: [ids.count, V])
  let found = logProbabilities(decoder, ids)
  return ids.indices.map { row in
    let line = golden[(row * V)..<((row + 1) * V)].map(Double.init)
    let logSum = log(line.reduce(0) { $0 + exp($1) })
    return line.indices.map { abs(found[row * V + $0] - (line[$0] - logSum)) }.max() ?? .infinity
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

  @Test func everyFamilyHasACase() throws {
    let gpt2 = fixtures + "/parity/variant-f32-silu"
    let tested = try ([gpt2] + FamilyGoldens().cases.map(\.folder)).map { try FrozenModel(path: $0).family }
    #expect(Set(tested) == Set(Family.all.keys))
  }

  @Test(arguments: try FamilyGoldens().cases)
  func families(golden: FamilyGoldens.Case) throws {
    let error = try worstError(
      of: golden.folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits")
    #expect(error < 1e-4)
  }

  /// GGUF files as llama.cpp's converter writes them, of every family, and of every type of blocks.
  @Test(arguments: try FamilyGoldens.gguf.cases)
  func ggufModels(golden: FamilyGoldens.Case) throws {
    let error = try worstError(
      of: golden.folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits")
    #expect(error < 1e-4)
  }

  /// 8 bits for larger formats only.
  @Test(arguments: [("falcon-40b-q4_0", false), ("llama", true)])
  func eightBitsForLargerFormatsOnly(name: String, isSmaller: Bool) throws {
    let path = "\(fixtures)/gguf/\(name).gguf"
    let stored = try FrozenModel(path: path).decoder.weightBytes
    let converted = try FrozenModel(path: path, quantizing: team).decoder.weightBytes
    #expect(isSmaller ? converted < stored : converted == stored)
  }

  @Test func everyArchitectureOfGGUFHasACase() throws {
    let tested = try FamilyGoldens.gguf.cases.map {
      try GGUFModel(path: $0.folder).metadata.text("general.architecture")
    }
    #expect(Set(tested.compactMap(\.self)) == Set(GGUFArchitecture.all.keys))
  }

  /// Models that are not part of the project.
  @Test(.enabled(if: FamilyGoldens.given != nil), arguments: FamilyGoldens.given?.cases ?? [])
  func logitsOfGivenModels(golden: FamilyGoldens.Case) throws {
    let error = try worstError(
      of: golden.folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits")
    let logits = try golden.tensors.floats(
      golden.name + ".logits", shape: [golden.ids.count, FrozenModel(path: golden.folder).decoder.vocabularySize])
    let largest = Double(logits.reduce(0) { max($0, abs($1)) })
    print("\(golden.name): logits within \(error), the largest \(largest)")
    #expect(error < 1e-5 * max(10, largest))
  }

  /// Far from the first token too, where the positions have no end.
  @Test(arguments: try FamilyGoldens().cases.filter { $0.long != nil })
  func longTexts(golden: FamilyGoldens.Case) throws {
    let long = try #require(golden.long)
    let decoder = try FrozenModel(path: golden.folder).decoder
    var tree = TokenTree()
    tree.append(.tokens(long.ids))
    let targets = long.ids.indices.dropFirst().map { Target(row: $0 - 1, token: long.ids[$0]) }
    let pass = decoder.forward(tree, targets: targets, workspace: Workspace(), on: team)
    let loss = -pass.scores.reduce(0) { $0 + Double($1.logProbability) } / Double(targets.count)
    #expect(abs(loss - long.loss) < 1e-5)
  }

  /// 8-bit weights, fused, in runs and transposed, give nearly the same: another number format, not another model.
  @Test(arguments: try FamilyGoldens().cases)
  func eightBitWeights(golden: FamilyGoldens.Case) throws {
    let error = try worstError(
      of: golden.folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits", isQuantized: true)
    #expect(error > 1e-3 && error < 0.8)
  }

  /// What would change the mathematics and is not supported is an error that names the key.
  @Test(arguments: [
    ("llama", "rope_parameters", "{\"rope_type\": \"spiral\"}", "rope_parameters.rope_type"),
    ("llama", "rope_parameters", "{\"rope_type\": \"linear\"}", "rope_parameters.factor"),
    ("llama", "hidden_act", "\"quick_gelu\"", "hidden_act"),
    ("llama", "num_key_value_heads", "3", "num_key_value_heads"),
    ("llama", "quantization_config", "{\"bits\": 4}", "quantization_config"),
    ("llama", "head_dim", "0", "head_dim"), ("llama", "vocab_size", "\"many\"", "vocab_size"),
    ("gpt_neox", "rotary_pct", "0.1", "rotary_pct"), ("gptj", "rotary_dim", "5", "rotary_dim"),
    ("falcon-40b", "parallel_attn", "false", "parallel_attn"),
    ("gemma2", "layer_types", "[\"chunked\"]", "layer_types"),
    ("gemma2", "use_bidirectional_attention", "true", "use_bidirectional_attention"),
    ("gpt_neo", "attention_layers", "[\"local\"]", "attention_layers"),
    ("phi3-longrope", "rope_parameters", "{\"rope_type\": \"longrope\", \"short_factor\": [1]}", "short_factor"),
    ("bloom", "n_head", "7", "n_head"), ("llama", "model_type", "\"mamba\"", "model_type"),
  ])
  func unsupportedValuesAreErrors(family: String, key: String, value: String, named: String) throws {
    try withTemporaryFolder { folder in
      let source = fixtures + "/families/" + family
      try writeAtomically(readBytes(of: source + "/model.safetensors"), to: folder + "/model.safetensors")
      var members = try #require(JSON.read(file: source + "/config.json").object).filter { $0.key != key }
      if key == "rotary_pct" { members.removeAll { $0.key == "rope_parameters" } }
      members.append(.init(key, try JSON(parsing: Array(value.utf8), file: "")))
      try writeAtomically(JSON.object(members).compact, to: folder + "/config.json")
      var message = "no error"
      do { _ = try FrozenModel(path: folder) } catch let error as InputError { message = error.description }
      #expect(message.contains("config.json") && message.contains(named))
    }
  }

  /// Every way in which config.json may be written, old and new and with defaults left out, means the same.
  @Test(arguments: try FamilyGoldens().spellings)
  func spellings(spelling: FamilyGoldens.Spelling) throws {
    let golden = spelling.golden
    try withTemporaryFolder { folder in
      try writeAtomically(readBytes(of: golden.folder + "/model.safetensors"), to: folder + "/model.safetensors")
      try writeAtomically(spelling.configuration.compact, to: folder + "/config.json")
      let error = try worstError(of: folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits")
      #expect(error < 1e-4)
    }
  }
}
