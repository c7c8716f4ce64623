import Glibc
import Synchronization

/// The signal that asked the program to end, once one has; 0 before.
private let received = Atomic<Int32>(0)

/// The signals that ask a program to end.
private let endingSignals = [SIGINT, SIGTERM, SIGHUP]

/// Catches SIGINT, SIGTERM and SIGHUP so that a run can write a checkpoint; a second signal ends the program at once.
package func catchSignals() {
  unblockSignals()
  for number in endingSignals where !isIgnored(number) {
    signal(number) { number in
      received.store(number, ordering: .relaxed)
      signal(number, SIG_DFL)
    }
  }
}

/// Whether the parent has asked to ignore a signal: `nohup` does so for SIGHUP. (Shells ignore SIGINT for jobs in the
/// background of a script, whose runs are to end with a checkpoint all the same.)
private func isIgnored(_ number: Int32) -> Bool {
  var action = sigaction()
  guard number == SIGHUP, unsafe sigaction(number, nil, &action) == 0 else { return false }
  return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
}

/// The signal that asked the program to end.
package func receivedSignal() -> Int32? {
  let number = received.load(ordering: .relaxed)
  return number == 0 ? nil : number
}

/// The descriptor with an unfinished line that a signal must end; -1: none.
private let descriptorOfOpenLine = Atomic<Int32>(-1)
private let lineBreak: StaticString = "\n"

/// Registers the descriptor, if any, that has an unfinished line.
package func setOpenLine(on descriptor: Int32?) {
  descriptorOfOpenLine.store(descriptor ?? -1, ordering: .relaxed)
}

/// Ends the unfinished line, if there is one; for signal handlers.
func endOpenLine() {
  let descriptor = descriptorOfOpenLine.load(ordering: .relaxed)
  if descriptor >= 0 { _ = unsafe write(descriptor, lineBreak.utf8Start, 1) }
}

/// A file under its temporary name, as a signal handler sees it: C strings that are never freed.
private struct UnfinishedFile {
  let path: UnsafePointer<CChar>
  var part: FinishedPart?

  /// The bytes that are worth keeping, and what to say about them: a text before their rows, one between their number and
  /// that of the next row, one after that.
  struct FinishedPart {
    let name: UnsafePointer<CChar>
    let words: (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>)
    var bytes = 0
    var rows = 0
  }
}

/// The address of the `UnfinishedFile` that a signal must remove or keep; 0: none.
private let unfinishedFile = Atomic<UInt>(0)

/// Replaces the unfinished file. The few bytes of an earlier one are not freed: a signal handler may be reading them.
private func store(_ file: UnfinishedFile) {
  let copy = UnsafeMutablePointer<UnfinishedFile>.allocate(capacity: 1)
  unsafe copy.initialize(to: file)
  unfinishedFile.store(UInt(bitPattern: copy), ordering: .releasing)
}

private func currentUnfinishedFile() -> UnsafePointer<UnfinishedFile>? {
  unsafe UnsafePointer(bitPattern: unfinishedFile.load(ordering: .acquiring))
}

/// Registers the file, if any, to remove when a signal ends the program.
///
/// - Parameters:
///   - path: its temporary name.
///   - name: the name under which `setFinishedRows` are kept instead.
///   - words: what is then said, around the number of the last row and that of the next.
package func setUnfinishedFile(
  _ path: String?, keptAs name: String? = nil, saying words: (String, String, String) = ("", "", "")
) {
  guard let path, let address = unsafe withPath(path, { unsafe strdup($0) }) else {
    return unfinishedFile.store(0, ordering: .releasing)
  }
  var file = unsafe UnfinishedFile(path: UnsafePointer(address), part: nil)
  if let name, let kept = unsafe withPath(name, { unsafe strdup($0) }), let first = unsafe strdup(words.0),
    let second = unsafe strdup(words.1), let third = unsafe strdup(words.2)
  {
    file.part = unsafe UnfinishedFile.FinishedPart(
      name: UnsafePointer(kept), words: (UnsafePointer(first), UnsafePointer(second), UnsafePointer(third)))
  }
  store(file)
}

/// Says how many bytes of the unfinished file are complete rows, and which row is the last of them.
package func setFinishedRows(bytes: Int, last: Int) {
  guard var file = unsafe currentUnfinishedFile()?.pointee, file.part != nil else { return }
  file.part?.bytes = bytes
  file.part?.rows = last
  store(file)
}

/// Removes the unfinished file, or keeps its rows and says so; for signal handlers.
private func leaveUnfinishedFile() {
  guard let file = unsafe currentUnfinishedFile() else { return }
  guard let part = unsafe file.pointee.part, part.rows > 0,
    unsafe truncate(file.pointee.path, part.bytes) == 0, unsafe rename(file.pointee.path, part.name) == 0
  else {
    _ = unsafe unlink(file.pointee.path)
    return
  }
  unsafe say(part.words.0)
  say(part.rows)
  unsafe say(part.words.1)
  say(part.rows + 1)
  unsafe say(part.words.2)
}

private func say(_ words: UnsafePointer<CChar>) { _ = unsafe write(STDERR_FILENO, words, strlen(words)) }

private let digits: StaticString = "0123456789"

/// Writes a number without allocating memory.
private func say(_ number: Int) {
  if number > 9 { say(number / 10) }
  _ = unsafe write(STDERR_FILENO, digits.utf8Start + number % 10, 1)
}

/// Lets SIGINT, SIGTERM and SIGHUP end the program at once, after ending an unfinished line and file.
package func endAtSignals() {
  unblockSignals()
  // The handlers' globals are initialised before a signal can use them.
  setOpenLine(on: nil)
  setUnfinishedFile(nil)
  _ = (lineBreak, digits)
  for number in endingSignals where !isIgnored(number) {
    signal(number) { number in
      endOpenLine()
      leaveUnfinishedFile()
      _exit(128 + number)
    }
  }
}

/// A parent that starts us from a worker thread may have left the signals blocked.
private func unblockSignals() {
  var signals = sigset_t()
  unsafe sigemptyset(&signals)
  for number in endingSignals { unsafe sigaddset(&signals, number) }
  unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
}
