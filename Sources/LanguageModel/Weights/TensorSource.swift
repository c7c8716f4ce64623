import Diagnostics
import FileFormats

/// The tensors of a model's files, by the names that transformers gives them within their family's prefix.
protocol TensorSource: Sendable {
  /// Every tensor in the files, used or not.
  var tensors: [StoredTensor] { get }

  /// How the files hold the tensors that differ between tools.
  var convention: StorageConvention { get }

  /// The tensor with this name; nil: there is none.
  ///
  /// - Throws: `InputError.badData` when several different tensors could be meant.
  func stored(_ name: String) throws -> StoredTensor?

  /// The error for a tensor that the files lack, with its probable cause.
  func missing(_ name: String, shape: [Int]) -> InputError

  /// Checks that a head stands outside of what the prefix names, where transformers looks for it.
  ///
  /// - Throws: `InputError.badData` for a head beside the words within the prefix, unless it equals them.
  func checkPlace(of head: StoredTensor, words: StoredTensor, _ headName: String, _ wordsName: String) throws
}

extension TensorSource {
  func checkPlace(of head: StoredTensor, words: StoredTensor, _ headName: String, _ wordsName: String) {}
}

/// How files hold what differs between transformers and llama.cpp's converter.
struct StorageConvention {
  /// What says the sizes of a model.
  let sourceOfSizes: String
  /// The types of tensors that matrices may have, and what to do about others.
  let readableTypes: String
  /// Whether all matrices are output-major, those of GPT-2 too.
  let isOutputMajor: Bool
  /// Whether a fused projection has all queries, then all keys, then all values; else it has them group by group.
  let separatesFusedParts: Bool
  /// Whether norms hold whole gains, Gemma's with the 1 added.
  let hasWholeGains: Bool
  /// Whether the rows of a rotated head are stored in pairs, one of its first half with one of its second.
  let pairsRotatedRows: Bool

  /// As transformers saves models.
  static let huggingFace = StorageConvention(
    sourceOfSizes: "config.json", readableTypes: "F32, F16, BF16 or F64; use the model's original weights",
    isOutputMajor: false,
    separatesFusedParts: false, hasWholeGains: false,
    pairsRotatedRows: false)
  /// As llama.cpp's converter writes them.
  static func llamaCpp(pairsRotatedRows: Bool) -> StorageConvention {
    StorageConvention(
      sourceOfSizes: "the metadata",
      readableTypes: TensorType.readable + "; download another quantization of the model",
      isOutputMajor: true, separatesFusedParts: true, hasWholeGains: true, pairsRotatedRows: pairsRotatedRows)
  }
}
