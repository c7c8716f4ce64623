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

  @Test(arguments: [
    ("too short", [UInt8](repeating: 0, count: 7), "at least 8 bytes"),
    ("huge header", file("{}", data: 0, claiming: 1 << 40), "at most 100000000 are allowed"),
    ("header longer than the file", file("{}", data: 0, claiming: 3), "is the download complete?"),
    ("header no object", file("[]", data: 0), "does not start with"),
    ("header no JSON", file("{\"a\" 1}", data: 0), "malformed JSON"),
    ("header no UTF-8", file("{}", data: 0).dropLast() + [0xFF], "malformed JSON"),
    ("unknown type", file("{" + tensor("a", "F12", "[2]", 0, 8) + "}", data: 8), "has dtype \"F12\""),
    ("negative shape", file("{" + tensor("a", "F32", "[-2]", 0, 8) + "}", data: 8), "no shape of whole numbers"),
    ("shape overflow", file("{" + tensor("a", "F32", "[4611686018427387904,4]", 0, 8) + "}", data: 8), "overflows"),
    ("shape against offsets", file("{" + tensor("a", "F32", "[3]", 0, 8) + "}", data: 8), "needs 12 bytes"),
    ("offsets reversed", file("{" + tensor("a", "F32", "[2]", 8, 0) + "}", data: 8), "begin <= end"),
    ("offsets outside", file("{" + tensor("a", "F32", "[2]", 8, 16) + "}", data: 8), "ends at byte 16 of 8"),
    (
      "overlap", file("{" + tensor("a", "F32", "[2]", 0, 8) + "," + tensor("b", "F32", "[2]", 4, 12) + "}", data: 12),
      "overlaps"
    ),
    ("hole", file("{" + tensor("a", "F32", "[2]", 4, 12) + "}", data: 12), "a hole of 4 bytes"),
    ("data left over", file("{" + tensor("a", "F32", "[2]", 0, 8) + "}", data: 9), "1 bytes at the end"),
    (
      "name twice",
      file("{" + tensor("a", "F32", "[2]", 0, 8) + "," + tensor("a", "F32", "[2]", 8, 16) + "}", data: 16),
      "appears twice"
    ),
  ])
  func malformedFilesAreRefused(kind: String, bytes: [UInt8], message: String) throws {
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
