import Diagnostics
import FileFormats
import LanguageModel
import System
import Testing
import TestSupport

/// A right model: one block, 8 wide, 2 heads on 1, 9 words.
private func small() -> GGUFBuilder {
  var generator = TestGenerator(seed: 1)
  func tensor(_ name: String, _ shape: [Int]) -> GGUFBuilder.Tensor {
    .init(name + ".weight", shape, generator.floats(shape.reduce(1, *)))
  }
  var file = GGUFBuilder()
  file.entries = [
    ("general.architecture", .text("llama")), ("llama.block_count", .uint32(1)),
    ("llama.embedding_length", .uint32(8)), ("llama.attention.head_count", .uint32(2)),
    ("llama.attention.head_count_kv", .uint32(1)), ("llama.context_length", .uint32(64)),
    ("llama.feed_forward_length", .uint32(6)), ("llama.attention.layer_norm_rms_epsilon", .float(1e-5)),
  ]
  file.tensors = [
    tensor("token_embd", [9, 8]), tensor("output_norm", [8]), tensor("blk.0.attn_norm", [8]),
    tensor("blk.0.ffn_norm", [8]), tensor("blk.0.attn_q", [8, 8]), tensor("blk.0.attn_k", [4, 8]),
    tensor("blk.0.attn_v", [4, 8]), tensor("blk.0.attn_output", [8, 8]), tensor("blk.0.ffn_gate", [6, 8]),
    tensor("blk.0.ffn_up", [6, 8]), tensor("blk.0.ffn_down", [8, 6]),
  ]
  return file
}

extension GGUFBuilder {
  fileprivate mutating func set(_ key: String, _ value: Value) {
    entries.removeAll { $0.key == key }
    entries.append((key, value))
  }

  fileprivate mutating func rename(_ architecture: String) {
    entries = entries.map { entry in
      entry.key.hasPrefix("llama.") ? (architecture + entry.key.dropFirst(5), entry.value) : entry
    }
    set("general.architecture", .text(architecture))
  }
}

/// Opens the model; the error for it, or "".
private func message(_ file: GGUFBuilder) throws -> String {
  try withTemporaryFolder { folder in
    try writeAtomically(file.bytes, to: folder + "/m.gguf")
    do { _ = try FrozenModel(path: folder + "/m.gguf") } catch let error as InputError { return error.description }
    return ""
  }
}

