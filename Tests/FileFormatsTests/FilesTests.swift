import FileFormats
import Glibc
import TestSupport
import Testing

@Suite struct FilesTests {
  @Test(arguments: [
    ("c", "a/b", "a/b/c"), ("../c", "a/b", "a/c"), ("../../runs", "configs/quickstart", "runs"), ("/c", "a", "/c"),
    ("./c", "/a", "/a/c"), ("../../c", "a", "../c"), ("c", ".", "c"), ("..", "a", "."),
  ])
  func pathsAreRelativeToTheirFile(path: String, folder: String, expected: String) {
    #expect(resolve(path, relativeTo: folder) == expected)
  }

  @Test func replacingAFolderLeavesOnlyTheNewOne() throws {
    try withTemporaryFolder { folder in
      for name in ["old", "new"] {
        try makeDirectory(folder + "/" + name)
        try writeAtomically(name, to: folder + "/\(name)/\(name)")
      }
      try replaceDirectory(at: folder + "/old", with: folder + "/new")
      #expect(names(inDirectory: folder) == ["old"])
      #expect(names(inDirectory: folder + "/old") == ["new"])
    }
  }

  @Test func writingFollowsLinks() throws {
    try withTemporaryFolder { folder in
      try writeAtomically("old", to: folder + "/target")
      #expect(symlink(folder + "/target", folder + "/link") == 0)
      try writeAtomically("new", to: folder + "/link")
      #expect(String(decoding: try readBytes(of: folder + "/target"), as: UTF8.self) == "new")
      var status = stat()
      #expect(lstat(folder + "/link", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    }
  }

  @Test func aFileThatIsNotFinishedLeavesNothing() throws {
    try withTemporaryFolder { folder in
      try writeAtomically("old", to: folder + "/file")
      func write(finishing: Bool) throws {
        let file = try ReplacingFile(path: folder + "/file")
        try file.append(Array("new".utf8))
        if finishing { try file.finish() }
      }
      try write(finishing: false)
      #expect(names(inDirectory: folder) == ["file"])
      #expect(String(decoding: try readBytes(of: folder + "/file"), as: UTF8.self) == "old")
      try write(finishing: true)
      #expect(names(inDirectory: folder) == ["file"])
      #expect(String(decoding: try readBytes(of: folder + "/file"), as: UTF8.self) == "new")
    }
  }

  @Test func writingWhereNothingCanBeLeavesNothing() throws {
    try withTemporaryFolder { folder in
      #expect(throws: InputError.self) { try writeAtomically("x", to: folder + "/missing/file") }
      try makeDirectory(folder + "/taken")
      #expect(throws: InputError.self) { try writeAtomically("x", to: folder + "/taken") }
      #expect(names(inDirectory: folder) == ["taken"])
    }
  }

  @Test(arguments: [("lerning_rate", "learning_rate"), ("evla", "eval"), ("zzzz", nil), ("x", "a")])
  func suggestsTheNearestName(word: String, expected: String?) {
    #expect(nearest(to: word, among: ["learning_rate", "eval", "a", "max_steps"]) == expected)
  }

  @Test func numPyHeaderIsPaddedAndSaysItsShape() {
    let bytes = numPyArray(shape: [2, 1], values: [1, 2])
    #expect(bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0]))
    #expect((bytes.count - 8) % 64 == 0)
    #expect(
      String(decoding: bytes[10..<(bytes.count - 8)], as: UTF8.self).hasPrefix(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"))
    #expect(Array(bytes.suffix(8)) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
  }
}
