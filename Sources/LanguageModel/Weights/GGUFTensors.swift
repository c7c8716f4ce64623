import Diagnostics
import FileFormats

/// The tensors of a GGUF model, under the names of transformers.
struct GGUFTensors: TensorSource {
  private let model: GGUFModel
  private let architecture: GGUFArchitecture
  private let tensorsByName: [[UInt8]: StoredTensor]
  /// The outputs of the query projections, and of the key or the value projections.
  private let outputs: (queries: Int, keys: Int)

  /// - Throws: `InputError.badData` for heads whose size is not known.
  init(_ configuration: GGUFConfiguration, _ architecture: GGUFArchitecture) throws {
    model = configuration.model
    self.architecture = architecture
    tensorsByName = Dictionary(model.tensors.map { (Array($0.name.utf8), $0) }) { first, _ in first }
    outputs = try configuration.headOutputs()
  }

  var tensors: [StoredTensor] { model.tensors }

  var convention: StorageConvention {
    var convention = StorageConvention.llamaCpp
    convention.pairsRotatedRows = architecture.pairsRotatedRows
    return convention
  }

  func stored(_ name: String) -> StoredTensor? {
    guard let stored = architecture.stored(name) else { return nil }
    return tensorsByName[Array(stored.utf8)] ?? part(stored)
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
    return tensorsByName[Array("blk.\(components[1]).attn_qkv.\(components[3])".utf8)]?.rows(found.1)
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
}
