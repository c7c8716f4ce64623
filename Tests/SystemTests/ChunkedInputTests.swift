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

  @Test(
    arguments: [([], []), ([0xEF], [0xEF]), ([0xEF, 0xBB, 0xBF], []), ([0xEF, 0xBB, 0xBF, 1], [1])]
      as [([UInt8], [UInt8])])
  func aByteOrderMarkIsLeftOut(bytes: [UInt8], expected: [UInt8]) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(bytes, to: folder + "/f")
      #expect(try read(ChunkedInput(path: folder + "/f")) == expected)
    }
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
      writer.write(Data([0xEF, 0xBB, 0xBF, 5]))
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
}
