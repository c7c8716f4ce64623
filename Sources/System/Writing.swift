import Diagnostics
import Glibc

/// A file that appears complete or not at all: it is written under a temporary name beside it and renamed at the end.
///
/// The temporary file is locked while it is written, and the next writer of the same path removes one that a killed
/// process left. A link is followed; a device or pipe is written directly.
package final class ReplacingFile {
  /// The path of the bytes until the end; nil for a device or pipe.
  package private(set) var temporary: String?
  /// Bytes of all calls of `append` that have returned.
  package private(set) var length = 0
  private let path: String
  private let file: AppendingFile

  /// Creates the temporary file; `announce` is called with its path first.
  ///
  /// - Throws: `InputError.failure` when a system call fails.
  package init(path: String, announce: (String) -> Void = { _ in }) throws {
    self.path = fileExists(path) ? absolutePath(path) : path
    guard !isStream(path) else {
      temporary = nil
      file = try AppendingFile(path: path)
      return
    }
    Self.removeAbandoned(self.path)
    let temporary = "\(self.path).partial-\(getpid())"
    announce(temporary)
    self.temporary = temporary
    file = try AppendingFile(path: temporary, truncating: true, shownAs: path)
    _ = file.lock()
  }

  /// Without `finish`, no file remains.
  deinit {
    if let temporary { try? removeRecursively(temporary) }
  }

  /// Removes the temporary files of processes that have ended.
  private static func removeAbandoned(_ path: String) {
    let directory = folder(of: path), start = lastComponent(of: path) + ".partial-"
    for name in names(inDirectory: directory) where name.hasPrefix(start) && Int(name.dropFirst(start.count)) != nil {
      let other = directory + "/" + name
      if (try? AppendingFile(path: other, creating: false))?.lock() == .held { try? removeRecursively(other) }
    }
  }

  package func append(_ bytes: [UInt8]) throws {
    try file.append(bytes)
    length += bytes.count
  }

  /// Gives what has been appended another name, in place of `finish`; nothing for a device or pipe.
  ///
  /// - Throws: `InputError.failure` when a system call fails.
  package func keep(as other: String) throws {
    guard let temporary else { return }
    try file.synchronize()
    // An append that failed may have written a part.
    guard unsafe withPath(temporary, { unsafe truncate($0, length) }) == 0, move(temporary, to: other) else {
      throw InputError.failure(other, "cannot be put in place: \(systemReason())")
    }
    self.temporary = nil
  }

  /// Flushes the bytes to disk and renames the file.
  ///
  /// - Throws: `InputError.failure` when a system call fails.
  package func finish() throws {
    guard let temporary else { return }
    try file.synchronize()
    if !move(temporary, to: path) {
      // A file that is a mount of its own cannot be replaced, only written.
      guard [EXDEV, EBUSY].contains(errno) else {
        throw InputError.failure(path, "cannot be put in place: \(systemReason())")
      }
      let direct = try AppendingFile(path: path, truncating: true)
      try direct.append(readBytes(of: temporary))
      try direct.synchronize()
      try removeRecursively(temporary)
    }
    self.temporary = nil
    synchronizeDirectory(folder(of: path))
  }
}

/// Writes a file that appears complete or not at all.
///
/// - Throws: `InputError.failure` when a system call fails; no file remains then.
package func writeAtomically(_ bytes: [UInt8], to path: String) throws {
  let file = try ReplacingFile(path: path)
  try file.append(bytes)
  try file.finish()
}

/// Writes text as UTF-8, completely or not at all.
package func writeAtomically(_ text: String, to path: String) throws {
  try writeAtomically(Array(text.utf8), to: path)
}

/// A file to append to; the system has the bytes of each `append` when it returns.
package final class AppendingFile {
  private let descriptor: Int32
  private let path: String

  /// Opens or creates the file; `truncating` empties it first; errors call it `shownAs`.
  package init(
    path: String, creating: Bool = true, truncating: Bool = false, shownAs name: String? = nil
  ) throws {
    self.path = name ?? path
    descriptor = openFile(
      path, O_WRONLY | O_APPEND | (creating ? O_CREAT : 0) | (truncating ? O_TRUNC : 0))
    guard descriptor >= 0 else { throw InputError.failure(self.path, "cannot be written: \(systemReason())") }
  }

  deinit { close(descriptor) }

  package func append(_ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw InputError.failure(path, "cannot be written: \(systemReason())")
      }
      done += count
    }
  }

  package func append(line: String) throws {
    try append(Array(line.utf8) + [UInt8(ascii: "\n")])
  }

  /// The outcome of `lock`.
  enum Lock {
    case held
    case heldByAnotherProcess
    /// The file system has no locks (Lustre without the option, some NFS).
    case unavailable
  }

  /// Locks the file for this process until it closes it.
  func lock() -> Lock {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      return errno == EWOULDBLOCK ? .heldByAnotherProcess : .unavailable
    }
    return .held
  }

  /// Waits until all written bytes are on the disk.
  package func synchronize() throws {
    // A file system that cannot do this (EINVAL, ENOTSUP) keeps the bytes as well as it can.
    guard fsync(descriptor) == 0 || [EINVAL, ENOTSUP].contains(errno) else {
      throw InputError.failure(path, "cannot be flushed: \(systemReason())")
    }
  }
}

/// The sole use of a folder by this process, until this object is released or the process ends.
///
/// It is a lock on a file in the folder that is never replaced or removed.
package final class FolderLock {
  /// The name of the file.
  package static let file = "cpt.lock"
  private let file: AppendingFile
  /// False where the file system has no locks: other processes cannot be noticed.
  package let isExclusive: Bool

  /// Locks a folder, and creates it if needed; nil when another process has locked it.
  ///
  /// - Throws: `InputError.failure` when the file cannot be created.
  package init?(_ folder: String) throws {
    try makeDirectory(folder)
    file = try AppendingFile(path: folder + "/" + Self.file)
    let lock = file.lock()
    if lock == .heldByAnotherProcess { return nil }
    isExclusive = lock == .held
  }
}
