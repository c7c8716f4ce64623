import Diagnostics
import FileFormats
import Synchronization

/// The tensors of a GGUF model, under the names of transformers.
final class GGUFTensors: TensorSource {
  private let model: GGUFModel
  private let architecture: GGUFArchitecture
  /// The outputs of the query projections, and of the key or the value projections.
  private let outputs: (queries: Int, keys: Int)
  let convention: StorageConvention
  /// The names of tensors that were asked for, by their bytes.
  private let asked = Mutex<Set<[UInt8]>>([])

  /// - Throws: `InputError.badData` for heads whose size is not known.
  init(_ configuration: GGUFConfiguration, _ architecture: GGUFArchitecture) throws {
    model = configuration.model
    self.architecture = architecture
    outputs = try configuration.headOutputs()
    convention = .llamaCpp(pairsRotatedRows: architecture.pairsRotatedRows)
  }

  var tensors: [StoredTensor] { model.tensors }

  func stored(_ name: String) -> StoredTensor? {
    guard let stored = architecture.stored(name) else { return nil }
    return named(stored) ?? part(stored)
  }

  private func named(_ name: String) -> StoredTensor? {
    _ = asked.withLock { $0.insert(Array(name.utf8)) }
    return model[tensor: name]
  }

  /// Queries, keys or values of a file that has them as one tensor, where others have three.
  private func part(_ name: String) -> StoredTensor? {
    let (queries, keys) = outputs
    let parts = [
      ("attn_q", 0..<queries), ("attn_k", queries..<(queries + keys)),
      ("attn_v", (queries + keys)..<(queries + 2 * keys)),
    ]
    let components = name.split(separator: ".").map(String.init)
    guard components.count == 4, let found = parts.first(where: { $0.0 == components[2] }) else { return nil }
    return named("blk.\(components[1]).attn_qkv.\(components[3])")?.rows(found.1)
  }

  func missing(_ name: String, shape: [Int]) -> InputError {
    let example = tensors.first.map { ", such as \"\($0.name)\"" } ?? ""
    let cause =
      tensors.contains { $0.name.hasSuffix("_exps.weight") }
      ? "it is a mixture of experts, which cpt does not know"
      : "it has \(tensors.count) others\(example): is the file whole, and of this architecture?"
    return .badData(
      model.path, "lacks the tensor \"\(architecture.stored(name) ?? name)\" of shape \(shape); \(cause)")
  }

  /// Checks that every tensor was asked for: what one that was not would do is unknown.
  ///
  /// The frequencies of rotary embeddings count as metadata, and a vision part ("v.", "mm.") is no part of the text model.
  ///
  /// - Throws: `InputError.badData` naming the tensor.
  func refuseUnused() throws {
    let asked = asked.withLock { $0 }
    let others = ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"]
    let unused = tensors.first { tensor in
      !asked.contains(Array(tensor.name.utf8)) && !others.contains(tensor.name) && !tensor.name.hasPrefix("v.")
        && !tensor.name.hasPrefix("mm.") && !tensor.name.hasSuffix(".attn_rot_embd")
    }
    guard let unused else { return }
    throw InputError.badData(
      unused.file.path,
      "has the tensor \"\(unused.name)\", which models of this architecture do not have in cpt; use another conversion")
  }
}
