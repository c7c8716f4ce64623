import Diagnostics
import Glibc

/// The bytes of a file or of standard input, a piece at a time; a byte-order mark at their start is left out.
package final class ChunkedInput {
  /// What messages call it: its path, or "standard input".
  package let name: String
  private let path: String
  private let descriptor: Int32
  private var isAtStart = true

  /// Opens a file; `-` is standard input.
  ///
  /// - Throws: `InputError.missing` when it cannot be opened, or is a folder.
  package init(path: String) throws {
    self.path = path
    name = path == "-" ? "standard input" : path
    guard !isDirectory(path) else { throw InputError.missing(path, "is a folder, expected a file") }
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
  }

  deinit { if path != "-" { close(descriptor) } }

  /// Reads some bytes.
  ///
  /// - Parameter beforeWaiting: called when bytes have still to come, as from a pipe whose writer takes its time.
  /// - Returns: the bytes; none at the end.
  /// - Throws: `InputError.missing` when they cannot be read, and what `beforeWaiting` throws.
  package func next(beforeWaiting: () throws -> Void = {}) throws -> [UInt8] {
    if !isReadable { try beforeWaiting() }
    var bytes = try readSome()
    guard isAtStart else { return bytes }
    isAtStart = false
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    while bytes.count < mark.count, !bytes.isEmpty, mark.starts(with: bytes) {
      let more = try readSome()
      if more.isEmpty { break }
      bytes += more
    }
    return bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
  }

  /// Whether a read returns at once: with bytes, the end or an error.
  private var isReadable: Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&request, 1, 0) != 0
  }

  private func readSome() throws -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe read(descriptor, &chunk, chunk.count)
      if count >= 0 { return Array(chunk.prefix(count)) }
      if errno != EINTR { throw InputError.missing(name, "cannot be read: \(systemReason())") }
    }
  }
}
