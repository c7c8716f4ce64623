import Diagnostics
import FileFormats

/// How llama.cpp writes a family to GGUF: the metadata and tensors that stand for those of transformers.
///
/// Source: llama.cpp, `convert_hf_to_gguf.py`, `gguf-py/gguf/tensor_mapping.py`, `src/llama-model.cpp`.
package struct GGUFArchitecture: Sendable {
  /// The `model_type` of the family in transformers.
  let modelType: String
  /// The keys of config.json with those of the metadata, without the architecture's name before them.
  let keys: [Key]
  /// The names of transformers within the family's prefix with those of GGUF, without "weight" or "bias"; `#` stands for
  /// the layer.
  let tensors: [(name: String, stored: String)]
  /// Whether the rows of queries and keys are stored in pairs.
  var pairsRotatedRows = false
  /// Adds what the metadata says in another way, or not at all.
  var complete: @Sendable (inout GGUFConfiguration) throws -> Void = { _ in }

  /// A key of config.json, that of the metadata, and whether it must be there.
  struct Key: Sendable {
    let name: String
    let stored: String
    let isRequired: Bool

    static func required(_ name: String, _ stored: String) -> Key { Key(name: name, stored: stored, isRequired: true) }
    static func optional(_ name: String, _ stored: String) -> Key { Key(name: name, stored: stored, isRequired: false) }
  }

  /// The sizes of all families.
  static let sizes: [Key] = [
    .required("num_hidden_layers", "block_count"), .required("hidden_size", "embedding_length"),
    .required("num_attention_heads", "attention.head_count"),
    .optional("num_key_value_heads", "attention.head_count_kv"),
    .required("max_position_embeddings", "context_length"), .optional("head_dim", "attention.key_length"),
  ]

  /// All architectures, by `general.architecture`.
  package static let all: [String: GGUFArchitecture] = [
    "bloom": bloom, "falcon": falcon, "gemma": gemma, "gemma2": gemma2, "gemma3": gemma3, "gpt2": gpt2,
    "gptj": gptJ, "gptneox": gptNeoX, "llama": llama, "olmo2": olmo2, "phi2": phi2, "phi3": phi3, "qwen2": qwen2,
    "qwen3": qwen3, "starcoder2": starCoder2,
  ]

  /// The architecture of a model.
  ///
  /// - Throws: `InputError.badData` for one that is no supported language model.
  static func of(_ model: GGUFModel) throws -> (name: String, architecture: GGUFArchitecture) {
    let key = "general.architecture"
    guard let name = try model.metadata.text(key) else {
      throw model.metadata.invalid(key, "the name of a model's architecture")
    }
    if let architecture = all[name], try ["model", nil].contains(model.metadata.text("general.type")) {
      return (name, architecture)
    }
    let known = "a language model of \(all.keys.sorted().joined(separator: ", "))"
    if let kind = try model.metadata.text("general.type"), kind != "model" {
      throw model.metadata.invalid("general.type", "\"model\", \(known)")
    }
    let others = [
      "clip": "a vision or audio projector; give the language model it belongs to",
      "bert": "an embedding model", "nomic-bert": "an embedding model", "jina-bert-v2": "an embedding model",
      "t5": "an encoder-decoder", "t5encoder": "an embedding model",
    ]
    throw InputError.badData(
      model.path,
      "\"\(key)\" is \(JSON.string(name).compact)\(others[name].map { ", \($0)" } ?? ""); expected \(known)")
  }

  /// The name in GGUF of a tensor of transformers: "layers.3.self_attn.q_proj.weight" → "blk.3.attn_q.weight"; nil: the
  /// family has no such tensor in GGUF.
  func stored(_ name: String) -> String? {
    var parts = name.split(separator: ".").map(String.init)
    guard let kind = parts.popLast() else { return nil }
    let layer = parts.firstIndex { Int($0) != nil }
    let number = layer.map { parts[$0] } ?? ""
    if let layer { parts[layer] = "#" }
    let pattern = parts.joined(separator: ".")
    guard let found = tensors.first(where: { $0.name == pattern })?.stored else { return nil }
    return found.split(separator: ".").map { $0 == "#" ? number : String($0) }.joined(separator: ".") + "." + kind
  }
}

/// The metadata of a GGUF file as the config.json of its family.
struct GGUFConfiguration {
  /// The name of the architecture, which begins its keys.
  let name: String
  let model: GGUFModel
  private(set) var members: [JSON.Member] = []
  /// The keys of the metadata that the members come from.
  private(set) var origins: [String: String] = [:]

  /// The metadata in the terms of an architecture.
  ///
  /// - Throws: `InputError.badData` naming the key of the metadata.
  init(_ model: GGUFModel, _ name: String, _ architecture: GGUFArchitecture) throws {
    self.model = model
    self.name = name
    try refuseUnknownMathematics()
    for key in architecture.keys {
      if try !take(key.name, from: key.stored), key.isRequired {
        throw InputError.badData(
          model.path, "lacks \"\(name).\(key.stored)\", which this architecture needs; convert the model again")
      }
    }
    if integer("num_key_value_heads") == nil, let heads = integer("num_attention_heads"), !has("num_key_value_heads") {
      set("num_key_value_heads", .integer(heads))
    }
    guard let words = model[tensor: "token_embd.weight"], words.shape.count == 2 else {
      throw InputError.badData(
        model.path, "lacks the tensor \"token_embd.weight\" with the word embeddings; is it a whole language model?")
    }
    set("vocab_size", .integer(words.shape[0]))
    set("tie_word_embeddings", .bool(!hasTensor("output.weight")))
    try addRotary()
    try architecture.complete(&self)
  }

