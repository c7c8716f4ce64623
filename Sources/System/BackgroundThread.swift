import Diagnostics
import Glibc

/// A thread that runs one function, for work that blocks: the threads of Swift's tasks must not wait.
package final class BackgroundThread: @unchecked Sendable {
  // Sendable: `thread` changes only in the initialiser.
  private var thread = pthread_t()

  /// Starts the thread.
  ///
  /// - Throws: `InputError.failure` when the system has no more threads.
  package init(_ body: @escaping @Sendable () -> Void) throws {
    let argument = Unmanaged.passRetained(Body(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    // As much as a main thread has.
    pthread_attr_setstacksize(&attributes, 8 << 20)
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    guard status == 0 else {
      argument.release()
      throw InputError.failure("", "the system started no thread (ulimit -u)")
    }
  }

  /// Waits until the function has returned. To be called once.
  package func join() { pthread_join(thread, nil) }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
