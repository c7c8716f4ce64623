import Diagnostics
import FileFormats
import System
import Testing
import TestSupport

/// A right file: two tensors, a value of every type.
private func small() -> GGUFBuilder {
  var file = GGUFBuilder()
  file.entries = [
    ("general.architecture", .text("llama")), ("count", .uint32(7)), ("big", .uint64(1 << 40)), ("less", .int32(-3)),
    ("epsilon", .float(1e-5)), ("flag", .flag(true)), ("words", .texts(["a", "", "Ġb"])), ("same", .uint32s([4, 4])),
    ("other", .uint32s([4, 5])), ("scores", .floats([0.5, -1])),
  ]
  file.tensors = [
    .init("a", [2, 3], [1, 2, 3, 4, 5, 6]), .init("b", [5], [7, 8, 9, 10, 11]),
    .init(name: "q", shape: [32, 2], type: 2, bytes: [UInt8](repeating: 3, count: 36)),
  ]
  return file
}

/// The error for a file, or "".
private func message(_ bytes: [UInt8], named name: String = "m.gguf") throws -> String {
  try withTemporaryFolder { folder in
    try writeAtomically(bytes, to: folder + "/" + name)
    do { _ = try GGUFModel(path: folder + "/" + name) } catch let error as InputError { return error.description }
    return ""
  }
}

@Suite struct GGUFTests {
  @Test(arguments: [UInt32(2), 3])
  func readsMetadataAndTensors(version: UInt32) throws {
    try withTemporaryFolder { folder in
      var file = small()
      file.version = version
      try writeAtomically(file.bytes, to: folder + "/m.gguf")
      let model = try GGUFModel(path: folder + "/m.gguf")
      let metadata = model.metadata
      #expect(try metadata.text("general.architecture") == "llama" && metadata.integer("count") == 7)
      #expect(try metadata.integer("big") == 1 << 40 && metadata.integer("less") == -3)
      #expect(metadata["epsilon"]?.json == .number(Double(Float(1e-5))))
      #expect(try metadata.flag("flag") == true && metadata.flag("none") == nil)
      #expect(try metadata.texts("words") == ["a", "", "Ġb"].map { Array($0.utf8) })
      #expect(try metadata.integers("other") == [4, 5] && metadata.numbers("scores") == [0.5, -1])
      // A number for each layer, all the same, is one number.
      #expect(metadata["same"]?.json == .integer(4) && metadata["other"]?.json == nil)
      #expect(model.tensors.map(\.name) == ["a", "b", "q"] && model.tensors.map(\.shape) == [[2, 3], [5], [2, 32]])
      #expect(try model.tensors[0].floats() == [1, 2, 3, 4, 5, 6] && model.tensors[1].floats() == [7, 8, 9, 10, 11])
      #expect(model.tensors[2].type.name == "Q4_0" && model.tensors[2].byteCount == 36)
      #expect(throws: InputError.self) { try metadata.integer("epsilon") }
      #expect(throws: InputError.self) { try metadata.text("count") }
      #expect(throws: InputError.self) { try metadata.texts("other") }
    }
  }

  @Test(arguments: [8, 32, 64, 4096])
  func dataAreAligned(alignment: Int) throws {
    try withTemporaryFolder { folder in
      var file = small()
      file.entries.append(("general.alignment", .uint32(UInt32(alignment))))
      file.alignment = alignment
      try writeAtomically(file.bytes, to: folder + "/m.gguf")
      #expect(try GGUFModel(path: folder + "/m.gguf").tensors[1].floats() == [7, 8, 9, 10, 11])
    }
  }

  /// Every byte where a download may stop.
  @Test func aFileThatEndsEarlyIsAnError() throws {
    let file = small(), bytes = file.bytes
    let end = bytes.count - (32 - 36 % 32)
    for count in 1..<end {
      let found = try message(Array(bytes[..<count]))
      let says = ["is cut short", "download", "is the download complete?", "expected a GGUF file"]
      #expect(says.contains(where: found.contains), "\(count) of \(bytes.count) bytes: \(found)")
    }
    #expect(try message(Array(bytes[..<end])) == "")
  }

