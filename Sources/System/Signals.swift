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

/// The path of a file that a signal must remove, as the address of a C string; 0: none.
private let unfinishedFile = Atomic<UInt>(0)

/// Registers the file, if any, to remove when a signal ends the program.
package func setUnfinishedFile(_ path: String?) {
  // The few bytes of an earlier path are not freed: a signal handler may be reading them.
  let copy = unsafe path.flatMap { unsafe withPath($0) { unsafe strdup($0) } }
  unfinishedFile.store(UInt(bitPattern: copy), ordering: .relaxed)
}

/// Lets SIGINT, SIGTERM and SIGHUP end the program at once, after ending an unfinished line.
package func endAtSignals() {
  unblockSignals()
  // The handlers' globals are initialised before a signal can use them.
  setOpenLine(on: nil)
  setUnfinishedFile(nil)
  _ = lineBreak
  for number in endingSignals where !isIgnored(number) {
    signal(number) { number in
      endOpenLine()
      if let path = unsafe UnsafePointer<CChar>(bitPattern: unfinishedFile.load(ordering: .relaxed)) {
        _ = unsafe unlink(path)
      }
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
