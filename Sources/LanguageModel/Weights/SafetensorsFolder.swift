import Diagnostics
import FileFormats
import System

/// The tensors of a Hugging Face model folder: `model.safetensors`, or shards listed in `model.safetensors.index.json`.
///
/// A tensor is found under its family's prefix, without a prefix, or under the prefixes that wrappers of models leave
/// behind ("module.", "_orig_mod."). Tensors that nobody asks for may have any type, and be missing.
struct SafetensorsFolder: TensorSource {
  private let folder: String
  private let files: [SafetensorsFile]
  /// By the bytes of the name, without the names of wrappers.
  private let tensorsByBareName: [[UInt8]: [StoredTensor]]
  /// The shards that the index lists and the folder lacks.
  private let missingShards: [String]
  /// The names of tensors in the index, and the files that it says have them.
  private let index: [JSON.Member]
  private let prefix: String

  let convention = StorageConvention.huggingFace

  /// Opens a folder; tensors are looked up with the prefix before their name, then without, then with any other.
  ///
  /// - Throws: `InputError.missing` for missing files, `InputError.badData` for malformed ones.
  init(_ folder: String, prefix: String) throws {
    self.folder = folder
    self.prefix = prefix
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
      [".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".ckpt", ".onnx"].contains(
        where: name.hasSuffix)
    }
    if found == nil, let file = all.first(where: { $0.lowercased().hasSuffix(".gguf") }) {
      return "it has \(file), which is no whole GGUF model: give the path of one"
    }
    guard let found else { return "expected the folder of a Hugging Face model in safetensors, or a GGUF file" }
    if found == "model.safetensors" { return "download it too" }
    if found.hasSuffix(".safetensors") { return "it has \(found): rename it if it is the whole model" }
    return "it has \(found): download the model's safetensors, or let transformers' save_pretrained write them"
  }

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

  func stored(_ name: String) throws -> StoredTensor? {
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

  func missing(_ name: String, shape: [Int]) -> InputError {
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

  func checkPlace(
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
}