  /// Refuses values that would change the mathematics in ways that no family here knows.
  ///
  /// - Throws: `InputError.badData` naming the key of the metadata.
  private func refuseUnknownMathematics() throws {
    // What changes nothing.
    let neutral: [(key: String, numbers: [Double])] = [
      ("expert_count", [0]), ("attention.scale", [0]), ("attention.clamp_kqv", [0]), ("logit_scale", [0, 1]),
      ("embedding_scale", [0, 1]), ("residual_scale", [0, 1]),
      ("attention.max_alibi_bias", [name == "bloom" ? 8 : 0]), ("rope.scaling.yarn_ext_factor", [1, -1]),
      ("rope.scaling.yarn_log_multiplier", [0]),
    ]
    for (key, numbers) in neutral {
      guard let number = try number(key), !numbers.contains(number) else { continue }
      let known = numbers.map { $0 == $0.rounded() ? String(Int($0)) : String($0) }.joined(separator: " or ")
      throw model.metadata.invalid("\(name).\(key)", "missing or \(known); cpt does not know other values")
    }
    if try metadata("attention.causal") ?? .bool(true) != .bool(true) {
      throw model.metadata.invalid("\(name).attention.causal", "true; this is no model of text from left to right")
    }
    if let value = try metadata("attention.value_length"), let key = try metadata("attention.key_length"), value != key
    {
      throw model.metadata.invalid("\(name).attention.value_length", "that of the keys (\(key.shortDescription))")
    }
  }

  /// The value of a key of the architecture; nil if it is missing.
  ///
  /// - Throws: `InputError.badData` for lists of different numbers.
  func metadata(_ key: String) throws -> JSON? {
    guard let value = model.metadata["\(name).\(key)"] else { return nil }
    guard let json = value.json else {
      throw model.metadata.invalid("\(name).\(key)", "one value, the same for all layers")
    }
    return json
  }

  private func value<Value>(_ key: String, _ expected: String, _ read: (JSON) -> Value?) throws -> Value? {
    guard let json = try metadata(key) else { return nil }
    guard let value = read(json) else { throw model.metadata.invalid("\(name).\(key)", expected) }
    return value
  }

  /// A whole number of the metadata; nil if it is missing.
  func whole(_ key: String) throws -> Int? { try value(key, "a whole number", \.integer) }

  /// A number of the metadata; nil if it is missing.
  func number(_ key: String) throws -> Double? {
    try value(key, "a number") { json in json.number.flatMap { $0.isFinite ? $0 : nil } }
  }

  /// A string of the metadata; nil if it is missing.
  func text(_ key: String) throws -> String? { try value(key, "a string", \.string) }

  func hasTensor(_ name: String) -> Bool { model[tensor: name] != nil }

  /// Whether the query projections have biases, alone or fused with the keys' and the values'.
  var hasQueryBias: Bool { hasTensor("blk.0.attn_q.bias") || hasTensor("blk.0.attn_qkv.bias") }

  /// The outputs of the feed-forward's first layer, by its shape: some converters write another number.
  mutating func setFeedForward(_ key: String) {
    if let up = model[tensor: "blk.0.ffn_up.weight"], up.shape.count == 2 { set(key, .integer(up.shape[0])) }
  }

  /// A number of the metadata as it was taken; nil if it was not.
  func integer(_ key: String) -> Int? { members.last { $0.key == key }?.value.integer }

  private func has(_ key: String) -> Bool { members.contains { $0.key == key } }

  mutating func set(_ key: String, _ value: JSON) {
    members.removeAll { $0.key == key }
    members.append(.init(key, value))
  }

  /// Takes a key from the metadata; false if it is missing there.
  @discardableResult
  mutating func take(_ key: String, from stored: String) throws -> Bool {
    guard let value = try metadata(stored) else { return false }
    set(key, value)
    origins[key] = "\(name).\(stored)"
    return true
  }

  /// The size of a head.
  func headSize() throws -> Int {
    if let size = integer("head_dim") { return size }
    guard let width = integer("hidden_size"), let heads = integer("num_attention_heads"), heads > 0, width % heads == 0
    else { throw model.metadata.invalid("\(name).attention.head_count", "a divisor of the width") }
    return width / heads
  }