  typealias Fault = GGUFBuilder.Fault

  static let faults = [
    Fault("magic", "is a file of an unknown kind; expected a GGUF file") { $0.magic = [0, 1, 2, 3] },
    Fault("magic of old files", "from before GGUF") { $0.magic = Array("tjgg".utf8) },
    Fault("safetensors", "is a safetensors file (give its folder)") {
      $0.magic = [9, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\":{}}".utf8)
    },
    Fault("zip", "is a zip archive") { $0.magic = Array("PK\u{3}\u{4}".utf8) },
    Fault("HTML", "is an HTML or XML page") { $0.magic = Array("<!doctype html>".utf8) },
    Fault("git-lfs", "is a git-lfs pointer") { $0.magic = Array("version https://git-lfs".utf8) },
    Fault("version 1", "is GGUF version 1, expected 2 or 3") { $0.version = 1 },
    Fault("version 4", "is GGUF version 4, expected 2 or 3") { $0.version = 4 },
    Fault("big-endian", "is a big-endian GGUF file") { $0.version = UInt32(3).byteSwapped },
    Fault("more tensors than bytes", "the number of tensors is") { $0.claimedTensors = 1 << 60 },
    Fault("more entries than bytes", "the number of metadata entries is") { $0.claimedEntries = .max },
    Fault("an entry too many", "is cut short") {
      $0.claimedEntries = 14; $0.tensors = []
    },
    Fault("a type of value", "\"x\" has a type that GGUF does not define") { $0.entries.append(("x", .raw(13, []))) },
    Fault("a list of an unknown type", "\"x\" is a list of a type") {
      $0.entries.append(("x", .raw(9, [99, 0, 0, 0] + [UInt8](repeating: 0, count: 8))))
    },
    Fault("a list of lists", "\"x\" is a list of lists") {
      $0.entries.append(("x", .raw(9, [9, 0, 0, 0] + [UInt8](repeating: 0, count: 8))))
    },
    Fault("a list longer than the file", "the length of \"x\" is") {
      $0.entries.append(("x", .raw(9, [4, 0, 0, 0] + [UInt8](repeating: 255, count: 8))))
    },
    Fault("a string longer than the file", "the length of \"x\" is") {
      $0.entries.append(("x", .raw(8, [UInt8](repeating: 127, count: 8))))
    },
    Fault("a key twice", "\"count\" appears twice in the metadata") { $0.entries.append(("count", .uint32(7))) },
    Fault("alignment 0", "\"general.alignment\" must be a power of two") {
      $0.entries.append(("general.alignment", .uint32(0)))
    },
    Fault("alignment 48", "\"general.alignment\" must be a power of two") {
      $0.entries.append(("general.alignment", .uint32(48)))
    },
    Fault("alignment as text", "\"general.alignment\" must be a whole number") {
      $0.entries.append(("general.alignment", .text("32")))
    },
    Fault("a tensor twice", "tensor \"a\" appears twice") { $0.tensors.append($0.tensors[0]) },
    Fault("no dimensions", "tensor \"a\" has 0 dimensions") { $0.tensors[0].shape = [] },
    Fault("five dimensions", "tensor \"a\" has 5 dimensions") { $0.tensors[0].shape = [1, 1, 1, 1, 6] },
    Fault("a size of 0", "tensor \"a\" has a size that is 0") { $0.tensors[0].shape = [3, 0] },
    Fault("a size beyond Int", "tensor \"a\" has a size that is 0 or too large") { $0.tensors[0].shape = [3, .max] },
    Fault("sizes that overflow", "whose size overflows") { $0.tensors[0].shape = [1 << 31, 1 << 31, 1 << 31] },
    Fault("bytes that overflow", "whose size overflows") { $0.tensors[0].shape = [1 << 31, 1 << 30] },
    Fault("an unknown block type", "has the block type 77, which is not known") { $0.tensors[0].type = 77 },
    Fault("a removed block type", "has the block type 4, which is not known") { $0.tensors[0].type = 4 },
    Fault("rows that are no whole blocks", "which blocks of 32 (Q4_0) do not fill") { $0.tensors[2].shape = [36] },
    Fault("an unaligned offset", "not a multiple of 32") { $0.tensors[1].offset = 40 },
    Fault("an offset beyond the file", "is cut short: tensor \"b\" needs 20 bytes") { $0.tensors[1].offset = 1 << 20 },
    Fault("an offset beyond Int", "begins beyond the end") { $0.tensors[1].offset = .max },
    Fault("overlapping tensors", "overlaps the one before it") { $0.tensors[1].offset = 0 },
    Fault("a tensor larger than the file", "is cut short: tensor \"q\"") { $0.tensors[2].shape = [32, 4000] },
    Fault("a count of splits", "\"split.count\" must be from 0 to 99999") {
      $0.entries.append(("split.count", .int32(-1)))
    },
    Fault("a split without its name", "is one of 3 files by its metadata, but is not called") {
      $0.entries.append(("split.count", .uint32(3)))
    },
  ]

