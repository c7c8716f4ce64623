/// The element type of a tensor in a file of weights, by its name in safetensors, or in ggml for GGUF's blocks.
///
/// A file may hold types that are unknown here: only the tensors that are read need a known one. Sources:
/// https://github.com/huggingface/safetensors, `tensor.rs`; ggml, `ggml.h` and `ggml-common.h`.
package struct TensorType: Hashable, Sendable {
  /// "F32", "Q4_K".
  package let name: String

  package init(name: String) { self.name = name }

  package static let float16 = TensorType(name: "F16")
  package static let bfloat16 = TensorType(name: "BF16")
  package static let float32 = TensorType(name: "F32")
  package static let float64 = TensorType(name: "F64")

  /// Bits per element of a safetensors file; nil: the type is unknown.
  var bits: Int? { Self.bitsOfTypes[name] }

  private static let bitsOfTypes = [
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
  ]

  /// A type of ggml by its number in GGUF, with the elements and bytes of its blocks; nil: the number is unknown.
  static func ggml(_ number: UInt32) -> (type: TensorType, elements: Int, bytes: Int)? {
    ggmlTypes[number].map { (TensorType(name: $0.name), $0.elements, $0.bytes) }
  }

  /// The types of ggml whose tensors `cpt` reads.
  package static let readable =
    "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, F64"

  /// All types of ggml, so that sizes can be checked and a type that is not read can be named.
  private static let ggmlTypes: [UInt32: (name: String, elements: Int, bytes: Int)] = [
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
  ]
}
