import Diagnostics
import Glibc
import System

/// One tensor of a mapped file: its type, its shape, and its bytes in the mapping.
package struct StoredTensor: @unchecked Sendable {
  // Sendable: `bytes` points into `file`, which is immutable and kept alive here.
  package let name: String
  package let type: TensorType
  package let shape: [Int]
  /// The number of elements.
  package let count: Int
  package let file: MappedFile
  package let bytes: UnsafeRawBufferPointer

  /// The size of the elements in the file.
  package var byteCount: Int { bytes.count }

  /// Some rows of it, along the first dimension, in place.
  ///
  /// - Returns: nil if it has no such rows.
  package func rows(_ range: Range<Int>) -> StoredTensor? {
    guard let all = shape.first, all > 0, range.lowerBound >= 0, range.upperBound <= all, !range.isEmpty,
      bytes.count % all == 0
    else { return nil }
    let size = bytes.count / all
    return StoredTensor(
      name: name, type: type, shape: [range.count] + shape.dropFirst(), count: count / all * range.count, file: file,
      bytes: UnsafeRawBufferPointer(rebasing: bytes[(range.lowerBound * size)..<(range.upperBound * size)]))
  }

  /// Whether another tensor has the same type, shape and bytes.
  package func equals(_ other: StoredTensor) -> Bool {
    guard type == other.type, shape == other.shape, bytes.count == other.bytes.count else { return false }
    guard let base = bytes.baseAddress, let otherBase = other.bytes.baseAddress else { return true }
    return memcmp(base, otherBase, bytes.count) == 0
  }

  /// The elements in place, if they are float32 and aligned; nil otherwise.
  package var floatsInPlace: UnsafeBufferPointer<Float>? {
    guard type == .float32, let base = bytes.baseAddress, UInt(bitPattern: base) % 4 == 0 else { return nil }
    return UnsafeBufferPointer(start: base.assumingMemoryBound(to: Float.self), count: count)
  }

  /// Writes the elements as float32; float16 and bfloat16 are widened exactly, float64 rounded.
  ///
  /// - Throws: `InputError.badData` for any other type.
  package func widen(into target: UnsafeMutableBufferPointer<Float>) throws {
    precondition(target.count == count, "widen needs \(count) elements, got \(target.count)")
    switch type {
    case .float32:
      for i in 0..<count { target[i] = bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self) }
    case .float16:
      for i in 0..<count {
        target[i] = Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)))
      }
    case .bfloat16:
      for i in 0..<count {
        let high = UInt32(bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
        target[i] = Float(bitPattern: high << 16)
      }
    case .float64:
      for i in 0..<count { target[i] = Float(bytes.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)) }
    default: try requireFloats()
    }
  }

  /// Checks the type. The shape of a tensor of an unknown type says nothing about its size in the file.
  ///
  /// - Throws: `InputError.badData` for a type that `widen` cannot read.
  package func requireFloats() throws {
    guard [.float32, .float16, .bfloat16, .float64].contains(type) else {
      throw InputError.badData(
        file.path,
        "tensor \"\(name)\" is \(type.name), expected F32, F16, BF16 or F64; use the model's original weights")
    }
  }

  /// The elements as float32.
  ///
  /// - Throws: `InputError.badData` for any other type than `widen` reads.
  package func floats() throws -> [Float] {
    try requireFloats()
    return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      try widen(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }
}

