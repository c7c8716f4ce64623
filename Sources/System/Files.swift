import Diagnostics
import Glibc

/// Resolves a path from a file against the folder of that file; absolute paths are unchanged.
///
/// `..` removes the component before it: `a/b` and `../c` give `a/c`.
package func resolve(_ path: String, relativeTo folder: String) -> String {
  if path.hasPrefix("/") { return path }
  var components: [Substring] = []
  for component in (folder + "/" + path).split(separator: "/") where component != "." {
    if component == "..", let last = components.last, last != ".." {
      components.removeLast()
    } else {
      components.append(component)
    }
  }
  let joined = components.joined(separator: "/")
  return folder.hasPrefix("/") ? "/" + joined : joined.isEmpty ? "." : joined
}

/// The folder of a path: `a/b.json` → `a`, `b.json` → `.`, `/b` → `/`.
package func folder(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of a path.
package func lastComponent(of path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}

package func fileExists(_ path: String) -> Bool {
  access(path, F_OK) == 0
}

package func isDirectory(_ path: String) -> Bool {
  var status = stat()
  return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether a path is a pipe, a terminal or another device: something that can be read once.
package func isStream(_ path: String) -> Bool {
  var status = stat()
  return unsafe stat(path, &status) == 0 && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
}

/// The time a file was last written, as "2026-11-21 16:30 UTC"; nil if it does not exist.
package func modificationTime(of path: String) -> String? {
  var status = stat(), parts = tm()
  guard unsafe stat(path, &status) == 0, unsafe gmtime_r(&status.st_mtim.tv_sec, &parts) != nil else { return nil }
  func two(_ value: Int32) -> String { (value < 10 ? "0" : "") + String(value) }
  return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
    + "\(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
}

/// The system's description of the last failed call.
func systemReason() -> String {
  unsafe String(cString: strerror(errno))
}

/// The names in a folder, sorted; empty if it does not exist.
package func names(inDirectory path: String) -> [String] {
  guard let directory = unsafe opendir(path) else { return [] }
  defer { unsafe closedir(directory) }
  var names: [String] = []
  while let entry = unsafe readdir(directory) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Reads a whole file.
///
/// - Throws: `InputError.missing` when it cannot be opened or read.
package func readBytes(of path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY)
  guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
  defer { close(descriptor) }
  var status = stat()
  guard unsafe fstat(descriptor, &status) == 0 else { throw InputError.missing(path, systemReason()) }
  guard status.st_mode & S_IFMT != S_IFDIR else { throw InputError.missing(path, "is a folder, expected a file") }
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

/// Creates a folder and its parents; an existing folder is not an error.
///
/// - Throws: `InputError.failure` when a system call fails.
package func makeDirectory(_ path: String) throws {
  if isDirectory(path) { return }
  let parent = folder(of: path)
  if parent != path, parent != "." { try makeDirectory(parent) }
  if mkdir(path, 0o777) == 0 { return }
  let reason = systemReason()
  guard isDirectory(path) else { throw InputError.failure(path, "cannot create this folder: \(reason)") }
}

/// Removes a file, or a folder with its contents; a missing path is not an error.
package func removeRecursively(_ path: String) throws {
  var status = stat()
  guard unsafe lstat(path, &status) == 0 else { return }
  if status.st_mode & S_IFMT == S_IFDIR {
    for name in names(inDirectory: path) { try removeRecursively(path + "/" + name) }
    guard rmdir(path) == 0 else { throw InputError.failure(path, "cannot be removed: \(systemReason())") }
  } else {
    guard unlink(path) == 0 else { throw InputError.failure(path, "cannot be removed: \(systemReason())") }
  }
}

/// Moves `source` to `destination`. An existing folder there is moved aside first and removed last, so a crash at any
/// point leaves one complete version.
package func replaceDirectory(at destination: String, with source: String) throws {
  let old = destination + ".old"
  try removeRecursively(old)
  if fileExists(destination), rename(destination, old) != 0 {
    throw InputError.failure(destination, "cannot be moved aside: \(systemReason())")
  }
  guard rename(source, destination) == 0 else {
    throw InputError.failure(destination, "cannot be put in place: \(systemReason())")
  }
  try removeRecursively(old)
}

/// A file that appears complete or not at all: it is written under a temporary name beside it and renamed at the end.
///
/// A link is followed; a device or pipe is written directly.
package final class ReplacingFile {
  /// The path of the bytes until the end; nil for a device or pipe.
  package private(set) var temporary: String?
  private let path: String
  private let file: AppendingFile

  /// Creates the temporary file; `announce` is called with its path first.
  ///
  /// - Throws: `InputError.failure` when a system call fails.
  package init(path: String, announce: (String) -> Void = { _ in }) throws {
    let isOther = isStream(path)
    self.path = fileExists(path) ? absolutePath(path) : path
    temporary = isOther ? nil : "\(self.path).partial-\(getpid())"
    if let temporary { announce(temporary) }
    file = try AppendingFile(path: temporary ?? path, truncating: !isOther, shownAs: path)
  }

  /// Without `finish`, no file remains.
  deinit {
    if let temporary { unlink(temporary) }
  }

  package func append(_ bytes: [UInt8]) throws { try file.append(bytes) }

  /// Flushes the bytes to disk and renames the file.
  ///
  /// - Throws: `InputError.failure` when a system call fails.
  package func finish() throws {
    guard let temporary else { return }
    try file.synchronize()
    guard rename(temporary, path) == 0 else {
      throw InputError.failure(path, "cannot be put in place: \(systemReason())")
    }
    self.temporary = nil
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
  package init(path: String, truncating: Bool = false, shownAs name: String? = nil) throws {
    self.path = name ?? path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncating ? O_TRUNC : 0), 0o666)
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

  /// Locks the file for this process until it closes it; false when another process has locked it.
  package func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  /// Waits until all written bytes are on the disk.
  package func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw InputError.failure(path, "cannot be flushed: \(systemReason())") }
  }
}

/// Whether another process has locked a file with `AppendingFile.lock`.
package func isLocked(_ path: String) -> Bool {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  return flock(descriptor, LOCK_SH | LOCK_NB) != 0
}

/// A file mapped read-only into memory: pages are read from disk on access and shared with other processes.
package final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is immutable from init to deinit.
  package let path: String
  package let bytes: UnsafeRawBufferPointer

  /// Maps the whole file.
  ///
  /// - Throws: `InputError.missing` when it cannot be opened or mapped.
  package init(path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw InputError.missing(path, "is not a regular file")
    }
    let length = Int(status.st_size)
    if length == 0 {
      unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let address = unsafe mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address = unsafe address, unsafe address != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw InputError.missing(path, "cannot be mapped: \(systemReason())")
    }
    unsafe bytes = UnsafeRawBufferPointer(start: address, count: length)
  }

  /// Releases the memory of a range of bytes; they are read from the file again on the next access.
  package func release(_ part: UnsafeRawBufferPointer) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard let start = part.baseAddress else { return }
    let first = (Int(bitPattern: start) + page - 1) / page * page
    let end = (Int(bitPattern: start) + part.count) / page * page
    // Whole pages only; a failure only costs memory.
    if end > first { madvise(UnsafeMutableRawPointer(bitPattern: first), end - first, MADV_DONTNEED) }
  }

  deinit {
    if let address = unsafe bytes.baseAddress {
      unsafe munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}

/// The absolute path: with links resolved if it exists, else relative to the current folder.
package func absolutePath(_ path: String) -> String {
  if let resolved = unsafe realpath(path, nil) {
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
  let parent = folder(of: path)
  if path.hasPrefix("/") || parent == path { return path }
  return resolve(lastComponent(of: path), relativeTo: absolutePath(parent))
}
