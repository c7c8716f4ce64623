import Diagnostics
import System

/// A GGUF file, mapped and checked: magic, version, metadata, and that every tensor lies within the data, aligned and
/// without overlap.
///
/// Versions 2 and 3, little-endian. Source: ggml, `docs/gguf.md`.
struct GGUFFile: Sendable {
  let metadata: GGUFMetadata
  /// The tensors in the order of the file, with shapes from the slowest dimension to the fastest, like PyTorch's.
  let tensors: [StoredTensor]

  /// Maps and checks a file.
  ///
  /// - Throws: `InputError.missing` when it cannot be read, `InputError.badData` when it is malformed.
  init(path: String) throws {
    let file = try MappedFile(path: path)
    try Self.checkMagic(file)
    var reader = GGUFReader(file, from: Self.magic.count)
    let version = try reader.integer(as: UInt32.self, "the version")
    guard version != 1 else {
      throw InputError.badData(path, "is GGUF version 1, expected 2 or 3; convert the model again with llama.cpp")
    }
    guard version == 2 || version == 3 else {
      if [2, 3].contains(version.byteSwapped) { throw Self.bigEndian(path) }
      throw InputError.badData(
        path, "is GGUF version \(version), expected 2 or 3; update cpt, or convert the model again")
    }
    let tensorCount = try reader.count("the number of tensors", bytesEach: 24)
    let entryCount = try reader.count("the number of metadata entries", bytesEach: 13)

    var entries: [String: GGUFValue] = [:]
    for index in 0..<entryCount {
      let key = try reader.name("the key of metadata entry \(index)")
      guard let type = GGUFValueType(rawValue: try reader.integer(as: UInt32.self, "the type of \"\(key)\"")) else {
        throw reader.malformed("\"\(key)\" has a type that GGUF does not define")
      }
      guard entries.updateValue(try reader.value(type, "\"\(key)\""), forKey: key) == nil else {
        throw reader.malformed("\"\(key)\" appears twice in the metadata")
      }
    }
    metadata = GGUFMetadata(path: path, entries: entries)

    let alignment = try metadata.integer("general.alignment") ?? 32
    guard alignment >= 8, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw metadata.invalid("general.alignment", "a power of two from 8 to 1048576")
    }
    var infos: [TensorInfo] = []
    var names: Set<[UInt8]> = []
    for index in 0..<tensorCount {
      let info = try TensorInfo(&reader, index: index)
      guard names.insert(Array(info.name.utf8)).inserted else {
        throw reader.malformed("tensor \"\(info.name)\" appears twice")
      }
      infos.append(info)
    }

    let dataStart = (reader.offset + alignment - 1) / alignment * alignment
    let dataLength = max(0, file.bytes.count - dataStart)
    var end = 0
    for info in infos.sorted(by: { $0.offset < $1.offset }) {
      guard info.offset % alignment == 0 else {
        throw reader.malformed("tensor \"\(info.name)\" begins at byte \(info.offset), not a multiple of \(alignment)")
      }
      guard info.offset <= dataLength, info.byteCount <= dataLength - info.offset else {
        throw InputError.badData(
          path,
          "is cut short: tensor \"\(info.name)\" needs \(info.byteCount) bytes at \(info.offset), the file has "
            + "\(dataLength) bytes of data; download it again")
      }
      guard info.offset >= end else { throw reader.malformed("tensor \"\(info.name)\" overlaps the one before it") }
      end = info.offset + info.byteCount
    }
    tensors = infos.map { info in
      let start = dataStart + info.offset
      return StoredTensor(
        name: info.name, type: info.type, shape: info.shape, count: info.count, file: file,
        bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + info.byteCount)]))
    }
  }

  private static let magic = Array("GGUF".utf8)

  private static func bigEndian(_ path: String) -> InputError {
    .badData(path, "is a big-endian GGUF file, expected little-endian; download that one, or convert the model again")
  }

  private static func checkMagic(_ file: MappedFile) throws {
    let start = file.bytes.prefix(64)
    guard !start.starts(with: magic) else { return }
    if start.starts(with: magic.reversed()) { throw bigEndian(file.path) }
    let old = ["ggml", "lmgg", "ggjt", "tjgg", "ggmf", "fmgg"]
    if old.contains(where: { start.starts(with: $0.utf8) }) {
      throw InputError.badData(file.path, "is a file of llama.cpp from before GGUF; convert the model again")
    }
    // A safetensors file begins with the length of its header, then the header.
    let isSafetensors = start.count > 8 && start[8] == UInt8(ascii: "{") && start[5..<8].allSatisfy { $0 == 0 }
    let found =
      isSafetensors
      ? "a safetensors file (give its folder)" : otherKind(of: start) ?? textKind(of: start)
    throw InputError.badData(
      file.path,
      "is \(found ?? "a file of an unknown kind"); expected a GGUF file or the folder of a Hugging Face model")
  }
}

/// A tensor as the header describes it.
private struct TensorInfo {
  let name: String
  let type: TensorType
  let shape: [Int]
  let count: Int
  let offset: Int
  let byteCount: Int

