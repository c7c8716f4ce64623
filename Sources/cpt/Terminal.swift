import FileFormats
import Glibc

/// Where progress goes: standard error, as a line that is redrawn on a terminal and as plain lines elsewhere.
final class Terminal {
  let isInteractive: Bool
  private var hasLine = false

  init() {
    isInteractive = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
  }

  /// Columns of the terminal; 80 where nobody says.
  var columns: Int {
    var size = winsize()
    if unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return environment("COLUMNS").flatMap(Int.init) ?? 80
  }

  /// Prints a line that stays.
  func line(_ text: String) {
    clear()
    writeToStandardError(text + "\n")
  }

  /// Shows a line that the next one replaces; nothing where output is not a terminal.
  func status(_ text: String) {
    guard isInteractive else { return }
    writeToStandardError("\r\u{1B}[K" + String(text.prefix(max(0, columns - 1))))
    hasLine = true
  }

  /// Removes the line `status` shows.
  func clear() {
    if hasLine { writeToStandardError("\r\u{1B}[K") }
    hasLine = false
  }
}

/// A variable of the environment, nil where it is not set or empty.
func environment(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}

func writeToStandardError(_ text: String) {
  _ = writeAll(text, to: STDERR_FILENO)
}

/// Prints a result: standard output carries nothing else. A reader that has gone away is no mistake.
func printResult(_ text: String) throws {
  _ = try printPiece(text + "\n")
}

/// Prints a part of a result, at once; false when its reader has gone away.
func printPiece(_ text: String) throws -> Bool {
  if writeAll(text, to: STDOUT_FILENO) { return true }
  guard errno == EPIPE else {
    throw InputError.failure("standard output", "cannot be written: \(unsafe String(cString: strerror(errno)))")
  }
  return false
}

/// Whether all was written.
private func writeAll(_ text: String, to descriptor: Int32) -> Bool {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 {
      if errno == EINTR { continue }
      return false
    }
    bytes = bytes.dropFirst(count)
  }
  return true
}
