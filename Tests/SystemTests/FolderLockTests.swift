import Glibc
import System
import Testing
import TestSupport

@Suite struct FolderLockTests {
  @Test func oneProcessHasAFolder() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a/b"
      var first: FolderLock? = try FolderLock(path)
      #expect(first?.isExclusive == true)
      #expect(names(inDirectory: path) == [FolderLock.file])
      #expect(try FolderLock(path) == nil)
      first = nil
      #expect(try FolderLock(path) != nil)
      // The file stays the same: a lock on one that was replaced would hold nothing.
      var before = stat(), after = stat()
      #expect(stat(path + "/" + FolderLock.file, &before) == 0)
      _ = try FolderLock(path)
      #expect(stat(path + "/" + FolderLock.file, &after) == 0 && before.st_ino == after.st_ino)
    }
  }
}
