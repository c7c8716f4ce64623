import Diagnostics
import FileFormats
import Kernels
import System

/// The tensors of a Hugging Face model folder: `model.safetensors`, or shards listed in `model.safetensors.index.json`.
///
/// Matrices of float32, float16 and bfloat16 are used in place in the mapped file.
struct CheckpointFiles: Sendable {
  private let folder: String
  private let files: [SafetensorsFile]
  private let fileOfTensor: [String: Int]
  private let prefix: String
  private let quantizing: ThreadTeam?

  /// Opens a folder; tensors are looked up with the prefix before their name, then without.
  ///
  /// - Throws: `InputError.missing` for missing files, `InputError.badData` for malformed ones.
  init(folder: String, prefix: String, quantizing team: ThreadTeam? = nil) throws {
    self.folder = folder
    self.prefix = prefix
    quantizing = team
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
          throw InputError.badData(folder + "/" + name, "lacks the tensor \"\(entry.key)\" that \(index) lists for it")
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

  /// Every tensor in the files.
  var tensors: [StoredTensor] { files.flatMap(\.tensors) }

  private func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    for name in [prefix + name, name] {
      guard let index = fileOfTensor[name], let tensor = files[index][name] else { continue }
      guard tensor.shape == shape else {
        throw InputError.badData(
          tensor.file.path,
          "tensor \"\(tensor.name)\" has shape \(tensor.shape), config.json asks for \(shape); are both of the same model?"
        )
      }
      return tensor
    }
    throw InputError.badData(
      files.first?.file.path ?? folder, "lacks the tensor \"\(prefix)\(name)\" of shape \(shape)")
  }

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

  /// The head: the word embeddings if they are tied, else `name.weight`; and `name.bias`, if there is one.
  func head(
    _ name: String = "lm_head", words: Weight, isTied: Bool, bias: Bool = false
  ) throws -> LinearLayer {
    let weight = isTied ? words : try weight(name + ".weight", inputs: words.inputs, outputs: words.outputs)
    return LinearLayer(weight: weight, bias: bias ? try vector(name + ".bias", count: words.outputs) : [])
  }
}
