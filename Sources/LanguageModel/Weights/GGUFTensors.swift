import Diagnostics
import FileFormats

/// The tensors of a GGUF model, under the names of transformers.
struct GGUFTensors: TensorSource {
  private let model: GGUFModel
  private let architecture: GGUFArchitecture
  private let tensorsByName: [[UInt8]: StoredTensor]

  init(_ model: GGUFModel, _ architecture: GGUFArchitecture) {
    self.model = model
    self.architecture = architecture
    tensorsByName = Dictionary(model.tensors.map { (Array($0.name.utf8), $0) }) { first, _ in first }
  }

  var tensors: [StoredTensor] { model.tensors }

  var convention: StorageConvention {
    var convention = StorageConvention.llamaCpp
    convention.pairsRotatedRows = architecture.pairsRotatedRows
    return convention
  }

  func stored(_ name: String) -> StoredTensor? {
    architecture.stored(name).flatMap { tensorsByName[Array($0.utf8)] }
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
