import Diagnostics
import FileFormats
import System
import Testing
import TestSupport

/// A safetensors file with that header and so many bytes of data.
private func file(_ header: String, data: Int, claiming length: Int? = nil) -> [UInt8] {
  let count = UInt64(length ?? header.utf8.count)
  return withUnsafeBytes(of: count.littleEndian) { Array($0) } + Array(header.utf8) + [UInt8](repeating: 0, count: data)
}

private func tensor(_ name: String, _ type: String = "F32", _ shape: String = "[2]", _ begin: Int, _ end: Int) -> String
{
  #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
}

@Suite struct SafetensorsTests {
  @Test func whatIsWrittenReadsBack() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/t.safetensors"
      let tensors = [
        FloatTensor(name: "b", shape: [2, 3], values: [1, -2, 3.5, 0, .infinity, 1e-30]),
        FloatTensor(name: "a", shape: [1], values: [7]),
      ]
      try writeAtomically(safetensors(tensors, metadata: [("format", "pt")]), to: path)
      let file = try SafetensorsFile(path: path)
      #expect(file.metadata == ["format": "pt"])
      #expect(file.tensors.map(\.name) == ["a", "b"])
      #expect(try file.floats("b", shape: [2, 3]) == tensors[0].values)
      #expect(file["b"]?.floatsInPlace != nil)
      #expect(throws: InputError.self) { try file.floats("b", shape: [3, 2]) }
      #expect(throws: InputError.self) { try file.floats("c", shape: [1]) }
      #expect(names(inDirectory: folder) == ["t.safetensors"])
    }
  }

  /// So that the data begin at a multiple of 8.
  @Test(arguments: 1...9)
  func headersArePadded(lengthOfName: Int) {
    let tensor = FloatTensor(name: String(repeating: "n", count: lengthOfName), shape: [1], values: [7])
    let bytes = safetensors([tensor])
    #expect(bytes[0] % 8 == 0 && bytes.count == 8 + Int(bytes[0]) + 256 * Int(bytes[1]) + 4)
  }

  /// The shape of a tensor of an unknown type can be any, so nothing of its size is made before the type is checked.
  @Test func tensorsOfUnknownTypesAreNoFloats() throws {
    try withTemporaryFolder { folder in
      let header = "{" + tensor("a", "F12", "[281474976710656,4]", 0, 8) + "}"
      try writeAtomically(file(header, data: 8), to: folder + "/t")
      let file = try SafetensorsFile(path: folder + "/t")
      let shape = [1 << 48, 4]
      #expect(throws: InputError.self) { try file.floats("a", shape: shape) }
    }
  }

  @Test func widensEveryFloatingPointType() throws {
    try withTemporaryFolder { folder in
      let header =
        "{" + tensor("a", "F16", "[2]", 0, 4) + "," + tensor("b", "BF16", "[2]", 4, 8) + ","
        + tensor("c", "F64", "[1]", 8, 16) + "}"
      var bytes = file(header, data: 0)
      bytes += [0x00, 0x3C, 0x01, 0x80]  // 1.0, smallest negative subnormal
      bytes += [0xC0, 0x3F, 0x80, 0xFF]  // 1.5, -inf
      bytes += withUnsafeBytes(of: (-0.25).bitPattern.littleEndian) { Array($0) }
      try writeAtomically(bytes, to: folder + "/t")
      let file = try SafetensorsFile(path: folder + "/t")
      #expect(try file.floats("a", shape: [2]) == [1, -5.9604645e-08])
      #expect(try file.floats("b", shape: [2]) == [1.5, -.infinity])
      #expect(try file.floats("c", shape: [1]) == [-0.25])
    }
  }

  private struct Malformed {
    let kind: String
    let bytes: [UInt8]
    let message: String

    init(_ kind: String, _ bytes: [UInt8], _ message: String) {
      self.kind = kind
      self.bytes = bytes
      self.message = message
    }

    init(_ kind: String, tensors: [String], data: Int, _ message: String) {
      self.init(kind, file("{" + tensors.joined(separator: ",") + "}", data: data), message)
    }
  }

  private static let malformed: [Malformed] = [
    Malformed("too short", [UInt8](repeating: 0, count: 7), "at least 8 bytes"),
    Malformed("huge header", file("{}", data: 0, claiming: 1 << 40), "at most 100000000 are allowed"),
    Malformed("header longer than the file", file("{}", data: 0, claiming: 3), "is the download complete?"),
    Malformed("header no object", file("[]", data: 0), "does not start with"),
    Malformed("header no JSON", file("{\"a\" 1}", data: 0), "malformed JSON"),
    Malformed("header no UTF-8", file("{}", data: 0).dropLast() + [0xFF], "malformed JSON"),
    Malformed("no type", file(#"{"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}}"#, data: 8), "has no dtype"),
    Malformed("fraction in shape", tensors: [tensor("a", "F32", "[2.0]", 0, 8)], data: 8, "no shape of whole numbers"),
    Malformed("half a byte", tensors: [tensor("a", "F4", "[15]", 0, 8)], data: 8, "needs 8 bytes"),
    Malformed("complex too short", tensors: [tensor("a", "C64", "[2]", 0, 8)], data: 8, "needs 16 bytes"),
    Malformed(
      "unknown type, overflow", tensors: [tensor("a", "F12", "[4611686018427387904,4]", 0, 8)], data: 8,
      "overflows"
    ),
    Malformed(
      "byte order mark", file("\u{FEFF}{" + tensor("a", "F32", "[2]", 0, 8) + "}", data: 8), "does not start with"),
    Malformed(
      "metadata no strings", file(#"{"__metadata__":{"n":1},"# + tensor("a", "F32", "[2]", 0, 8) + "}", data: 8),
      "an object of strings"
    ),
    Malformed(
      "three offsets", file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}"#, data: 8), "begin <= end"),
    Malformed(
      "zero size inside",
      tensors: [tensor("a", "F32", "[2]", 0, 8), tensor("z", "F32", "[0]", 4, 4)], data: 8, "overlaps"
    ),
    Malformed(
      "git-lfs", Array("version https://git-lfs.github.com/spec/v1\noid sha256:1\n".utf8), "run `git lfs pull`"),
    Malformed("page", Array("<!DOCTYPE html><html></html>".utf8), "is an HTML or XML page"),
    Malformed("page with spaces", Array("<html>\n  <head>".utf8), "is an HTML or XML page"),
    Malformed(
      "error", Array(#"{"error":"Repository not found"}"#.utf8),
      #"is text, "{\"error\":\"Repository not found\"}", such as a server's answer instead of the file"#),
    Malformed("error with a space", Array(#"{"error" : "x"}"#.utf8), "such as a server's answer"),
    Malformed("no entry", Array("Entry not found".utf8), #"is text, "Entry not found", such as"#),
    Malformed("short text", Array("404\n".utf8), #"is text, "404", such as"#),
    Malformed("UTF-16", [0xFF, 0xFE, 0x7B, 0, 0x22, 0, 0x61, 0, 0x22, 0], "is UTF-16 text"),
    Malformed("UTF-16 without mark", [0x7B, 0, 0x22, 0, 0x61, 0, 0x22, 0, 0x3A, 0], "is UTF-16 text"),
    Malformed("zip", [0x50, 0x4B, 3, 4, 0, 0, 8, 8, 0, 0], "is a zip archive"),
    Malformed("pickle", [0x80, 2, 0x7D], "is a Python pickle"),
    Malformed("gguf", Array("GGUF".utf8) + [3, 0, 0, 0, 1, 0], "is a GGUF file"), Malformed("empty", [], "is empty"),
    Malformed("negative shape", tensors: [tensor("a", "F32", "[-2]", 0, 8)], data: 8, "no shape of whole numbers"),
    Malformed("shape overflow", tensors: [tensor("a", "F32", "[4611686018427387904,4]", 0, 8)], data: 8, "overflows"),
    Malformed("shape against offsets", tensors: [tensor("a", "F32", "[3]", 0, 8)], data: 8, "needs 12 bytes"),
    Malformed("offsets reversed", tensors: [tensor("a", "F32", "[2]", 8, 0)], data: 8, "begin <= end"),
    Malformed("offsets outside", tensors: [tensor("a", "F32", "[2]", 8, 16)], data: 8, "ends at byte 16 of 8"),
    Malformed(
      "overlap", tensors: [tensor("a", "F32", "[2]", 0, 8), tensor("b", "F32", "[2]", 4, 12)], data: 12,
      "overlaps"
    ),
    Malformed("hole", tensors: [tensor("a", "F32", "[2]", 4, 12)], data: 12, "a hole of 4 bytes"),
    Malformed("data left over", tensors: [tensor("a", "F32", "[2]", 0, 8)], data: 9, "1 bytes at the end"),
    Malformed(
      "name twice",
      tensors: [tensor("a", "F32", "[2]", 0, 8), tensor("a", "F32", "[2]", 8, 16)], data: 16,
      "appears twice"
    ),
  ]

  @Test(arguments: malformed.indices)
  func malformedFilesAreRefused(index: Int) throws {
    let bytes = Self.malformed[index].bytes, message = Self.malformed[index].message
    try withTemporaryFolder { folder in
      try writeAtomically(bytes, to: folder + "/t")
      #expect {
        try SafetensorsFile(path: folder + "/t")
      } throws: { error in
        guard let error = error as? InputError else { return false }
        return error.kind == .badData && "\(error)".contains(message)
      }
    }
  }

  /// What the reference implementation reads: white space around the header, null metadata, tensors without elements,
  /// types of other sizes; and types that it does not know yet.
  @Test(arguments: [
    " \n{" + tensor("a", "F32", "[2]", 0, 8) + "} \n\t",
    #"{"__metadata__":null,"# + tensor("a", "F32", "[2]", 0, 8) + "}",
    "{" + tensor("a", "F32", "[2]", 0, 8) + "," + tensor("z", "F32", "[3,0]", 0, 0) + "}",
    "{" + tensor("a", "F32", "[2]", 0, 8) + "," + tensor("z", "F32", "[0]", 8, 8) + "}",
    "{" + tensor("a", "C64", "[1]", 0, 8) + "}", "{" + tensor("a", "F4", "[16]", 0, 8) + "}",
    "{" + tensor("a", "F8_E8M0", "[8]", 0, 8) + "}",
    "{" + tensor("a", "F6_E2M3", "[8]", 0, 6) + "," + tensor("b", "F12", "[1]", 6, 8) + "}",
  ])
  func readsWhatTheReferenceReads(header: String) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(file(header, data: 8), to: folder + "/t")
      let file = try SafetensorsFile(path: folder + "/t")
      #expect(file["a"] != nil)
      if let tensor = file["a"], tensor.type != .float32 {
        #expect {
          try tensor.floats()
        } throws: {
          "\($0)".contains("tensor \"a\" is \(tensor.type.name), expected F32, F16, BF16 or F64")
        }
      }
    }
  }

  @Test func canonicallyEqualNamesAreDifferent() throws {
    try withTemporaryFolder { folder in
      let header = "{" + tensor("x\u{E9}", "F32", "[2]", 0, 8) + "," + tensor("xe\u{301}", "F32", "[1]", 8, 12) + "}"
      try writeAtomically(file(header, data: 12), to: folder + "/t")
      let file = try SafetensorsFile(path: folder + "/t")
      #expect(file["x\u{E9}"]?.count == 2 && file["xe\u{301}"]?.count == 1)
    }
  }

  @Test func noPrefixOfAFileCrashes() throws {
    try withTemporaryFolder { folder in
      let whole = safetensors(
        [FloatTensor(name: "a", shape: [2, 2], values: [1, 2, 3, 4])], metadata: [("format", "pt")])
      for count in 0..<whole.count {
        try writeAtomically(Array(whole[..<count]), to: folder + "/t")
        #expect(throws: InputError.self) { try SafetensorsFile(path: folder + "/t") }
      }
    }
  }
}
