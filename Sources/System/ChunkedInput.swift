import Diagnostics
import Glibc

/// The bytes of a file or of standard input, in chunks; gzip data, known by its first bytes, is decompressed.
package final class ChunkedInput {
  /// The name in messages: its path, or "standard input".
  package let name: String
  private let path: String
  private let descriptor: Int32
  private var isAtStart = true
  private var decoder: GzipDecoder?

  /// Whether what was read so far is gzip data.
  package var isCompressed: Bool { decoder != nil }

  /// Opens a file; `-` is standard input.
  ///
  /// - Throws: `InputError.missing` when it cannot be opened, or is a folder.
  package init(path: String) throws {
    self.path = path
    name = path == "-" ? "standard input" : path
    guard !isDirectory(path) else { throw InputError.missing(path, "is a folder, expected a file") }
    descriptor = path == "-" ? STDIN_FILENO : openFile(path, O_RDONLY)
    guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
  }

  deinit { if path != "-" { close(descriptor) } }

  /// Reads some bytes.
  ///
  /// - Parameter beforeWaiting: called before waiting for bytes, for example from a pipe with a slow writer.
  /// - Returns: the bytes; none at the end.
  /// - Throws: `InputError.missing` when reading fails, `InputError.badData` for corrupt gzip data, and what
  ///   `beforeWaiting` throws.
  package func next(beforeWaiting: () throws -> Void = {}) throws -> [UInt8] {
    while true {
      if let bytes = try decoder?.next(), !bytes.isEmpty { return bytes }
      if !isReadable { try beforeWaiting() }
      var bytes = try readSome()
      if isAtStart {
        isAtStart = false
        if bytes.count == 1, bytes[0] == GzipDecoder.magic[0] { bytes += try readSome() }
        if bytes.starts(with: GzipDecoder.magic) { decoder = GzipDecoder(name: name) }
      }
      guard let decoder else { return bytes }
      if bytes.isEmpty {
        try decoder.finish()
        return []
      }
      decoder.add(bytes)
    }
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
