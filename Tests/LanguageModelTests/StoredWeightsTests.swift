import Diagnostics
import FileFormats
import Glibc
import LanguageModel
import System
import Testing
import TestSupport

/// A tensor of a model's file, to write under another name.
private struct RawTensor {
  var name: String
  var type: String
  var shape: [Int]
  var bytes: [UInt8]

  init(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }
}

private func tensors(of folder: String) throws -> [RawTensor] {
  try SafetensorsFile(path: folder + "/model.safetensors").tensors.map {
    RawTensor($0.name, $0.type.name, $0.shape, Array($0.bytes))
  }
}

private func file(_ tensors: [RawTensor]) -> [UInt8] {
  var members: [JSON.Member] = []
  var data: [UInt8] = []
  for tensor in tensors {
    let offsets = [data.count, data.count + tensor.bytes.count]
    data += tensor.bytes
    members.append(
      .init(
        tensor.name,
        .object([
          .init("dtype", .string(tensor.type)), .init("shape", .array(tensor.shape.map(JSON.integer))),
          .init("data_offsets", .array(offsets.map(JSON.integer))),
        ])))
  }
  let header = Array(JSON.object(members).compact.utf8)
  return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
}

private func configuration(_ golden: FamilyGoldens.Case, _ key: String, _ value: JSON) throws -> String {
  let members = try #require(JSON.read(file: golden.folder + "/config.json").object).filter { $0.key != key }
  return JSON.object(members + [.init(key, value)]).compact
}

private let heads = ["lm_head.", "embed_out."]
private let words = ["wte.weight", "embed_tokens.weight", "word_embeddings.weight", "embed_in.weight"]

private func isWords(_ tensor: RawTensor) -> Bool { words.contains { tensor.name.hasSuffix($0) } }
private func isHead(_ tensor: RawTensor) -> Bool { heads.contains { tensor.name.hasPrefix($0) } }

private func message(of folder: String) -> String {
  do { _ = try FrozenModel(path: folder) } catch { return "\(error)" }
  return "no error"
}

/// Weights as people's files have them.
@Suite struct StoredWeightsTests {
  private func withModel(
    _ golden: FamilyGoldens.Case, tensors: [RawTensor], configuration: String? = nil, _ body: (String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(file(tensors), to: folder + "/model.safetensors")
      let own = try String(decoding: readBytes(of: golden.folder + "/config.json"), as: UTF8.self)
      try writeAtomically(configuration ?? own, to: folder + "/config.json")
      try body(folder)
    }
  }

  private func error(_ folder: String, _ golden: FamilyGoldens.Case) throws -> Double {
    try worstError(of: folder, ids: golden.ids, logits: golden.tensors, golden.name + ".logits")
  }

