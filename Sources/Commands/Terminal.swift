import Diagnostics
import FileFormats
import Glibc
import System

/// Progress on standard error: one redrawn line on a terminal, plain lines elsewhere.
final class Terminal {
  /// Whether standard error is a terminal that can redraw a line.
  let isInteractive: Bool
  private var hasLine = false

  /// The terminal of standard error.
  init() {
    isInteractive = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
  }

  /// Columns of the terminal, by default 80.
  var columns: Int {
    var size = winsize()
    if unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return environment("COLUMNS").flatMap(Int.init) ?? 80
  }

  /// Prints a line that stays.
  func line(_ text: String) {
    clear()
    writeToStandardError(messageLines(text) + "\n")
  }

  /// Shows a line that the next one replaces; nothing if the output is not a terminal.
  func status(_ text: String) {
    guard isInteractive else { return }
    writeToStandardError("\r\u{1B}[K" + String(messageLine(text).prefix(max(0, columns - 1))))
    hasLine = true
  }

  /// Removes the line `status` shows.
  func clear() {
    if hasLine { writeToStandardError("\r\u{1B}[K") }
    hasLine = false
  }
}

/// An environment variable, nil if it is unset or empty.
func environment(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}

/// A heading, bold on a terminal unless `NO_COLOR` is set (https://no-color.org).
func heading(_ text: String) -> String {
  let isBold = isatty(STDOUT_FILENO) == 1 && environment("TERM") != "dumb" && environment("NO_COLOR") == nil
  return isBold ? "\u{1B}[1m\(text)\u{1B}[0m" : text
}

/// Writes a text to standard error.
func writeToStandardError(_ text: String) {
  _ = writeAll(Array(text.utf8), to: STDERR_FILENO)
}

/// Tells the user something that is not an error.
func note(_ text: String) {
  writeToStandardError("note: \(messageLine(text))\n")
}

/// Tells the user that nothing keeps other processes out of a folder.
func note(inFolderWithoutLocks folder: String) {
  note("\(folder): this file system has no locks; start no second cpt in this folder")
}

/// The path that means standard input or output.
let standardStream = "-"

/// Writes a file atomically, or prints it if the path is `-`.
///
/// - Throws: `InputError.usage` for binary output on a terminal, `InputError.failure` when it cannot be written.
func write(_ bytes: [UInt8], isText: Bool = false, to path: String) throws {
  guard path == standardStream else { return try writeAtomically(bytes, to: path) }
  if !isText, isatty(STDOUT_FILENO) == 1 {
    throw InputError.usage(path, "is a terminal here, and the output is binary; redirect it to a file or a pipe")
  }
  try printPiece(bytes)
}

/// Writes a text atomically, or prints it if the path is `-`.
func write(_ text: String, to path: String) throws {
  try write(Array(text.utf8), isText: true, to: path)
}

/// Prints a result for people: standard output carries nothing else. A closed pipe is not an error.
func printResult(_ text: String) throws {
  try printPiece(messageLines(text) + "\n")
}

/// Prints a result for programs.
func printResult(_ json: JSON) throws {
  try printPiece(json.pretty + "\n")
}

/// Prints a part of a result without buffering; false if the reader has closed the pipe.
@discardableResult
func printPiece(_ text: String) throws -> Bool {
  try printPiece(Array(text.utf8))
}

@discardableResult
private func printPiece(_ bytes: [UInt8]) throws -> Bool {
  if writeAll(bytes, to: STDOUT_FILENO) { return true }
  guard errno == EPIPE else {
    throw InputError.failure("standard output", "cannot be written: \(unsafe String(cString: strerror(errno)))")
  }
  return false
}

/// Whether all was written.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  var bytes = bytes[...]
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
