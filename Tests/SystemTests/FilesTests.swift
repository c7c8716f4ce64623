import Diagnostics
import Glibc
import System
import Testing
import TestSupport

@Suite struct FilesTests {
  @Test(arguments: [
    ("c", "a/b", "a/b/c"), ("../c", "a/b", "a/c"), ("../../runs", "configs/quickstart", "runs"), ("/c", "a", "/c"),
    ("./c", "/a", "/a/c"), ("../../c", "a", "../c"), ("../../../c", "a", "../../c"), ("c", ".", "c"), ("..", "a", "."),
  ])
  func pathsAreRelativeToTheirFile(path: String, folder: String, expected: String) {
    #expect(resolve(path, relativeTo: folder) == expected)
  }

  @Test(arguments: [("a/b.json", "a"), ("b.json", "."), ("/b", "/"), ("/a/b", "/a")])
  func foldersOfPaths(path: String, expected: String) {
    #expect(folder(of: path) == expected)
  }

  @Test func removingStopsAtLinks() throws {
    try withTemporaryFolder { folder in
      try makeDirectory(folder + "/kept")
      try writeAtomically("precious", to: folder + "/kept/file")
      try makeDirectory(folder + "/removed/inner")
      #expect(symlink(folder + "/kept", folder + "/removed/inner/link") == 0)
      try removeRecursively(folder + "/removed")
      #expect(names(inDirectory: folder) == ["kept"] && names(inDirectory: folder + "/kept") == ["file"])
    }
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
}
