import Diagnostics
import Glibc

package func fileExists(_ path: String) -> Bool {
  unsafe withPath(path) { unsafe access($0, F_OK) } == 0
}

package func isDirectory(_ path: String) -> Bool {
  status(of: path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
}

/// Bytes of a file; 0 if it does not exist.
package func fileSize(_ path: String) -> Int { status(of: path).map { Int($0.st_size) } ?? 0 }

/// What the system knows of a file, links followed; nil if it does not exist.
func status(of path: String) -> stat? {
  var status = stat()
  return unsafe withPath(path) { unsafe stat($0, &status) } == 0 ? status : nil
}

package func isLink(_ path: String) -> Bool {
  var status = stat()
  return unsafe withPath(path) { unsafe lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
}

/// Whether a path is a pipe, a terminal or another device: something that can be read once.
package func isStream(_ path: String) -> Bool {
  status(of: path).map { ![S_IFREG, S_IFDIR].contains($0.st_mode & S_IFMT) } ?? false
}

/// The time a file was last written, as "2026-11-21 16:30 UTC"; nil if it does not exist.
package func modificationTime(of path: String) -> String? {
  guard var status = status(of: path) else { return nil }
  var parts = tm()
  guard unsafe gmtime_r(&status.st_mtim.tv_sec, &parts) != nil else { return nil }
  func two(_ value: Int32) -> String { (value < 10 ? "0" : "") + String(value) }
  return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
    + "\(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
}

/// The system's description of the last failed call.
func systemReason() -> String {
  unsafe String(cString: strerror(errno))
}

/// The names in a folder, sorted; empty if it does not exist.
package func names(inDirectory path: String) -> [String] { (try? list(path)) ?? [] }

/// The names in a folder, sorted.
///
/// - Throws: `InputError.failure` when it cannot be read.
private func list(_ path: String) throws -> [String] {
  guard let directory = unsafe withPath(path, { unsafe opendir($0) }) else {
    throw InputError.failure(path, "cannot be read: \(systemReason())")
  }
  defer { unsafe closedir(directory) }
  var names: [String] = []
  while let entry = unsafe readdir(directory) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      unsafe pathText(UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Reads a whole file; a pipe or another device only if `streams` are allowed, since it may never end.
///
/// - Throws: `InputError.missing` when it cannot be opened or read.
package func readBytes(of path: String, streams: Bool = false) throws -> [UInt8] {
  // To open a pipe would wait for its writer.
  let descriptor = openFile(path, streams ? O_RDONLY : O_RDONLY | O_NONBLOCK)
  guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
  defer { close(descriptor) }
  var status = stat()
  guard unsafe fstat(descriptor, &status) == 0 else { throw InputError.missing(path, systemReason()) }
  guard status.st_mode & S_IFMT != S_IFDIR else { throw InputError.missing(path, "is a folder, expected a file") }
  guard streams || status.st_mode & S_IFMT == S_IFREG else {
    throw InputError.missing(path, "is not a regular file")
  }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(Int(status.st_size))
  var chunk = [UInt8](repeating: 0, count: 1 << 20)
  while true {
    let count = unsafe read(descriptor, &chunk, chunk.count)
    if count < 0 {
      if errno == EINTR { continue }
      throw InputError.missing(path, "cannot be read: \(systemReason())")
    }
    if count == 0 { return bytes }
    bytes.append(contentsOf: chunk[..<count])
  }
}

/// Opens a file that programs started by this one do not inherit; -1 if that fails.
func openFile(_ path: String, _ flags: Int32) -> Int32 {
  unsafe withPath(path) { unsafe open($0, flags | O_CLOEXEC, 0o666) }
}

/// Creates a folder and its parents; an existing folder is not an error.
///
/// - Throws: `InputError.failure` when a system call fails.
package func makeDirectory(_ path: String) throws {
  if isDirectory(path) { return }
  let parent = folder(of: path)
  if parent != path, parent != "." { try makeDirectory(parent) }
  if unsafe withPath(path, { unsafe mkdir($0, 0o777) }) == 0 { return synchronizeDirectory(parent) }
  let reason = systemReason()
  if isDirectory(path) { return }
  let found = fileExists(path) ? "it is a file" : isLink(path) ? "it is a link to nothing" : reason
  throw InputError.failure(path, "cannot create this folder: \(found)")
}

/// Waits until the names in a folder are on the disk. A file system that cannot do this keeps them as well as it can.
func synchronizeDirectory(_ path: String) {
  let descriptor = openFile(path, O_RDONLY | O_DIRECTORY)
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  close(descriptor)
}

/// Removes a file, or a folder with its contents; a missing path is not an error.
package func removeRecursively(_ path: String) throws {
  var status = stat()
  guard unsafe withPath(path, { unsafe lstat($0, &status) }) == 0 else { return }
  func remove(_ call: (UnsafePointer<CChar>) -> Int32) throws {
    guard unsafe withPath(path, { unsafe call($0) }) == 0 || errno == ENOENT else {
      throw InputError.failure(path, "cannot be removed: \(systemReason())")
    }
  }
  guard status.st_mode & S_IFMT == S_IFDIR else { return try remove { unsafe unlink($0) } }
  for name in try list(path) { try removeRecursively(path + "/" + name) }
  try remove { unsafe rmdir($0) }
}

/// Removes some files of a folder, in their order, and what is left of them half-written; then the folder, unless a user
/// has put something else there.
package func removeFiles(_ files: [String], inDirectory path: String) throws {
  guard isDirectory(path) else { return }
  let present = try list(path)
  for file in files {
    for name in present where name == file || name.hasPrefix(file + ".partial-") {
      try removeRecursively(path + "/" + name)
    }
  }
  if try list(path).isEmpty { try removeRecursively(path) }
}

/// Moves the files of a folder to where an earlier version of them may be, which is removed.
///
/// The first of the files makes a folder complete: at any point one of the two is. Where the folder can be renamed, the
/// move is one step. It cannot on some file systems (overlayfs, EXDEV), or if a user has put a file into the earlier one.
package func replaceFiles(_ files: [String], inDirectory destination: String, from source: String) throws {
  defer { synchronizeDirectory(folder(of: destination)) }
  try removeFiles(files, inDirectory: destination)
  if !fileExists(destination), move(source, to: destination) { return }
  try makeDirectory(destination)
  for file in files.reversed() where fileExists(source + "/" + file) {
    if move(source + "/" + file, to: destination + "/" + file) { continue }
    try writeAtomically(readBytes(of: source + "/" + file), to: destination + "/" + file)
  }
  try removeRecursively(source)
}

/// Renames a file or a folder; false if that fails.
package func move(_ source: String, to destination: String) -> Bool {
  unsafe withPath(source) { source in unsafe withPath(destination) { unsafe rename(source, $0) } } == 0
}