/// A safetensors file, mapped and checked: header length, JSON, sizes, and that the tensors' bytes tile the data
/// without overlap, hole or excess, as the reference implementation requires.
package struct SafetensorsFile: Sendable {
  package let file: MappedFile
  package let metadata: [String: String]
  /// The tensors in the order of their bytes.
  package let tensors: [StoredTensor]
  /// By the bytes of the name: names may be canonically equal.
  private let indexByName: [[UInt8]: Int]

  /// The reference implementation's limit on the header.
  package static let maximumHeaderLength = 100_000_000

  /// Maps and checks a file.
  ///
  /// - Throws: `InputError.missing` when it cannot be read, `InputError.badData` when it is malformed.
  package init(path: String) throws {
    let file = try MappedFile(path: path)
    let length = file.bytes.count
    func malformed(_ problem: String) -> InputError { .badData(path, "malformed safetensors: \(problem)") }
    let start = file.bytes.prefix(64)
    let claimed = length < 8 ? 0 : UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    // The header's first character is that of a JSON object or white space before it.
    let isPlausible =
      length > 8 && claimed <= Self.maximumHeaderLength
      && [UInt8(ascii: "{"), 0x20, 0x09, 0x0A, 0x0D].contains(file.bytes[8])
    if !isPlausible, let found = otherKind(of: start) ?? textKind(of: start) {
      throw InputError.badData(path, "is \(found), expected safetensors")
    }
    guard length >= 8 else { throw malformed("expected at least 8 bytes, found \(length); is the download complete?") }
    let headerLength = claimed
    guard headerLength <= Self.maximumHeaderLength else {
      throw malformed("the header claims \(headerLength) bytes, at most \(Self.maximumHeaderLength) are allowed")
    }
    guard Int(headerLength) <= length - 8 else {
      throw malformed(
        "the header claims \(headerLength) bytes, the file has \(length - 8) after it; is the download complete?")
    }
    let dataStart = 8 + Int(headerLength)
    let dataLength = length - dataStart
    guard headerLength >= 2, isPlausible else {
      throw malformed("the header does not start with \"{\"")
    }
    guard let members = try JSON(parsing: Array(file.bytes[8..<dataStart]), file: path).object else {
      throw malformed("the header is not a JSON object")
    }

    var metadata: [String: String] = [:]
    var tensors: [(begin: Int, end: Int, tensor: StoredTensor)] = []
    var seen: Set<[UInt8]> = []
    for member in members {
      guard seen.insert(Array(member.key.utf8)).inserted else {
        throw malformed("\"\(member.key)\" appears twice in the header")
      }
      if member.key == "__metadata__" {
        guard member.value.isNull || member.value.object?.allSatisfy({ $0.value.string != nil }) == true else {
          throw malformed("\"__metadata__\" must be an object of strings")
        }
        for entry in member.value.object ?? [] { metadata[entry.key] = entry.value.string }
        continue
      }
      let name = member.key
      guard let typeName = member.value["dtype"]?.string else {
        throw malformed("tensor \"\(name)\" has no dtype, such as \"F32\"")
      }
      guard let sizes = member.value["shape"]?.array, case let shape = sizes.compactMap(\.size),
        shape.count == sizes.count
      else { throw malformed("tensor \"\(name)\" has no shape of whole numbers") }
      guard let limits = member.value["data_offsets"]?.array, limits.count == 2,
        case let offsets = limits.compactMap(\.size),
        offsets.count == 2, offsets[0] <= offsets[1]
      else { throw malformed("tensor \"\(name)\" has no data_offsets [begin, end] with begin <= end") }
      guard offsets[1] <= dataLength else {
        throw malformed(
          "tensor \"\(name)\" ends at byte \(offsets[1]) of \(dataLength) bytes of data; is the download complete?")
      }
      let type = TensorType(name: typeName)
      var product: Int? = 1
      for size in shape { product = product?.multiplied(by: size) }
      guard let count = product, let bits = count.multiplied(by: type.bits ?? 1) else {
        throw malformed("tensor \"\(name)\" has a shape whose size overflows")
      }
      let found = offsets[1] - offsets[0]
      guard type.bits == nil || bits % 8 == 0 && bits / 8 == found else {
        throw malformed(
          "tensor \"\(name)\" of shape \(shape) and dtype \(typeName) needs \(bits / 8 + (bits % 8).signum()) bytes, "
            + "its data_offsets give \(found)")
      }
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[(dataStart + offsets[0])..<(dataStart + offsets[1])])
      let tensor = StoredTensor(name: name, type: type, shape: shape, count: count, file: file, bytes: bytes)
      tensors.append((offsets[0], offsets[1], tensor))
    }

    tensors.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    var end = 0
    for entry in tensors {
      if entry.begin < end { throw malformed("tensor \"\(entry.tensor.name)\" overlaps the one before it") }
      if entry.begin > end {
        throw malformed("there is a hole of \(entry.begin - end) bytes before \"\(entry.tensor.name)\"")
      }
      end = entry.end
    }
    guard end == dataLength else { throw malformed("\(dataLength - end) bytes at the end belong to no tensor") }

    self.file = file
    self.metadata = metadata
    self.tensors = tensors.map(\.tensor)
    indexByName = Dictionary(uniqueKeysWithValues: self.tensors.enumerated().map { (Array($1.name.utf8), $0) })
  }

  /// The tensor with this name, if there is one.
  package subscript(name: String) -> StoredTensor? { indexByName[Array(name.utf8)].map { tensors[$0] } }

  /// The tensor with this name and shape, as float32.
  ///
  /// - Throws: `InputError.badData` when it is missing, has another shape, or does not hold floating-point numbers.
  package func floats(_ name: String, shape: [Int]) throws -> [Float] {
    guard let tensor = self[name] else {
      throw InputError.badData(
        file.path,
        "expected a tensor \"\(name)\", found \(tensors.prefix(4).map { "\"\($0.name)\"" }.joined(separator: ", "))")
    }
    guard tensor.shape == shape else {
      throw InputError.badData(file.path, "tensor \"\(name)\" has shape \(tensor.shape), expected \(shape)")
    }
    return try tensor.floats()
  }
}

extension JSON {
  /// A whole number of at least 0, without a decimal point.
  fileprivate var size: Int? {
    if case .integer(let value) = self, value >= 0 { value } else { nil }
  }
}

extension Int {
  /// The product; nil if it overflows.
  func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}

/// A float32 tensor to write.
package struct FloatTensor: Sendable {
  package let name: String
  package let shape: [Int]
  package let values: [Float]

  package init(name: String, shape: [Int], values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "shape \(shape) does not fit \(values.count) values")
    self.name = name
    self.shape = shape
    self.values = values
  }

  /// The elements in little-endian order.
  package var bytes: [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }
}

/// The bytes of a safetensors file that holds these float32 tensors, laid out like the reference implementation:
/// tensors by name, header padded with spaces to 8 bytes.
package func safetensors(_ tensors: [FloatTensor], metadata: [(String, String)] = []) -> [UInt8] {
  var header = "{"
  if !metadata.isEmpty {
    let entries = metadata.map { "\(JSON.string($0).compact):\(JSON.string($1).compact)" }
    header += "\"__metadata__\":{\(entries.joined(separator: ","))}"
  }
  var data: [UInt8] = []
  for tensor in tensors.sorted(by: { $0.name < $1.name }) {
    if header.utf8.count > 1 { header += "," }
    let shape = tensor.shape.map(String.init).joined(separator: ",")
    let begin = data.count
    data += tensor.bytes
    header +=
      "\(JSON.string(tensor.name).compact):"
      + "{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(data.count)]}"
  }
  header += "}"
  var bytes = Array(header.utf8)
  while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
  return withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { Array($0) } + bytes + data
}
