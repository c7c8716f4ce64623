import Diagnostics
import FileFormats
import Kernels

/// The weights of a model's files as the parts of a decoder.
///
/// Matrices are used in place in the mapped file, in float32, float16, bfloat16 or the blocks of GGUF.
struct CheckpointFiles: Sendable {
  private let source: any TensorSource
  /// The threads that convert the blocks' weight matrices to 8 bits; nil: they keep the stored format.
  private let quantizing: ThreadTeam?

  init(_ source: any TensorSource, quantizing team: ThreadTeam? = nil) {
    self.source = source
    quantizing = team
  }

  private func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    guard let tensor = try source.stored(name) else { throw source.missing(name, shape: shape) }
    guard tensor.shape == shape else {
      throw InputError.badData(
        tensor.file.path,
        "tensor \"\(tensor.name)\" has shape \(tensor.shape), \(source.convention.sourceOfSizes) asks for \(shape); are both of the same model?"
      )
    }
    return tensor
  }

  /// A vector of this length (a bias, a norm's gain).
  func vector(_ name: String, count: Int) throws -> [Float] {
    try tensor(name, shape: [count]).floats()
  }

  /// A weight matrix of these sizes; `layout` is that of transformers.
  func weight(
    _ name: String, inputs: Int, outputs: Int, layout: Weight.Layout = .outputMajor
  ) throws -> Weight {
    let layout = source.convention.isOutputMajor ? .outputMajor : layout
    let tensor = try tensor(name, shape: layout == .inputMajor ? [inputs, outputs] : [outputs, inputs])
    // BLAS reads float32 and needs it aligned.
    let isReadable = tensor.type != .float32 || tensor.floatsInPlace != nil
    if let format = Weight.Format(tensor.type), isReadable, let base = tensor.bytes.baseAddress {
      return Weight(base: base, format: format, inputs: inputs, outputs: outputs, layout: layout, owner: tensor.file)
    }
    guard tensor.type == .float64 || tensor.type == .float32 else {
      throw InputError.badData(
        tensor.file.path,
        "tensor \"\(tensor.name)\" is \(tensor.type.name), expected \(source.convention.readableTypes)")
    }
    let matrix = Matrix(rows: 1, columns: tensor.count)
    try tensor.widen(into: UnsafeMutableBufferPointer(start: matrix.base, count: tensor.count))
    return Weight(inputs: inputs, outputs: outputs, layout: layout, storage: matrix)
  }

  /// A linear layer of a block: `name.weight` and `name.bias`, if there is one.
  ///
  /// `rotatedHeads`: the size of its heads if it projects to queries or keys with rotary embeddings.
  func linear(
    _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool, layout: Weight.Layout = .outputMajor,
    rotatedHeads headSize: Int? = nil
  ) throws -> LinearLayer {
    var weight = try weight(name + ".weight", inputs: inputs, outputs: outputs, layout: layout)
    var bias = bias ? try vector(name + ".bias", count: outputs) : []
    if let headSize, source.convention.pairsRotatedRows {
      weight = weight.unpairingHalves(headSize: headSize)
      bias = unpairedHalves(bias, headSize: headSize)
    }
    // Blocks that are as small already stay as they are.
    if let quantizing, weight.byteCount * 8 > weight.inputs * weight.outputs * 9 {
      weight = weight.quantized(on: quantizing)
      if let tensor = try source.stored(name + ".weight") { tensor.file.release(tensor.bytes) }
    }
    return LinearLayer(weight: weight, bias: bias)
  }

  /// The queries, keys and values of a fused projection, `name.weight` and `name.bias`.
  ///
  /// As transformers saves it, the projection has, for each key-value head: the queries that share it, its keys, its
  /// values.
  func fusedProjections(
    _ name: String, _ inputs: Int, heads: Int, keyValueHeads: Int, headSize: Int, bias: Bool
  ) throws -> (query: LinearLayer, key: LinearLayer, value: LinearLayer) {
    let queries = heads * headSize, keys = keyValueHeads * headSize
    let fused = try linear(name, inputs, queries + 2 * keys, bias: bias)
    if source.convention.separatesFusedParts { return fused.queriesKeysValues(queries: queries, keys: keys) }
    let shared = heads / keyValueHeads * headSize, group = shared + 2 * headSize
    return (
      fused.outputs(from: 0, run: shared, ofEvery: group),
      fused.outputs(from: shared, run: headSize, ofEvery: group),
      fused.outputs(from: shared + headSize, run: headSize, ofEvery: group)
    )
  }

  /// A layer norm: `name.weight` and `name.bias`.
  func layerNorm(_ name: String, _ size: Int, epsilon: Double, bias: Bool = true) throws -> NormWeights {
    try NormWeights(
      gain: vector(name + ".weight", count: size), bias: bias ? vector(name + ".bias", count: size) : [],
      epsilon: Float(epsilon))
  }

  /// An RMS norm: `name.weight`, to which `offset` is added (Gemma's gain is 1 + w) unless it is stored whole.
  func rmsNorm(_ name: String, _ size: Int, epsilon: Double, offset: Float = 0) throws -> NormWeights {
    let offset = source.convention.hasWholeGains ? 0 : offset
    return try NormWeights(
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
    let head = try heads.first { try source.stored($0 + ".weight") != nil } ?? heads[0]
    let wordsName = words + ".weight", headName = head + ".weight"
    let storedWords = try source.stored(wordsName), storedHead = try source.stored(headName)
    if let storedWords, let storedHead {
      try source.checkPlace(of: storedHead, words: storedWords, headName, wordsName)
    }
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

extension Weight.Format {
  /// The format of tensors of a type; nil: products do not read it.
  fileprivate init?(_ type: TensorType) {
    guard let format = Self.formats[type.name] else { return nil }
    self = format
  }

  private static let formats: [String: Weight.Format] = [
    "F32": .float32, "F16": .float16, "BF16": .bfloat16, "Q4_0": .q4_0, "Q4_1": .q4_1, "Q5_0": .q5_0, "Q5_1": .q5_1,
    "Q8_0": .q8_0, "Q2_K": .q2_K, "Q3_K": .q3_K, "Q4_K": .q4_K, "Q5_K": .q5_K, "Q6_K": .q6_K, "IQ4_NL": .iq4_nl,
    "IQ4_XS": .iq4_xs,
  ]
}

/// The numbers of rotated heads that are stored in pairs, one of each half, as one half after the other.
private func unpairedHalves(_ values: [Float], headSize: Int) -> [Float] {
  values.indices.map { values[pairedRow($0, headSize: headSize)] }
}
