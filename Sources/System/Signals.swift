import Glibc
import Synchronization

/// The signal that asked the program to end, once one has; 0 before.
private let received = Atomic<Int32>(0)

/// The signals that ask a program to end.
private let endingSignals = [SIGINT, SIGTERM, SIGHUP]

/// Catches SIGINT, SIGTERM and SIGHUP so that a run can write a checkpoint; a second signal ends the program at once.
package func catchSignals() {
  unblockSignals()
  for number in endingSignals {
    signal(number) { number in
      received.store(number, ordering: .relaxed)
      signal(number, SIG_DFL)
    }
  }
}

/// The signal that asked the program to end.
package func receivedSignal() -> Int32? {
  let number = received.load(ordering: .relaxed)
  return number == 0 ? nil : number
}

/// The descriptor on which a line was begun that a signal has to end; -1: none.
private let descriptorOfOpenLine = Atomic<Int32>(-1)
private let lineBreak: StaticString = "\n"

/// Says on which descriptor, if any, a line stands that is not ended.
package func setOpenLine(on descriptor: Int32?) {
  descriptorOfOpenLine.store(descriptor ?? -1, ordering: .relaxed)
}

/// The path of a file that a signal has to remove, as the address of a C string; 0: none.
private let unfinishedFile = Atomic<UInt>(0)

/// Says which file, if any, is not to stay when a signal ends the program.
package func setUnfinishedFile(_ path: String?) {
  // The few bytes of an earlier path stay: a signal may be reading them.
  let copy = unsafe path.flatMap { unsafe strdup($0) }
  unfinishedFile.store(UInt(bitPattern: copy), ordering: .relaxed)
}

/// Lets SIGINT, SIGTERM and SIGHUP end the program at once, after the line that was begun.
package func endAtSignals() {
  unblockSignals()
  // The handlers' globals are made before a signal can ask for them.
  setOpenLine(on: nil)
  setUnfinishedFile(nil)
  _ = lineBreak
  for number in endingSignals {
    signal(number) { number in
      let descriptor = descriptorOfOpenLine.load(ordering: .relaxed)
      if descriptor >= 0 { _ = unsafe write(descriptor, lineBreak.utf8Start, 1) }
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
