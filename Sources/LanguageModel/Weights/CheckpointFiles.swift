import Diagnostics
import FileFormats
import Kernels
import System

/// The tensors of a Hugging Face model folder: `model.safetensors`, or shards listed in `model.safetensors.index.json`.
///
/// Matrices of float32, float16 and bfloat16 are used in place in the mapped file. A tensor is found under its family's
/// prefix, without a prefix, or under the prefixes that wrappers of models leave behind ("module.", "_orig_mod.").
/// Tensors that nobody asks for may have any type, and be missing.
struct CheckpointFiles: Sendable {
  private let folder: String
  private let files: [SafetensorsFile]
  /// By the bytes of the name, without the names of wrappers.
  private let tensorsByBareName: [[UInt8]: [StoredTensor]]
  /// The shards that the index lists and the folder lacks.
  private let missingShards: [String]
  /// The names of tensors in the index, and the files that it says have them.
  private let index: [JSON.Member]
  private let prefix: String
  private let quantizing: ThreadTeam?

  /// Opens a folder; tensors are looked up with the prefix before their name, then without, then with any other.
  ///
  /// - Throws: `InputError.missing` for missing files, `InputError.badData` for malformed ones.
  init(folder: String, prefix: String, quantizing team: ThreadTeam? = nil) throws {
    self.folder = folder
    self.prefix = prefix
    quantizing = team
    let single = folder + "/model.safetensors"
    let index = folder + "/model.safetensors.index.json"
    if fileExists(single) {
      files = [try SafetensorsFile(path: single)]
      missingShards = []
      self.index = []
    } else if fileExists(index) {
      // Like transformers, only the names of the files count: each tensor is where it is.
      self.index = try Self.entries(of: index)
      let shards = Set(self.index.compactMap(\.value.string)).sorted()
      let paths = shards.map { folder + "/" + $0 }
      files = try paths.filter(fileExists).map { try SafetensorsFile(path: $0) }
      missingShards = shards.filter { !fileExists(folder + "/" + $0) }
      guard !files.isEmpty else {
        throw InputError.missing(index, "lists \(missingShards.joined(separator: ", ")), not found; download them too")
      }
    } else {
      throw InputError.missing(single, "not found, nor model.safetensors.index.json; " + Self.remedy(folder))
    }
    var tensors: [[UInt8]: [StoredTensor]] = [:]
    for tensor in files.flatMap(\.tensors) { tensors[Self.bareName(tensor.name), default: []].append(tensor) }
    tensorsByBareName = tensors
  }

  /// The entries of an index: each the name of a tensor and that of a file.
  private static func entries(of index: String) throws -> [JSON.Member] {
    guard let map = try JSON.read(file: index, allowing: .nonFinite)["weight_map"]?.object, !map.isEmpty else {
      throw InputError.badData(index, "expected an object \"weight_map\" from tensor names to files")
    }
    for entry in map where entry.value.string?.isEmpty ?? true {
      throw InputError.badData(
        index,
        "\"weight_map\".\"\(entry.key)\" must name a file of this folder, found \(entry.value.shortDescription)")
    }
    return map
  }

  /// What to do about a folder that is no model's, from what it has instead.
  static func remedy(_ folder: String) -> String {
    let all = names(inDirectory: folder)
    if all.contains("adapter_config.json") {
      return "the folder is an adapter's: give that of the model that its adapter_config.json names"
    }
    let found = all.first { name in
      [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".ckpt", ".onnx"].contains(
        where: name.hasSuffix)
    }
    guard let found else { return "expected the folder of a Hugging Face model in safetensors" }
    if found == "model.safetensors" { return "download it too" }
    if found.hasSuffix(".safetensors") { return "it has \(found): rename it if it is the whole model" }
    return "it has \(found): download the model's safetensors, or let transformers' save_pretrained write them"
  }

  /// Every tensor in the files.
  var tensors: [StoredTensor] { files.flatMap(\.tensors) }

  /// A name without the prefixes of families and the names that wrappers of modules leave.
  private static func bareName(_ name: String) -> [UInt8] {
    // FSDP and torch.compile leave theirs at any depth.
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      .filter { part in !inner.contains { $0.elementsEqual(part) } }
    let first = parts.firstIndex { part in !outer.contains { $0.elementsEqual(part) } } ?? parts.endIndex
    return Array(parts[first...].joined(separator: [UInt8(ascii: ".")]))
  }

