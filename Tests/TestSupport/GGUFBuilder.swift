import Testing

/// Writes small GGUF files, right ones and wrong ones.
package struct GGUFBuilder {
  /// A value of the metadata.
  package enum Value {
    case uint32(UInt32)
    case uint64(UInt64)
    case int32(Int32)
    case float(Float)
    case flag(Bool)
    case text(String)
    case texts([String])
    case uint32s([UInt32])
    case floats([Float])
    /// A type number with bytes.
    case raw(UInt32, [UInt8])
  }

  /// A tensor: its shape has the fastest dimension first, as in the file.
  package struct Tensor {
    package var name: String
    package var shape: [UInt64]
    package var type: UInt32
    package var bytes: [UInt8]
    /// nil: after the tensor before.
    package var offset: UInt64?

    package init(name: String, shape: [UInt64], type: UInt32, bytes: [UInt8], offset: UInt64? = nil) {
      self.name = name
      self.shape = shape
      self.type = type
      self.bytes = bytes
      self.offset = offset
    }

    /// A float32 tensor; `shape` as in PyTorch.
    package init(_ name: String, _ shape: [Int], _ values: [Float]) {
      self.init(
        name: name, shape: shape.reversed().map(UInt64.init), type: 0, bytes: values.withUnsafeBytes { Array($0) })
    }
  }

  package var magic = Array("GGUF".utf8)
  package var version: UInt32 = 3
  package var entries: [(key: String, value: Value)] = []
  package var tensors: [Tensor] = []
  package var alignment = 32
  /// The numbers that the header claims; nil: the true ones.
  package var claimedTensors: UInt64?
  package var claimedEntries: UInt64?

  package init() {}

  /// The header, up to the padding before the data.
  package var header: [UInt8] {
    var bytes = magic + little(version) + little(claimedTensors ?? UInt64(tensors.count))
    bytes += little(claimedEntries ?? UInt64(entries.count))
    for entry in entries {
      bytes += string(entry.key)
      switch entry.value {
      case .uint32(let number): bytes += little(UInt32(4)) + little(number)
      case .int32(let number): bytes += little(UInt32(5)) + little(number)
      case .float(let number): bytes += little(UInt32(6)) + little(number.bitPattern)
      case .flag(let flag): bytes += little(UInt32(7)) + [flag ? 1 : 0]
      case .text(let text): bytes += little(UInt32(8)) + string(text)
      case .uint64(let number): bytes += little(UInt32(10)) + little(number)
      case .texts(let texts):
        bytes += little(UInt32(9)) + little(UInt32(8)) + little(UInt64(texts.count)) + texts.flatMap(string)
      case .uint32s(let numbers):
        bytes += little(UInt32(9)) + little(UInt32(4)) + little(UInt64(numbers.count)) + numbers.flatMap(little)
      case .floats(let numbers):
        bytes +=
          little(UInt32(9)) + little(UInt32(6)) + little(UInt64(numbers.count))
          + numbers.flatMap { little($0.bitPattern) }
      case .raw(let type, let data): bytes += little(type) + data
      }
    }
    var next: UInt64 = 0
    for tensor in tensors {
      bytes += string(tensor.name) + little(UInt32(tensor.shape.count)) + tensor.shape.flatMap(little)
      bytes += little(tensor.type) + little(tensor.offset ?? next)
      next += UInt64(padded(tensor.bytes).count)
    }
    return bytes
  }

  /// The whole file.
  package var bytes: [UInt8] { padded(header) + tensors.flatMap { padded($0.bytes) } }

  private func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
  }

  private func string(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }

  private func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}

extension GGUFBuilder {
  /// A change of a right file, and what the error for the result says.
  package struct Fault: Sendable, CustomTestStringConvertible {
    package let testDescription: String
    package let expected: String
    package let change: @Sendable (inout GGUFBuilder) -> Void

    package init(_ name: String, _ expected: String, _ change: @escaping @Sendable (inout GGUFBuilder) -> Void) {
      testDescription = name
      self.expected = expected
      self.change = change
    }
  }
}
