import Diagnostics
import Foundation
import System
import Testing
import TestSupport

@Suite struct ChunkedInputTests {
  /// Everything an input gives, and how often it was said that bytes had to be waited for.
  private func read(_ input: ChunkedInput, beforeWaiting: () throws -> Void = {}) throws -> [UInt8] {
    var all: [UInt8] = []
    while case let bytes = try input.next(beforeWaiting: beforeWaiting), !bytes.isEmpty { all += bytes }
    return all
  }

  @Test func largeFilesComeInPiecesWithoutWaiting() throws {
    try withTemporaryFolder { folder in
      let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
      try writeAtomically(bytes, to: folder + "/f")
      var waits = 0
      #expect(try read(ChunkedInput(path: folder + "/f")) { waits += 1 } == bytes)
      #expect(waits == 0)
    }
  }

  /// What a pipe holds is handed over before more is waited for.
  @Test func waitingIsAnnounced() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/pipe"
      #expect(mkfifo(path, 0o600) == 0)
      let writer = FileHandle(fileDescriptor: open(path, O_RDWR), closeOnDealloc: true)
      let input = try ChunkedInput(path: path)
      var waits = 0
      writer.write(Data([5]))
      #expect(try input.next { waits += 1 } == [5])
      #expect(waits == 0)
      #expect(
        try input.next {
          waits += 1
          writer.write(Data([6, 7]))
        } == [6, 7])
      #expect(waits == 1)
    }
  }

  @Test func foldersAndMissingFilesAreNamed() {
    for (path, message) in [("/tmp", "/tmp: is a folder"), ("/nowhere/x", "/nowhere/x: cannot be opened")] {
      #expect {
        try ChunkedInput(path: path)
      } throws: {
        "\($0)".contains(message)
      }
    }
  }

  /// The bytes as `gzip` compresses them.
  private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let process = Process(), input = Pipe(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let writing = Thread {
      try? input.fileHandleForWriting.write(contentsOf: bytes); try? input.fileHandleForWriting.close()
    }
    writing.start()
    defer { process.waitUntilExit() }
    return Array(output.fileHandleForReading.readDataToEndOfFile())
  }

  /// Several members are one file, zeros after them are padding, and the extension does not matter.
  @Test func gzipDataIsDecompressed() throws {
    try withTemporaryFolder { folder in
      let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 * $0) >> 5) }
      let member = try gzip(bytes), empty = try gzip([])
      for (data, expected) in [
        (member, bytes), (member + empty + member, bytes + bytes), (member + [0, 0, 0], bytes), (empty, []),
      ] {
        try writeAtomically(data, to: folder + "/f.csv")
        let input = try ChunkedInput(path: folder + "/f.csv")
        #expect(try read(input) == expected)
        #expect(input.isCompressed)
      }
    }
  }

  /// What comes before the damage is handed over.
  @Test(arguments: ["the gzip data ends too early", "the gzip data is corrupt", "behind the last member"])
  func damagedGzipDataIsOneLine(damage: String) throws {
    try withTemporaryFolder { folder in
      let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 * $0) >> 5) }
      var data = try gzip(bytes)
      var message = damage
      switch damage {
      case "the gzip data ends too early": data.removeLast(20)
      case "the gzip data is corrupt": data.replaceSubrange((data.count - 6)..., with: [1, 2, 3, 4, 5, 6])
      default:
        data += [7]
        message = "the gzip data is corrupt"
      }
      try writeAtomically(data, to: folder + "/f")
      let input = try ChunkedInput(path: folder + "/f")
      var found: [UInt8] = []
      #expect {
        while case let more = try input.next(), !more.isEmpty { found += more }
      } throws: {
        "\($0)".contains("/f: " + message)
      }
      #expect(found.count > 200_000 && bytes.starts(with: found))
    }
  }
}