  private static let inner = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"].map { Array($0.utf8) }
  private static let outer = [
    "module", "model", "transformer", "decoder", "gpt_neox", "language_model", "text_model", "base_model",
  ].map { Array($0.utf8) }

  /// The tensor with this name in the files; nil: there is none.
  ///
  /// - Throws: `InputError.badData` when several different tensors could be meant.
  private func stored(_ name: String) throws -> StoredTensor? {
    let candidates = tensorsByBareName[Array(name.utf8)] ?? []
    // Of several files with the same name in them, the last counts, as in transformers.
    guard let tensor = candidates.last else { return nil }
    let others = candidates.filter { !$0.name.utf8.elementsEqual(tensor.name.utf8) }
    if let other = others.first(where: { !$0.equals(tensor) }) {
      throw InputError.badData(
        tensor.file.path,
        "tensors \"\(other.name)\" and \"\(tensor.name)\" could both be \"\(prefix)\(name)\"; remove one of them")
    }
    return tensor
  }

  private func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    guard let tensor = try stored(name) else { throw missing(name, shape: shape) }
    guard tensor.shape == shape else {
      throw InputError.badData(
        tensor.file.path,
        "tensor \"\(tensor.name)\" has shape \(tensor.shape), config.json asks for \(shape); are both of the same model?"
      )
    }
    return tensor
  }

  /// The error for a tensor that the files lack, with its probable cause.
  private func missing(_ name: String, shape: [Int]) -> InputError {
    let names = tensors.map(\.name)
    let cause: String
    if let holder = unreadFile(with: name) {
      cause =
        index.isEmpty
        ? "\(holder) has it, but beside a model.safetensors no other file is read: is it the whole model?"
        : "\(holder) has it, but the index does not list this file: add it to model.safetensors.index.json"
    } else if let shard = missingShards.first {
      cause = "nor is \(shard), which the index lists: download it too"
    } else if let entry = index.first(where: { Self.bareName($0.key) == Array(name.utf8) }) {
      cause = "the index says it is in \(entry.value.string ?? ""): download that file again, of the same model"
    } else if let other = names.first(where: { $0.contains("lora_") }) {
      cause = "it has \"\(other)\" of a fine-tuned adapter: save the model after PEFT's merge_and_unload"
    } else if let other = names.first(where: { name in Self.quantizedParts.contains(where: name.hasSuffix) }) {
      cause = "it has \"\(other)\" of a quantised model: download the original weights"
    } else if name == "lm_head.weight" || name == "embed_out.weight" {
      cause = "a model without a head of its own has \"tie_word_embeddings\": true in config.json"
    } else {
      let example = names.first.map { ", such as \"\($0)\"" } ?? ""
      cause = "it has \(names.count) others\(example): are config.json and weights of the same model?"
    }
    let isHead = name.hasPrefix("lm_head.") || name.hasPrefix("embed_out.")
    let path = files.count == 1 ? files[0].file.path : folder
    return .badData(path, "lacks the tensor \"\(isHead ? "" : prefix)\(name)\" of shape \(shape); \(cause)")
  }

  /// A safetensors file of the folder that is not among those read, and has a tensor.
  private func unreadFile(with name: String) -> String? {
    let read = Set(files.map(\.file.path) + missingShards.map { folder + "/" + $0 })
    return names(inDirectory: folder).first { file in
      let path = folder + "/" + file
      guard file.hasSuffix(".safetensors"), !read.contains(path), let found = try? SafetensorsFile(path: path) else {
        return false
      }
      return found.tensors.contains { Self.bareName($0.name) == Array(name.utf8) }
    }
  }

  /// Checks that a head stands outside of what the prefix names, where transformers looks for it.
  ///
  /// - Throws: `InputError.badData` for a head beside the words within the prefix, unless it equals them.
  private func checkPlace(
    of head: StoredTensor, words: StoredTensor, _ headName: String, _ wordsName: String
  ) throws {
    let place = head.name.dropLast(headName.count)
    guard !prefix.isEmpty, place.hasSuffix(prefix), words.name.dropLast(wordsName.count) == place,
      !head.equals(words)
    else { return }
    throw InputError.badData(
      head.file.path,
      "tensor \"\(head.name)\" is within \"\(prefix)\", where transformers does not look for a head; "
        + "call it \"\(headName)\" if it is the model's, or else remove it")
  }

  private static let quantizedParts = [
    ".qweight", ".qzeros", ".scales", ".absmax", ".quant_map", ".SCB", ".weight_scale", ".weight_scale_inv",
    ".weight_packed", ".weight_quantized",
  ]

  /// A vector of this length (a bias, a norm's gain).
  func vector(_ name: String, count: Int) throws -> [Float] {
    try tensor(name, shape: [count]).floats()
  }

  /// A weight matrix of these sizes in this layout.
  func weight(
    _ name: String, inputs: Int, outputs: Int, layout: Weight.Layout = .outputMajor
  ) throws -> Weight {
    let tensor = try tensor(name, shape: layout == .inputMajor ? [inputs, outputs] : [outputs, inputs])
    let formats: [TensorType: Weight.Format] = [.float32: .float32, .float16: .float16, .bfloat16: .bfloat16]
    // BLAS reads float32 and needs it aligned.
    let isReadable = tensor.type != .float32 || tensor.floatsInPlace != nil
    if let format = formats[tensor.type], isReadable, let base = tensor.bytes.baseAddress {
      return Weight(base: base, format: format, inputs: inputs, outputs: outputs, layout: layout, owner: tensor.file)
    }
    try tensor.requireFloats()
    let matrix = Matrix(rows: 1, columns: tensor.count)
    try tensor.widen(into: UnsafeMutableBufferPointer(start: matrix.base, count: tensor.count))
    return Weight(inputs: inputs, outputs: outputs, layout: layout, storage: matrix)
  }

  /// A linear layer of a block: `name.weight` and `name.bias`, if there is one.
  func linear(
    _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool, layout: Weight.Layout = .outputMajor
  ) throws -> LinearLayer {
    var weight = try weight(name + ".weight", inputs: inputs, outputs: outputs, layout: layout)
    if let quantizing {
      weight = weight.quantized(on: quantizing)
      let tensor = try tensor(name + ".weight", shape: layout == .inputMajor ? [inputs, outputs] : [outputs, inputs])
      tensor.file.release(tensor.bytes)
    }
    return LinearLayer(weight: weight, bias: bias ? try vector(name + ".bias", count: outputs) : [])
  }

  /// A layer norm: `name.weight` and `name.bias`.
  func layerNorm(_ name: String, _ size: Int, epsilon: Double, bias: Bool = true) throws -> NormWeights {
    try NormWeights(
      gain: vector(name + ".weight", count: size), bias: bias ? vector(name + ".bias", count: size) : [],
      epsilon: Float(epsilon))
  }

  /// An RMS norm: `name.weight`, to which `offset` is added (Gemma's gain is 1 + w).
  func rmsNorm(_ name: String, _ size: Int, epsilon: Double, offset: Float = 0) throws -> NormWeights {
    try NormWeights(
      .rootMeanSquare, gain: vector(name + ".weight", count: size).map { $0 + offset }, epsilon: Float(epsilon))
  }

  /// The word embeddings `words.weight`, and the head: `head.weight` and `head.bias`, if there is one.
  ///
  /// `heads` are the head's names in old and new files.
  /// A tied head is the word embeddings. As in transformers, a head that is stored nevertheless and differs from them
  /// counts, and if only the head is stored, it is the embeddings too.
  func wordsAndHead(
    _ words: String, heads: [String] = ["lm_head"], inputs: Int, outputs: Int, isTied: Bool, headBias: Bool = false
  ) throws -> (words: Weight, head: LinearLayer) {
    let head = try heads.first { try stored($0 + ".weight") != nil } ?? heads[0]
    let wordsName = words + ".weight", headName = head + ".weight"
    let storedWords = try stored(wordsName), storedHead = try stored(headName)
    if let storedWords, let storedHead { try checkPlace(of: storedHead, words: storedWords, headName, wordsName) }
    let embedding = try weight(
      isTied && storedWords == nil && storedHead != nil ? headName : wordsName, inputs: inputs, outputs: outputs)
    var isShared = isTied
    if isTied, let storedWords, let storedHead {
      isShared = storedHead.equals(storedWords)
      for tensor in [storedWords, storedHead] { tensor.file.release(tensor.bytes) }
    }
    let weight = isShared ? embedding : try weight(headName, inputs: inputs, outputs: outputs)
    return (embedding, LinearLayer(weight: weight, bias: headBias ? try vector(head + ".bias", count: outputs) : []))
  }
}
