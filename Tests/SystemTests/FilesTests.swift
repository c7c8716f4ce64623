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
      try replaceFiles(["new", "old"], inDirectory: folder + "/old", from: folder + "/new")
      #expect(names(inDirectory: folder) == ["old"])
      #expect(names(inDirectory: folder + "/old") == ["new"])
      // What a user has put there stays.
      try writeAtomically("mine", to: folder + "/old/notes")
      try makeDirectory(folder + "/newer")
      for name in ["new", "old"] { try writeAtomically("newer", to: folder + "/newer/" + name) }
      try replaceFiles(["new", "old"], inDirectory: folder + "/old", from: folder + "/newer")
      #expect(names(inDirectory: folder) == ["old"] && names(inDirectory: folder + "/old") == ["new", "notes", "old"])
      #expect(try readBytes(of: folder + "/old/new") == Array("newer".utf8))
    }
  }

  /// The names of files are bytes.
  @Test func namesThatAreNoUTF8() throws {
    try withTemporaryFolder { folder in
      let name = pathText([0x63, 0xE9, 0xFF, 0xC3, 0xA9])
      #expect(pathBytes(name) == [0x63, 0xE9, 0xFF, 0xC3, 0xA9])
      try makeDirectory(folder + "/" + name)
      try writeAtomically("x", to: folder + "/" + name + "/" + name)
      #expect(names(inDirectory: folder) == [name] && names(inDirectory: folder + "/" + name) == [name])
      #expect(absolutePath(folder + "/" + name) == absolutePath(folder) + "/" + name)
      #expect(open(folder + "/c\u{FFFD}", O_RDONLY) == -1)
      let missing = #expect(throws: InputError.self) { try readBytes(of: folder + "/" + pathText([0xE8])) }
      #expect("\(try #require(missing))".contains(#"/\xE8: cannot be opened"#))
      try removeRecursively(folder + "/" + name)
      #expect(names(inDirectory: folder) == [])
    }
  }

  /// Not the file whose name ends before the zero byte.
  @Test func noFileHasAZeroByteInItsName() throws {
    try withTemporaryFolder { folder in
      try writeAtomically("x", to: folder + "/file")
      #expect(!fileExists(folder + "/file\0more") && fileExists(folder + "/file"))
      #expect(throws: InputError.self) { try readBytes(of: folder + "/file\0") }
      let path = absolutePath(folder + "/\0")
      #expect(absolutePath(path) == path)
    }
  }

  /// Characters that stand for bytes are themselves bytes in a path that has them.
  @Test func everyPathComesBack() {
    for bytes in [
      Array("\u{10F7E9}/é".utf8), [0xF4, 0x8F], [0xED, 0xA0, 0x80], [0xC0, 0x80, 0x41], Array("a\u{301}é".utf8), [],
    ] {
      #expect(pathBytes(pathText(bytes)) == bytes)
    }
  }

  /// A file that a killed process was writing goes when the same file is written again; one being written stays.
  @Test func abandonedFilesAreRemoved() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try writeAtomically("left", to: path + ".partial-1")
      try writeAtomically("other", to: path + ".partial-x")
      try writeAtomically("other", to: folder + "/file2.partial-1")
      let writer = open(path + ".partial-2", O_CREAT | O_WRONLY, 0o600)
      #expect(flock(writer, LOCK_EX) == 0)
      try writeAtomically("new", to: path)
      #expect(names(inDirectory: folder) == ["file", "file.partial-2", "file.partial-x", "file2.partial-1"])
      close(writer)
      try writeAtomically("newer", to: path)
      #expect(names(inDirectory: folder) == ["file", "file.partial-x", "file2.partial-1"])
    }
  }

  @Test(arguments: [
    ("/a/b", "/a/c/d", "../c/d"), ("/a", "/a/b", "b"), ("/a/b/c", "/x", "../../../x"), ("/", "/x", "x"),
  ])
  func pathsBetweenFolders(folder: String, path: String, expected: String) {
    #expect(relativePath(of: path, from: folder) == expected)
    #expect(resolve(expected, relativeTo: folder) == path)
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
