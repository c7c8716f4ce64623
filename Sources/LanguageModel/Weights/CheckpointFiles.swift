import FileFormats
import Kernels

/// The tensors of a Hugging Face model folder: `model.safetensors`, or shards listed in `model.safetensors.index.json`.
///
/// Float32 tensors are used where they lie in the mapped file; others are widened into memory.
public struct CheckpointFiles: Sendable {
  private let folder: String
  private let files: [SafetensorsFile]
  private let fileOfTensor: [String: Int]
  /// Put before a tensor's name; some checkpoints are saved without the base model's prefix.
  private let prefixes: [String]

  /// Opens a folder; a tensor is looked for under each of the prefixes in turn.
  ///
  /// - Throws: `InputError.missing` for missing files, `InputError.badData` for malformed ones.
  public init(folder: String, prefixes: [String]) throws {
    self.folder = folder
    self.prefixes = prefixes
    let single = folder + "/model.safetensors"
    let index = folder + "/model.safetensors.index.json"
    if fileExists(single) {
      let file = try SafetensorsFile(path: single)
      files = [file]
      fileOfTensor = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, 0) })
    } else if fileExists(index) {
      guard let map = try JSON.read(file: index)["weight_map"]?.object else {
        throw InputError.badData(index, "expected an object \"weight_map\" from tensor names to files")
      }
      var opened: [SafetensorsFile] = []
      var indexOfFile: [String: Int] = [:]
      var located: [String: Int] = [:]
      for entry in map {
        guard let name = entry.value.string, !name.contains("/") else {
          throw InputError.badData(
            index,
            "\"weight_map\".\"\(entry.key)\" must name a file of this folder, found \(entry.value.shortDescription)")
        }
        if indexOfFile[name] == nil {
          indexOfFile[name] = opened.count
          opened.append(try SafetensorsFile(path: folder + "/" + name))
        }
        guard let file = indexOfFile[name], opened[file][entry.key] != nil else {
          throw InputError.badData(folder + "/" + name, "lacks the tensor \"\(entry.key)\" that \(index) says it holds")
        }
        located[entry.key] = file
      }
      files = opened
      fileOfTensor = located
    } else {
      throw InputError.missing(
        single,
        "not found, nor model.safetensors.index.json; expected the folder of a Hugging Face model in safetensors")
    }
  }

  /// The bytes all tensors take in the files.
  public var byteCount: Int { files.reduce(0) { $0 + $1.file.bytes.count } }

  private func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    for prefix in prefixes {
      guard let index = fileOfTensor[prefix + name], let tensor = files[index][prefix + name] else { continue }
      guard tensor.shape == shape else {
        throw InputError.badData(
          tensor.file.path,
          "tensor \"\(tensor.name)\" has shape \(tensor.shape), config.json asks for \(shape); do both belong to one model?"
        )
      }
      return tensor
    }
    throw InputError.badData(
      files.first?.file.path ?? folder, "lacks the tensor \"\(prefixes.first ?? "")\(name)\" of shape \(shape)")
  }

  /// A vector of that length (a bias, a norm's gain).
  public func vector(_ name: String, count: Int) throws -> [Float] {
    try tensor(name, shape: [count]).floats()
  }

  /// A weight matrix of those sizes, stored in that layout.
  public func weight(_ name: String, inputs: Int, outputs: Int, layout: Weight.Layout) throws -> Weight {
    let tensor = try tensor(name, shape: layout == .inputMajor ? [inputs, outputs] : [outputs, inputs])
    if let floats = tensor.floatsInPlace, let base = floats.baseAddress {
      return Weight(base: base, inputs: inputs, outputs: outputs, layout: layout, owner: tensor.file)
    }
    let matrix = Matrix(rows: 1, columns: tensor.count)
    try tensor.widen(into: UnsafeMutableBufferPointer(start: matrix.base, count: tensor.count))
    return Weight(inputs: inputs, outputs: outputs, layout: layout, storage: matrix)
  }
}