  /// The outputs of the query projections, and of the key or the value projections.
  func headOutputs() throws -> (queries: Int, keys: Int) {
    let size = try headSize(), heads = integer("num_attention_heads") ?? 0
    let (queries, overflows) = size.multipliedReportingOverflow(by: heads)
    let (keys, keysOverflow) = size.multipliedReportingOverflow(by: integer("num_key_value_heads") ?? heads)
    // Far beyond the sizes that ConfigFile allows, but their sums must not overflow.
    let allowed = 0..<(1 << 40)
    guard !overflows, allowed.contains(queries) else {
      throw model.metadata.invalid("\(name).attention.head_count", "a number of heads that fits the width")
    }
    guard !keysOverflow, allowed.contains(keys) else {
      throw model.metadata.invalid("\(name).attention.head_count_kv", "a number of heads that fits the width")
    }
    return (queries, keys)
  }

  /// The share of a head that is rotated, as `rope.dimension_count` says.
  mutating func setRotatedShare(_ key: String) throws {
    guard let rotated = try whole("rope.dimension_count") else { return }
    let size = try headSize()
    guard rotated > 0, rotated <= size, rotated % 2 == 0 else {
      throw model.metadata.invalid("\(name).rope.dimension_count", "an even number of at most a head's \(size) numbers")
    }
    // Half a number more: the share times the head's size, rounded down, is the number again.
    set(key, .number(min(1, (Double(rotated) + 0.5) / Double(size))))
  }

  /// Refuses heads that are not the width's share, in families that have no others.
  func requireHeadsOfWidth() throws {
    guard let width = integer("hidden_size"), let heads = integer("num_attention_heads"), heads > 0,
      let size = try whole("attention.key_length"), size != width / heads
    else { return }
    throw model.metadata.invalid("\(name).attention.key_length", "the width divided by the heads, \(width / heads)")
  }

  /// Refuses models of which only a part of each head is rotated, in families that rotate all of it.
  func requireWholeHeadsRotated() throws {
    guard let rotated = try whole("rope.dimension_count"), rotated != (try headSize()) else { return }
    throw model.metadata.invalid("\(name).rope.dimension_count", "the size of a head, \(try headSize())")
  }

  /// The rotary embedding: `rope_theta` and, unless it is plain, `rope_scaling`.
  private mutating func addRotary() throws {
    try take("rope_theta", from: "rope.freq_base")
    if let factors = try factors("rope_freqs.weight") {
      // The frequencies of Llama 3, computed when the model was converted. LongRoPE divides by such factors too.
      return set("rope_scaling", Self.dividedFrequencies(by: factors, factor: 1))
    }
    if let short = try factors("rope_factors_short.weight") {
      set("rope_scaling", Self.dividedFrequencies(by: short, factor: try number("rope.scaling.attn_factor")))
      try take("original_max_position_embeddings", from: "rope.scaling.original_context_length")
      return
    }
    if hasTensor("rope_factors_long.weight") {
      throw InputError.badData(model.path, "lacks the tensor \"rope_factors_short.weight\" beside that of long factors")
    }
    if let factor = try number("rope.scaling.attn_factor"), factor != 1 {
      throw model.metadata.invalid("\(name).rope.scaling.attn_factor", "missing or 1 without tensors of factors")
    }
    let factorKey = try metadata("rope.scaling.factor") == nil ? "rope.scale_linear" : "rope.scaling.factor"
    let factor = try number(factorKey) ?? 0
    let named: [(key: String, stored: String)]
    let type = try text("rope.scaling.type") ?? "linear"
    switch type {
    case "none": return
    // 0 means no scaling.
    case "linear" where [0, 1].contains(factor): return
    case "linear": named = [("factor", factorKey)]
    case "yarn":
      named = [
        ("factor", "rope.scaling.factor"),
        ("original_max_position_embeddings", "rope.scaling.original_context_length"),
        ("attention_factor", "rope.scaling.yarn_attn_factor"), ("beta_fast", "rope.scaling.yarn_beta_fast"),
        ("beta_slow", "rope.scaling.yarn_beta_slow"),
      ]
    default: throw model.metadata.invalid("\(name).rope.scaling.type", "\"none\", \"linear\" or \"yarn\"")
    }
    var members = [JSON.Member("rope_type", .string(type))]
    for (key, stored) in named {
      guard let value = try metadata(stored) else { continue }
      members.append(.init(key, value))
      origins["rope_scaling.\(key)"] = "\(name).\(stored)"
    }
    set("rope_scaling", .object(members))
  }

  /// The divisors of the rotary frequencies in a tensor; nil if it is missing.
  private func factors(_ tensor: String) throws -> [Double]? {
    guard let stored = model[tensor: tensor] else { return nil }
    let factors = try stored.floats().map(Double.init)
    let count = try (whole("rope.dimension_count") ?? headSize()) / 2
    guard factors.count == count, factors.allSatisfy({ (1e-30...1e30).contains($0) }) else {
      throw InputError.badData(
        model.path,
        "tensor \"\(tensor)\" must be \(count) positive numbers, found "
          + (factors.count == count ? "others" : "\(factors.count)"))
    }
    return factors
  }

  private static func dividedFrequencies(by factors: [Double], factor: Double?) -> JSON {
    let list = JSON.array(factors.map(JSON.number))
    return .object(
      [.init("rope_type", .string("longrope")), .init("short_factor", list), .init("long_factor", list)]
        + (factor.map { [.init("attention_factor", .number($0))] } ?? []))
  }
}
