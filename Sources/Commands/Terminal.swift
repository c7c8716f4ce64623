import Diagnostics
import FileFormats
import Glibc
import Synchronization
import System
import Tuning

/// How progress is shown: the choices of `--progress`.
enum ProgressStyle: String, CaseIterable {
  /// A bar on a terminal, elsewhere a line now and then.
  case auto
  /// A line that is redrawn.
  case bar
  /// Lines.
  case plain
  /// A JSON object a line: `ProgressEvent`. Notes and the error are among them.
  case json
  /// Nothing but notes and the error.
  case none
}

/// The style of this process, which the command line chooses once: notes come from many places.
private let styleOfProcess = Mutex(ProgressStyle.auto)

/// Whether this process prints nothing: of ranks, only the first speaks, but for errors.
private let isSilentProcess = Atomic(false)

/// Whether this process prints nothing but an error.
var isSilent: Bool {
  get { isSilentProcess.load(ordering: .relaxed) }
  set { isSilentProcess.store(newValue, ordering: .relaxed) }
}

/// How this process shows progress.
var progressStyle: ProgressStyle {
  get { styleOfProcess.withLock { $0 } }
  set { styleOfProcess.withLock { $0 = newValue } }
}

/// Progress on standard error: one redrawn line on a terminal, plain lines elsewhere.
final class Terminal {
  /// Whether progress is a line that is redrawn.
  let isInteractive: Bool
  private let style: ProgressStyle
  private var hasLine = false
  /// Rows that the model runs over, as they were last shown.
  private struct CountedRows {
    let activity: String
    /// The rows done when it was first shown, and that time.
    let first: (done: Int, time: Double)
    var done: Int
    /// When a log gets its next line.
    var pace: LogPace
  }

  private var counted: CountedRows?

  /// The terminal of standard error.
  init() {
    style = isSilent ? .none : progressStyle
    isInteractive =
      style == .bar || style == .auto && isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
  }

  /// Columns of the terminal, by default 80.
  var columns: Int {
    var size = winsize()
    if unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return environment("COLUMNS").flatMap(Int.init) ?? 80
  }

  /// Prints a line of progress that stays.
  func line(_ text: String) {
    if style == .json || style == .none { return }
    clear()
    writeToStandardError(folded(messageLines(text)) + "\n")
  }

  /// A line as several if the terminal is narrower, which would break it inside words.
  private func folded(_ line: String) -> String {
    guard isInteractive else { return line }
    var lines = [""]
    for word in line.split(separator: " ", omittingEmptySubsequences: false) {
      let longer = lines[lines.count - 1] + (lines[lines.count - 1].isEmpty ? "" : " ") + word
      if Commands.columns(of: longer) <= columns || lines[lines.count - 1].isEmpty {
        lines[lines.count - 1] = longer
      } else {
        lines.append(String(word))
      }
    }
    return lines.joined(separator: "\n")
  }

  /// Prints an event, if progress is events.
  func event(_ event: @autoclosure () -> ProgressEvent) {
    if style == .json { writeToStandardError(event().line + "\n") }
  }

  /// Shows how many of all rows the model has run over, and from the second time on the time left.
  func rows(_ activity: String, _ done: Int, of all: Int) {
    event(.rows(activity, done, of: all))
    let now = monotonicSeconds()
    var current =
      counted.flatMap { $0.activity == activity && $0.done < done ? $0 : nil }
      ?? CountedRows(
        activity: activity, first: (done, now), done: 0, pace: LogPace(start: now, isEager: style == .plain))
    current.done = done
    let more = done - current.first.done
    let left = more > 0 ? (now - current.first.time) / Double(more) * Double(all - done) : 0
    let text = "\(activity): \(done) of \(all) rows" + (left > 0 ? ", \(duration(left)) left" : "")
    if isInteractive {
      status(text)
    } else if current.pace.isDue(done, of: all, at: now) {
      line(text)
    }
    counted = current
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

/// A heading, bold on a terminal unless `NO_COLOR` is set (https://no-color.org).
func heading(_ text: String) -> String {
  let isBold = isatty(STDOUT_FILENO) == 1 && environment("TERM") != "dumb" && environment("NO_COLOR") == nil
  return isBold ? "\u{1B}[1m\(text)\u{1B}[0m" : text
}

/// Writes a text to standard error.
func writeToStandardError(_ text: String) {
  if !isSilent { writeError(text) }
}

/// Writes a text to standard error, from a silent process too.
func writeError(_ text: String) {
  _ = writeAll(Array(text.utf8), to: STDERR_FILENO)
}

/// Tells the user something that is not an error.
func note(_ text: String) { notice("note: \(text)", asEvent: text) }

/// Prints a line that progress of any style shows, as an event without what only people need.
func notice(_ text: String, asEvent event: String) {
  let isEvent = progressStyle == .json
  writeToStandardError((isEvent ? ProgressEvent.note(event).line : messageLine(text)) + "\n")
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
  if isSilent { return true }
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