  @Test(arguments: faults)
  func malformedFilesAreErrors(fault: Fault) throws {
    var file = small()
    fault.change(&file)
    let found = try message(file.bytes)
    #expect(found.contains(fault.expected), "\(found)")
  }

  /// The shards of a model are found from each of them, from any folder.
  @Test func splitModels() throws {
    try withTemporaryFolder { folder in
      func shard(_ number: Int, of count: Int, _ tensors: [GGUFBuilder.Tensor]) -> GGUFBuilder {
        var file = GGUFBuilder()
        if number == 1 { file.entries = small().entries }
        file.entries += [
          ("split.no", .uint32(UInt32(number - 1))), ("split.count", .uint32(UInt32(count))),
          ("split.tensors.count", .int32(3)),
        ]
        file.tensors = tensors
        return file
      }
      let all = small().tensors
      func path(_ number: Int) -> String { "\(folder)/m-0000\(number)-of-00003.gguf" }
      // gguf-split can leave the first file without tensors.
      for (number, tensors) in [(1, []), (2, [all[0], all[1]]), (3, [all[2]])] {
        try writeAtomically(shard(number, of: 3, tensors).bytes, to: path(number))
      }
      for number in 1...3 {
        let model = try GGUFModel(path: path(number))
        #expect(model.tensors.map(\.name) == ["a", "b", "q"] && model.path == path(1))
        #expect(try model.metadata.integer("count") == 7)
      }
      #expect(try GGUFModel.file(of: folder) == path(1))
      func message() -> String {
        do { _ = try GGUFModel(path: path(1)) } catch { return "\(error)" }
        return ""
      }
      try writeAtomically(shard(2, of: 3, [all[0]]).bytes, to: path(2))
      #expect(message().contains("\"split.tensors.count\" must be 2"))
      try writeAtomically(shard(2, of: 3, [all[0], all[2]]).bytes, to: path(2))
      #expect(message().contains("tensor \"q\" is in another file of the model too"))
      try writeAtomically(shard(3, of: 3, [all[0], all[1]]).bytes, to: path(2))
      #expect(message().contains("\"split.no\" must be 1 "))
      try removeRecursively(path(2))
      #expect(message().contains("m-00002-of-00003.gguf: not found; the model is split into 3 files"))
    }
  }

  @Test func theModelOfAFolder() throws {
    try withTemporaryFolder { folder in
      #expect(try GGUFModel.file(of: folder) == nil && GGUFModel.file(of: folder + "/none") == nil)
      try writeAtomically("x", to: folder + "/mmproj-m.gguf")
      #expect(try GGUFModel.file(of: folder) == nil)
      try writeAtomically("x", to: folder + "/m.gguf")
      #expect(try GGUFModel.file(of: folder) == folder + "/m.gguf")
      #expect(try GGUFModel.file(of: folder + "/m.gguf") == folder + "/m.gguf")
      try writeAtomically("x", to: folder + "/n.gguf")
      #expect(throws: InputError.missing(folder, "has 2 GGUF files: m.gguf, n.gguf; name one of them")) {
        try GGUFModel.file(of: folder)
      }
      // Beside safetensors, GGUF files do not count.
      try writeAtomically("x", to: folder + "/model.safetensors")
      #expect(try GGUFModel.file(of: folder) == nil)
    }
  }
}