  /// The names of other families, of models in models, and of wrappers.
  @Test(arguments: try FamilyGoldens().cases)
  func everyPrefixIsRead(golden: FamilyGoldens.Case) throws {
    let stored = try tensors(of: golden.folder)
    let own = try #require(
      ["model.decoder.", "model.", "transformer.", "gpt_neox."].first { prefix in
        stored.contains { $0.name.hasPrefix(prefix) && isWords($0) }
      })
    for (body, head) in [
      ("", ""), ("model.", ""), ("transformer.", ""), ("decoder.", ""), ("model.decoder.", ""), ("gpt_neox.", ""),
      ("language_model.model.", "language_model."), ("model.language_model.", ""), ("module." + own, "module."),
      ("_orig_mod." + own, "_orig_mod."), ("module._orig_mod." + own, "module._orig_mod."),
    ] {
      let renamed = stored.map { tensor in
        var copy = tensor
        copy.name = isHead(tensor) ? head + tensor.name : body + tensor.name.dropFirst(own.count)
        return copy
      }
      try withModel(golden, tensors: renamed) { try #expect(error($0, golden) < 1e-4, "\(body)") }
    }
    // Compiled or sharded layer by layer.
    let inside = stored.map { tensor in
      var copy = tensor
      copy.name = tensor.name.split(separator: ".").map { Int($0) == nil ? $0 : "\($0)._orig_mod" }
        .joined(separator: ".")
      return copy
    }
    try withModel(golden, tensors: inside) { try #expect(error($0, golden) < 1e-4) }
  }

  @Test func differentTensorsForOneNameAreRefused() throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "llama" })
    let stored = try tensors(of: golden.folder)
    let words = try #require(stored.first(where: isWords))
    func other(_ name: String) -> RawTensor {
      RawTensor(name, words.type, words.shape, [UInt8](repeating: 0, count: words.bytes.count))
    }
    for name in ["embed_tokens.weight", "language_model.model.embed_tokens.weight", "decoder.embed_tokens.weight"] {
      for stored in [stored + [other(name)], [other(name)] + stored] {
        try withModel(golden, tensors: stored) {
          let found = message(of: $0)
          #expect(found.contains("could both be \"model.embed_tokens.weight\"; remove one of them"))
          #expect(found.contains("\"\(name)\"") && found.contains("\"model.embed_tokens.weight\" "))
        }
      }
      // The same tensor twice is no question.
      let same = RawTensor(name, words.type, words.shape, words.bytes)
      try withModel(golden, tensors: stored + [same]) { try #expect(error($0, golden) < 1e-4) }
    }
    let others = [other("module.model.embed_tokens.weight"), other("decoder.embed_tokens.weight")]
    try withModel(golden, tensors: stored.filter { !isWords($0) } + others) { try #expect(!error($0, golden).isZero) }
    let wider = RawTensor("module.lm_head.weight", "F32", [1], [0, 0, 0, 0])
    try withModel(golden, tensors: stored + [wider]) { #expect(message(of: $0).contains("could both be")) }
  }

  /// A head within the family's prefix is none for transformers.
  @Test(arguments: try FamilyGoldens().cases, [true, false])
  func aHeadWithinThePrefixIsRefused(golden: FamilyGoldens.Case, isTied: Bool) throws {
    let stored = try tensors(of: golden.folder).filter { !isHead($0) || $0.name.hasSuffix("bias") }
    let words = try #require(stored.first(where: isWords))
    let prefix = try #require(
      ["model.decoder.", "model.", "transformer.", "gpt_neox."].first { words.name.hasPrefix($0) })
    let head = golden.name.hasPrefix("gpt_neox") ? "embed_out.weight" : "lm_head.weight"
    let zeros = RawTensor(prefix + head, words.type, words.shape, [UInt8](repeating: 0, count: words.bytes.count))
    let configuration = try configuration(golden, "tie_word_embeddings", .bool(isTied))
    try withModel(golden, tensors: stored + [zeros], configuration: configuration) {
      #expect(message(of: $0).contains("tensor \"\(prefix)\(head)\" is within \"\(prefix)\""), "\(message(of: $0))")
    }
  }

  /// As transformers has it: a stored head counts although config.json ties it, unless it equals the embeddings.
  @Test(arguments: try FamilyGoldens().cases)
  func aHeadOfItsOwnCounts(golden: FamilyGoldens.Case) throws {
    let stored = try tensors(of: golden.folder).filter { !isHead($0) || $0.name.hasSuffix("bias") }
    let words = try #require(stored.first(where: isWords))
    let name = golden.name.hasPrefix("gpt_neox") ? "embed_out.weight" : "lm_head.weight"
    let same = RawTensor(name, words.type, words.shape, words.bytes)
    // Other rows: each token has the logits of another.
    let row = words.bytes.count / words.shape[0]
    let moved = RawTensor(name, words.type, words.shape, Array(words.bytes[row...] + words.bytes[..<row]))
    let tied = try configuration(golden, "tie_word_embeddings", .bool(true))
    let untied = try configuration(golden, "tie_word_embeddings", .bool(false))
    func scores(_ tensors: [RawTensor], _ configuration: String) throws -> Scores {
      var found = Scores(scores: [], parameters: 0)
      try withModel(golden, tensors: tensors, configuration: configuration) { folder in
        let decoder = try FrozenModel(path: folder).decoder
        found = Scores(scores: logProbabilities(decoder, golden.ids), parameters: decoder.parameters)
      }
      return found
    }
    struct Scores: Equatable {
      let scores: [Double]
      let parameters: Int
    }
    let usual = try scores(stored, tied)
    let own = try scores(stored + [moved], tied)
    try #expect(own == scores(stored + [moved], untied))
    #expect(own.scores != usual.scores && own.parameters == usual.parameters + words.shape[0] * words.shape[1])
    try #expect(scores(stored + [same], tied) == usual)
    try #expect(scores(stored.filter { !isWords($0) } + [same], tied) == usual)
    try withModel(golden, tensors: stored, configuration: untied) {
      #expect(message(of: $0).contains("lacks the tensor \"\(name)\""))
    }
  }

  /// GPT-2, whose golden case is among those of the method.
  @Test func gpt2() throws {
    let source = fixtures + "/parity/variant-bf16-untied-gelu"
    let stored = try tensors(of: source)
    func scores(_ tensors: [RawTensor], isTied: Bool) throws -> [Double] {
      try withTemporaryFolder { folder in
        let members = try #require(JSON.read(file: source + "/config.json").object)
        let tied = JSON.Member("tie_word_embeddings", .bool(isTied))
        try writeAtomically(JSON.object(members + [tied]).compact, to: folder + "/config.json")
        try writeAtomically(file(tensors), to: folder + "/model.safetensors")
        return try logProbabilities(FrozenModel(path: folder).decoder, [3, 1, 4, 1, 5])
      }
    }
    let expected = try scores(stored, isTied: false)
    #expect(try scores(stored, isTied: true) == expected)
    #expect(try scores(stored.filter { !isHead($0) }, isTied: true) != expected)
    for prefix in ["", "module.transformer.", "_orig_mod.transformer.", "language_model.model."] {
      let renamed = stored.map { tensor in
        var copy = tensor
        if !isHead(tensor) { copy.name = prefix + tensor.name.replacing("transformer.", with: "") }
        return copy
      }
      #expect(try scores(renamed, isTied: false) == expected, "\(prefix)")
    }
  }

  /// Buffers, other types, and whatever else belongs to no weight of the family.
  @Test(arguments: try FamilyGoldens().cases)
  func tensorsNobodyAsksForAreNotLookedAt(golden: FamilyGoldens.Case) throws {
    let others = [
      RawTensor("freqs_cis", "C64", [2], [UInt8](repeating: 0xFF, count: 16)),
      RawTensor("model.layers.0.self_attn.rotary_emb.inv_freq", "F8_E8M0", [3], [1, 2, 3]),
      RawTensor("transformer.h.0.attn.bias", "BOOL", [1, 1, 2, 2], [1, 0, 1, 1]),
      RawTensor("vision_tower.x", "F4", [4], [1, 2]), RawTensor("x\u{E9}", "F77", [5, 5], [1, 2, 3]),
      RawTensor("xe\u{301}", "F6_E3M2", [4], [1, 2, 3]), RawTensor("empty", "F32", [0], []),
    ]
    try withModel(golden, tensors: try tensors(of: golden.folder) + others) {
      try #expect(error($0, golden) < 1e-4)
    }
  }

  /// Writes an index that gives each tensor's file.
  private func writeIndex(_ entries: [(String, String)], to folder: String) throws {
    let map = JSON.object(entries.map { JSON.Member($0, .string($1)) })
    try writeAtomically(
      JSON.object([.init("weight_map", map)]).compact, to: folder + "/model.safetensors.index.json")
  }

  /// Like transformers: the index gives the names of the shards, and each tensor is where it is.
  @Test func anIndexMayNameTheWrongShard() throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "opt" })
    let stored = try tensors(of: golden.folder)
    let first = Array(stored[..<5]), second = Array(stored[5...])
    try withTemporaryFolder { folder in
      func index(_ entries: [(String, String)]) throws { try writeIndex(entries, to: folder) }
      try writeAtomically(readBytes(of: golden.folder + "/config.json"), to: folder + "/config.json")
      try writeAtomically(file(first), to: folder + "/a.safetensors")
      try writeAtomically(file(second), to: folder + "/b.safetensors")
      let swapped = first.map { ($0.name, "b.safetensors") } + second.map { ($0.name, "a.safetensors") }
      try index(swapped + [("nobody's", "b.safetensors"), ("lm_head.bias", "gone.safetensors")])
      try #expect(error(folder, golden) < 1e-4)
      try removeRecursively(folder + "/b.safetensors")
      #expect(message(of: folder).contains("nor is b.safetensors, which the index lists: download it too"))
      try removeRecursively(folder + "/a.safetensors")
      #expect(message(of: folder).contains("lists a.safetensors, b.safetensors, gone.safetensors, not found"))
      try index([])
      #expect(message(of: folder).contains("expected an object \"weight_map\""))
    }
  }

  /// A tensor in a file that the index forgets, or that is not where the index says.
  @Test(arguments: ["lm_head.weight", "model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
  func aTensorOutsideTheIndexIsNamedWithItsFile(name: String) throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "llama" })
    let stored = try tensors(of: golden.folder)
    try withTemporaryFolder { folder in
      func index(_ entries: [(String, String)]) throws { try writeIndex(entries, to: folder) }
      try writeAtomically(readBytes(of: golden.folder + "/config.json"), to: folder + "/config.json")
      let others = stored.filter { $0.name != name }
      try writeAtomically(file(others), to: folder + "/a.safetensors")
      try writeAtomically(file(stored.filter { $0.name == name }), to: folder + "/b.safetensors")
      // Not listed at all, or listed in another file of the index.
      for extra in [[], [(name, "a.safetensors")]] {
        try index(others.map { ($0.name, "a.safetensors") } + extra)
        let found = message(of: folder)
        #expect(found.contains("lacks the tensor \"\(name)\"") && found.contains("b.safetensors has it, but the index"))
        #expect(!found.contains("tie_word_embeddings"))
      }
      try index(others.map { ($0.name, "a.safetensors") } + [(name, "b.safetensors")])
      try #expect(error(folder, golden) < 1e-4)
      try index(others.map { ($0.name, "a.safetensors") } + [(name, "a.safetensors")])
      try removeRecursively(folder + "/b.safetensors")
      #expect(message(of: folder).contains("the index says it is in a.safetensors: download that file again"))
      try writeAtomically(readBytes(of: folder + "/a.safetensors"), to: folder + "/model.safetensors")
      try writeAtomically(file(stored.filter { $0.name == name }), to: folder + "/b.safetensors")
      #expect(
        message(of: folder).contains("b.safetensors has it, but beside a model.safetensors no other file is read"))
    }
  }

  /// A pipe is not waited for, a device not read.
  @Test(arguments: ["config.json", "model.safetensors", "model.safetensors.index.json"])
  func aPipeOrDeviceIsNoFile(name: String) throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "llama" })
    for isPipe in [true, false] {
      try withTemporaryFolder { folder in
        try writeAtomically(readBytes(of: golden.folder + "/config.json"), to: folder + "/config.json")
        try removeRecursively(folder + "/" + name)
        if isPipe {
          #expect(mkfifo(folder + "/" + name, 0o600) == 0)
        } else {
          #expect(symlink("/dev/zero", folder + "/" + name) == 0)
        }
        #expect(message(of: folder).contains("/\(name): is not a regular file"), "\(message(of: folder))")
      }
    }
  }

  @Test(arguments: [
    ("pytorch_model.bin", "save_pretrained"), ("tf_model.h5", "it has tf_model.h5"),
    ("adapter_config.json", "the folder is an adapter's"),
    ("consolidated.safetensors", "rename it if it is the whole model"), ("README.md", "expected the folder of"),
  ])
  func aFolderWithoutWeightsSaysWhatItHas(name: String, remedy: String) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(#"{"model_type": "llama"}"#, to: folder + "/config.json")
      try writeAtomically("x", to: folder + "/" + name)
      #expect(
        message(of: folder).contains("model.safetensors: not found, nor ") && message(of: folder).contains(remedy))
      try removeRecursively(folder + "/config.json")
      #expect(message(of: folder).contains("config.json: not found; ") && message(of: folder).contains(remedy))
      #expect(message(of: folder + "/" + name).contains("expected a GGUF file or the folder of a Hugging Face model"))
    }
  }

  @Test(arguments: [
    (
      #"{"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}"#,
      "save the text part (\"gemma3_text\") alone"
    ),
    (
      #"{"model_type": "llama", "quantization_config": {"quant_method": "fp8"}}"#,
      "download the model's original weights"
    ),
    ("{}", "\"model_type\" must be a known family"), ("", "config.json: is empty, expected JSON"),
    ("version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
    ("{\0}\0", "is UTF-16 text (save it as UTF-8"), ("\0{\0}", "is UTF-16 text (save it as UTF-8"),
  ])
  func aConfigurationOfAnotherKindSaysWhatItIs(text: String, remedy: String) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/config.json")
      #expect(message(of: folder).contains(remedy), "\(message(of: folder))")
    }
  }

  @Test(arguments: [
    ("lora_A.weight", "merge_and_unload"), ("qweight", "download the original weights"),
    ("other", "are config.json and weights of the same model?"),
  ])
  func aMissingTensorSaysWhy(suffix: String, remedy: String) throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "llama" })
    let renamed = try tensors(of: golden.folder).map { tensor in
      var copy = tensor
      copy.name = tensor.name.replacing(".q_proj.weight", with: ".q_proj." + suffix)
      return copy
    }
    try withModel(golden, tensors: renamed) { folder in
      let found = message(of: folder)
      #expect(found.contains("lacks the tensor \"model.layers.0.self_attn.q_proj.weight\"") && found.contains(remedy))
    }
  }
}
