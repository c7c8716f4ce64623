import Glibc
import Synchronization

/// Threads that wait for work until their owner is released.
///
/// They are started once, so a lack of threads shows at the start. (Dispatch starts threads when work comes, and waits for
/// ever where the system refuses one.) Fewer threads do the same work: what runs does not depend on their number.
final class WorkerThreads: Sendable {
  private let shared = SharedWork()
  private let threads: [pthread_t]

  /// Starts this many threads, or as many as the system allows.
  init(count: Int) {
    var threads: [pthread_t] = []
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    // Kernels need little; the system's default may be large.
    pthread_attr_setstacksize(&attributes, 2 << 20)
    for _ in 0..<count {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(shared)
      let status = pthread_create(
        &thread, &attributes,
        { argument in
          guard let argument else { return nil }
          Unmanaged<SharedWork>.fromOpaque(argument).takeRetainedValue().serve()
          return nil
        }, argument.toOpaque())
      guard status == 0 else {
        argument.release()
        break
      }
      threads.append(thread)
    }
    pthread_attr_destroy(&attributes)
    self.threads = threads
  }

  deinit {
    shared.end()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Number of threads that were started.
  var count: Int { threads.count }

  /// Runs `body(0)` to `body(iterations - 1)` on the calling thread and the workers; returns when all have ended.
  func perform(iterations: Int, _ body: @Sendable (Int) -> Void) {
    if threads.isEmpty {
      for index in 0..<iterations { body(index) }
    } else {
      withoutActuallyEscaping(body) { body in
        let work = Work(iterations: iterations, body: body)
        shared.run(work)
        work.forget()
      }
    }
  }
}

/// Calls to share out.
private final class Work: @unchecked Sendable {
  // Sendable: `body` changes only when no thread works any more.
  private let next = Atomic(0)
  private let iterations: Int
  private var body: (@Sendable (Int) -> Void)?

  init(iterations: Int, body: @escaping @Sendable (Int) -> Void) {
    self.iterations = iterations
    self.body = body
  }

  /// Runs calls until none is left.
  func help() {
    guard let body else { return }
    while case let index = next.wrappingAdd(1, ordering: .relaxed).oldValue, index < iterations { body(index) }
  }

  /// Releases the body, which lives only as long as the owner's call.
  func forget() { body = nil }
}

/// What the owner and its threads share.
private final class SharedWork: @unchecked Sendable {
  // Sendable: `mutex` guards every variable.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  /// There is work, or the end.
  private let isCalled = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  /// No thread works any more.
  private let isDone = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let callers = Mutex(())
  private var work: Work?
  private var helpers = 0
  private var hasEnded = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(isCalled, nil)
    pthread_cond_init(isDone, nil)
  }

  deinit {
    pthread_cond_destroy(isDone)
    pthread_cond_destroy(isCalled)
    pthread_mutex_destroy(mutex)
    isDone.deallocate()
    isCalled.deallocate()
    mutex.deallocate()
  }

  /// Shares out the calls of some work, and takes part.
  func run(_ work: Work) {
    callers.withLock { _ in
      pthread_mutex_lock(mutex)
      self.work = work
      pthread_cond_broadcast(isCalled)
      pthread_mutex_unlock(mutex)
      work.help()
      pthread_mutex_lock(mutex)
      // A thread that wakes up only now finds nothing.
      self.work = nil
      while helpers > 0 { pthread_cond_wait(isDone, mutex) }
      pthread_mutex_unlock(mutex)
    }
  }

  /// The life of a thread.
  func serve() {
    useOpenMPThreads(1)
    pthread_mutex_lock(mutex)
    var last: Work?
    while !hasEnded {
      guard let work, work !== last else {
        pthread_cond_wait(isCalled, mutex)
        continue
      }
      helpers += 1
      pthread_mutex_unlock(mutex)
      work.help()
      pthread_mutex_lock(mutex)
      last = work
      helpers -= 1
      if helpers == 0 { pthread_cond_signal(isDone) }
    }
    pthread_mutex_unlock(mutex)
  }

  /// Ends every thread.
  func end() {
    pthread_mutex_lock(mutex)
    hasEnded = true
    pthread_cond_broadcast(isCalled)
    pthread_mutex_unlock(mutex)
  }
}
