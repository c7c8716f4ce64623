import Glibc
import Synchronization

/// The signal that asked the program to end, once one has; 0 before.
private let received = Atomic<Int32>(0)

/// Catches SIGINT, SIGTERM and SIGHUP so that a run can write a checkpoint; a second signal ends the program at once.
///
/// They are unblocked first: a parent that starts us from a worker thread may have left them blocked.
func catchSignals() {
  var signals = sigset_t()
  unsafe sigemptyset(&signals)
  for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, number) }
  unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  for number in [SIGINT, SIGTERM, SIGHUP] {
    signal(number) { number in
      received.store(number, ordering: .relaxed)
      signal(number, SIG_DFL)
    }
  }
}

/// The signal that asked the program to end.
func receivedSignal() -> Int32? {
  let number = received.load(ordering: .relaxed)
  return number == 0 ? nil : number
}