@Suite struct GGUFModelTests {
  @Test func aSmallModelOpens() throws { #expect(try message(small()) == "") }

  /// What llama.cpp takes too: factors that scale nothing, a part for images, no key-value heads of their own.
  @Test func whatChangesNothingIsTaken() throws {
    var file = small()
    file.set("llama.rope.scaling.factor", .float(0))
    file.set("llama.expert_count", .uint32(0))
    file.set("llama.logit_scale", .float(1))
    file.set("general.name", .uint32(7))
    file.set("split.count", .uint32(0))
    file.tensors.append(.init("v.patch_embd.weight", [2], [1, 1]))
    #expect(try message(file) == "")
    file = small()
    file.entries.removeAll { $0.key == "llama.attention.head_count_kv" }
    #expect(try message(file).contains("tensor \"blk.0.attn_k.weight\" has shape [4, 8], the metadata asks for [8, 8]"))
  }

  typealias Fault = GGUFBuilder.Fault

  static let faults = [
    Fault("no architecture", "\"general.architecture\" must be") { $0.entries.removeFirst() },
    Fault("an unknown architecture", "is \"mamba\"; expected a language model of bloom, falcon") { $0.rename("mamba") },
    Fault("a projector", "a vision or audio projector") { $0.rename("clip") },
    Fault("an embedding model", "an embedding model") { $0.rename("nomic-bert") },
    Fault("an adapter", "\"general.type\" must be \"model\"") { $0.set("general.type", .text("adapter")) },
    Fault("no size", "lacks \"llama.block_count\", which this architecture needs") {
      $0.entries.removeAll { $0.key == "llama.block_count" }
    },
    Fault("no epsilon", "lacks \"llama.attention.layer_norm_rms_epsilon\"") {
      $0.entries.removeAll { $0.key == "llama.attention.layer_norm_rms_epsilon" }
    },
    Fault("a size of another type", "\"llama.block_count\" must be a whole number from 1 to 10000") {
      $0.set("llama.block_count", .text("one"))
    },
    Fault("a size of 0", "\"llama.embedding_length\" must be a whole number") {
      $0.set("llama.embedding_length", .uint32(0))
    },
    Fault("heads that do not divide", "\"llama.attention.head_count\" must be a divisor") {
      $0.set("llama.attention.head_count", .uint32(3))
    },
    Fault("too many heads", "\"llama.attention.head_count\"") {
      $0.set("llama.attention.head_count", .uint64(1 << 50))
      $0.set("llama.attention.key_length", .uint64(1 << 50))
    },
    Fault("no heads", "\"llama.attention.head_count\"") { $0.set("llama.attention.head_count", .uint32(0)) },
    Fault("a size for each layer", "\"llama.feed_forward_length\" must be one value, the same for all layers") {
      $0.set("llama.feed_forward_length", .uint32s([6, 7]))
    },
    Fault("experts", "\"llama.expert_count\" must be missing or 0") { $0.set("llama.expert_count", .uint32(8)) },
    Fault("not causal", "\"llama.attention.causal\" must be true") { $0.set("llama.attention.causal", .flag(false)) },
    Fault("other values than keys", "\"llama.attention.value_length\" must be that of the keys") {
      $0.set("llama.attention.key_length", .uint32(4))
      $0.set("llama.attention.value_length", .uint32(6))
    },
    Fault("a part rotated", "\"llama.rope.dimension_count\" must be the size of a head, 4") {
      $0.set("llama.rope.dimension_count", .uint32(2))
    },
    Fault("an unknown scaling", "\"llama.rope.scaling.type\" must be \"none\", \"linear\" or \"yarn\"") {
      $0.set("llama.rope.scaling.type", .text("spiral"))
    },
    Fault("frequencies of another size", "tensor \"rope_freqs.weight\" must be 2 positive numbers, found 3") {
      $0.tensors.append(.init("rope_freqs.weight", [3], [1, 1, 1]))
    },
    Fault("half a LongRoPE", "lacks the tensor \"rope_factors_short.weight\"") {
      $0.tensors.append(.init("rope_factors_long.weight", [2], [1, 1]))
    },
    Fault("a scaling of another type", "\"llama.rope.scaling.type\" must be a string") {
      $0.set("llama.rope.scaling.type", .uint32(1))
    },
    Fault("a factor of angles", "\"llama.rope.scaling.attn_factor\" must be missing or 1") {
      $0.set("llama.rope.scaling.attn_factor", .float(1.2))
    },
    Fault("a scaling that is negative", "\"llama.rope.scaling.factor\" must be a positive number") {
      $0.set("llama.rope.scaling.factor", .float(-2))
    },
    Fault("another scale of scores", "\"llama.attention.scale\" must be missing or 0") {
      $0.set("llama.attention.scale", .float(0.5))
    },
    Fault("other logits", "\"llama.logit_scale\" must be missing or 0 or 1") { $0.set("llama.logit_scale", .float(2)) },
    Fault("a rotary size of another type", "\"llama.rope.dimension_count\" must be a whole number") {
      $0.set("llama.rope.dimension_count", .text("x"))
    },
    Fault("the same huge number for each layer", "\"llama.attention.head_count\"") {
      $0.set(
        "llama.attention.head_count",
        .raw(
          9,
          [11, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
            + Array(repeating: [255, 255, 255, 255, 255, 255, 255, 127], count: 2).joined()))
    },
    Fault("a tensor that is not used", "has the tensor \"blk.0.attn_output.bias\", which models of this architecture") {
      $0.tensors.append(.init("blk.0.attn_output.bias", [8], [Float](repeating: 1, count: 8)))
    },
    Fault("a layer that is not used", "has the tensor \"blk.1.attn_norm.weight\"") {
      $0.tensors.append(.init("blk.1.attn_norm.weight", [8], [Float](repeating: 1, count: 8)))
    },
    Fault("too many key-value heads", "\"llama.attention.head_count_kv\"") {
      $0.set("llama.attention.head_count_kv", .uint64(1 << 62))
    },
    Fault("no embeddings", "lacks the tensor \"token_embd.weight\"") { $0.tensors.removeFirst() },
    Fault("no tensor", "lacks the tensor \"blk.0.attn_k.weight\" of shape [4, 8]") { $0.tensors.remove(at: 5) },
    Fault("experts' tensors", "it is a mixture of experts") { $0.tensors[9].name = "blk.0.ffn_up_exps.weight" },
    Fault("another shape", "tensor \"blk.0.ffn_up.weight\" has shape [6, 8], the metadata asks for [5, 8]") {
      $0.set("llama.feed_forward_length", .uint32(5))
      $0.tensors[8].shape = [8, 5]
      $0.tensors[8].bytes.removeLast(32)
    },
    Fault("blocks that are not read", "is IQ2_XXS, expected F32, F16, BF16, Q4_0") {
      $0.tensors[4] = .init(
        name: "blk.0.attn_q.weight", shape: [256, 256], type: 16, bytes: [UInt8](repeating: 0, count: 256 * 66))
      $0.set("llama.embedding_length", .uint32(256))
    },
    Fault("a norm that is no number", "\"output_norm.weight\" is I8, expected F32") {
      $0.tensors[1] = .init(name: "output_norm.weight", shape: [8], type: 24, bytes: [UInt8](repeating: 0, count: 8))
    },
  ]

  @Test(arguments: faults)
  func wrongModelsAreErrors(fault: Fault) throws {
    var file = small()
    fault.change(&file)
    let found = try message(file)
    #expect(found.contains(fault.expected) && found.contains("m.gguf"), "\(found)")
  }
}