  init(_ reader: inout GGUFReader, index: Int) throws {
    name = try reader.name("the name of tensor \(index)")
    let place = "tensor \"\(name)\""
    let dimensions = try reader.integer(as: UInt32.self, "the dimensions of \(place)")
    guard (1...4).contains(dimensions) else {
      throw reader.malformed("\(place) has \(dimensions) dimensions, expected 1 to 4")
    }
    var sizes: [Int] = []
    var product: Int? = 1
    for _ in 0..<dimensions {
      guard let size = Int(exactly: try reader.integer(as: UInt64.self, "the shape of \(place)")), size > 0 else {
        throw reader.malformed("\(place) has a size that is 0 or too large")
      }
      sizes.append(size)
      product = product?.multiplied(by: size)
    }
    let number = try reader.integer(as: UInt32.self, "the type of \(place)")
    guard let block = TensorType.ggml(number) else {
      throw InputError.badData(
        reader.path, "\(place) has the block type \(number), which is not known; expected one of \(TensorType.readable)"
      )
    }
    guard let count = product, let bytes = (count / block.elements).multiplied(by: block.bytes) else {
      throw reader.malformed("\(place) has a shape whose size overflows")
    }
    guard sizes[0] % block.elements == 0 else {
      throw reader.malformed(
        "\(place) has rows of \(sizes[0]) elements, which blocks of \(block.elements) (\(block.type.name)) do not fill")
    }
    guard let offset = Int(exactly: try reader.integer(as: UInt64.self, "the offset of \(place)")) else {
      throw reader.malformed("\(place) begins beyond the end of any file")
    }
    shape = sizes.reversed()
    type = block.type
    self.count = count
    self.offset = offset
    byteCount = bytes
  }
}

/// The types of metadata values, by their numbers in the file.
enum GGUFValueType: UInt32 {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// Bytes of a value; nil: they vary.
  var size: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}

/// A cursor over the header of a GGUF file; it never reads beyond the file.
struct GGUFReader {
  private let file: MappedFile
  private(set) var offset: Int

  init(_ file: MappedFile, from offset: Int) {
    self.file = file
    self.offset = offset
  }

  var path: String { file.path }

  func malformed(_ problem: String) -> InputError { .badData(path, "malformed GGUF: \(problem)") }

  /// Moves over some bytes, and returns their start.
  private mutating func take(_ count: Int, _ what: String) throws -> Int {
    guard count <= file.bytes.count - offset else {
      throw InputError.badData(
        path, "is cut short: it ends at byte \(file.bytes.count), within \(what); download it again")
    }
    defer { offset += count }
    return offset
  }

  mutating func integer<Number: FixedWidthInteger>(as type: Number.Type, _ what: String) throws -> Number {
    let start = try take(MemoryLayout<Number>.size, what)
    return Number(littleEndian: file.bytes.loadUnaligned(fromByteOffset: start, as: Number.self))
  }

  /// A number of entries of at least `bytesEach` bytes; more than the rest of the file could hold are refused.
  mutating func count(_ what: String, bytesEach: Int) throws -> Int {
    let number = try integer(as: UInt64.self, what)
    guard number <= UInt64((file.bytes.count - offset) / bytesEach) else {
      throw malformed("\(what) is \(number), more than the rest of the file could hold; is the download complete?")
    }
    return Int(number)
  }

  /// The bytes of a string.
  mutating func string(_ what: String) throws -> UnsafeRawBufferPointer {
    let count = try count("the length of \(what)", bytesEach: 1)
    let start = try take(count, what)
    return UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + count)])
  }

  /// A string that must be UTF-8.
  mutating func name(_ what: String) throws -> String {
    guard let text = String(validating: try string(what), as: UTF8.self) else {
      throw malformed("\(what) is not UTF-8")
    }
    return text
  }

  mutating func value(_ type: GGUFValueType, _ what: String) throws -> GGUFValue {
    switch type {
    case .uint8: .integer(Int(try integer(as: UInt8.self, what)))
    case .int8: .integer(Int(try integer(as: Int8.self, what)))
    case .uint16: .integer(Int(try integer(as: UInt16.self, what)))
    case .int16: .integer(Int(try integer(as: Int16.self, what)))
    case .uint32: .integer(Int(try integer(as: UInt32.self, what)))
    case .int32: .integer(Int(try integer(as: Int32.self, what)))
    // Sizes beyond Int mean nothing here; as the largest Int they fail every range.
    case .uint64: .integer(Int(clamping: try integer(as: UInt64.self, what)))
    case .int64: .integer(Int(try integer(as: Int64.self, what)))
    case .float32: .number(Double(Float(bitPattern: try integer(as: UInt32.self, what))))
    case .float64: .number(Double(bitPattern: try integer(as: UInt64.self, what)))
    case .bool: .flag(try integer(as: UInt8.self, what) != 0)
    case .string: .text(Array(try string(what)))
    case .array: .list(try list(what))
    }
  }

  /// Moves over a list, whose elements are checked but not kept.
  private mutating func list(_ what: String) throws -> GGUFList {
    let number = try integer(as: UInt32.self, "the element type of \(what)")
    guard let type = GGUFValueType(rawValue: number) else {
      throw malformed("\(what) is a list of a type that GGUF does not define")
    }
    guard type != .array else { throw malformed("\(what) is a list of lists, which no model has") }
    let count = try count("the length of \(what)", bytesEach: type.size ?? 8)
    let start = offset
    if let size = type.size {
      _ = try take(count * size, what)
    } else {
      for _ in 0..<count { _ = try string(what) }
    }
    return GGUFList(type: type, count: count, file: file, start: start)
  }
}
