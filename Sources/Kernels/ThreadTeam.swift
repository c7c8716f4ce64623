import Dispatch
import Synchronization

/// How many threads share a kernel's work. Work is cut by the number of threads alone, so results are bit-identical
/// from run to run at a given number.
package struct ThreadTeam: Sendable {
  package let threads: Int
  /// Where kernels note their time; nil: nowhere.
  package let profile: Profile?
  private let scratch = ScratchMemory()

  /// A team of that many threads; OpenBLAS's own pool is switched off, since two pools would fight over the cores.
  package init(threads: Int, profile: Profile? = nil) {
    precondition(threads >= 1)
    self.threads = threads
    self.profile = profile
    useBLASThreads(1)
  }

  /// Runs `body` on contiguous slices that cover `0..<count`, one a thread, none smaller than `minimum` unless it is
  /// the only one. `operation` and its floating-point `operations` are what a profile notes.
  func slices(
    _ operation: Profile.Operation, of count: Int, minimum: Int, operations: @autoclosure () -> Double = 0,
    body: @Sendable (Range<Int>) -> Void
  ) {
    measured(operation, operations: operations()) {
      let slices = max(1, min(threads, count / max(1, minimum)))
      if slices == 1 { return body(0..<count) }
      DispatchQueue.concurrentPerform(iterations: slices) { slice in
        body((count * slice / slices)..<(count * (slice + 1) / slices))
      }
    }
  }

  /// `slices` over the rows of elementwise work.
  func rows(_ operation: Profile.Operation, of matrix: Matrix, body: @Sendable (Range<Int>) -> Void) {
    // Work on fewer floats than this takes less time than waking a thread.
    slices(operation, of: matrix.rows, minimum: (1 << 14) / max(1, matrix.columns), body: body)
  }

  /// Runs `body(item, scratch)` for each item, the next free thread taking the next item; each thread has its own
  /// `scratch` of that many floats.
  func items(
    _ operation: Profile.Operation, _ count: Int, scratch: Int, operations: @autoclosure () -> Double = 0,
    body: @Sendable (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    measured(operation, operations: operations()) {
      let workers = min(threads, count)
      if workers <= 1 {
        self.scratch.lend(scratch) { memory in
          for item in 0..<count { body(item, memory) }
        }
        return
      }
      let next = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        self.scratch.lend(scratch) { memory in
          while case let item = next.wrappingAdd(1, ordering: .relaxed).oldValue, item < count { body(item, memory) }
        }
      }
    }
  }
}

extension ThreadTeam {
  /// Lends the calling thread that many floats, contents arbitrary.
  func withScratch(_ count: Int, _ body: (UncheckedSendable<UnsafeMutablePointer<Float>>) -> Void) {
    scratch.lend(count) { body(UncheckedSendable($0)) }
  }
}

/// Memory that threads borrow for a kernel; kept, since pages fresh from the system have to be cleared first.
private final class ScratchMemory: Sendable {
  private let idle = Mutex<[FloatMemory]>([])

  func lend(_ count: Int, to body: (UnsafeMutablePointer<Float>) -> Void) {
    var memory = idle.withLock { $0.popLast() } ?? FloatMemory(count: count)
    if memory.count < count { memory = FloatMemory(count: count) }
    body(memory.base)
    idle.withLock { [memory] in $0.append(memory) }
  }
}

/// A value that a kernel's threads only read while the call that owns it is waiting for them.
struct UncheckedSendable<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) { self.value = value }
}

/// Hands a kernel the numbers of a frozen vector for the length of a call.
func withPointer(to values: [Float], _ body: (UncheckedSendable<UnsafePointer<Float>>) -> Void) {
  values.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress else { return }
    body(UncheckedSendable(base))
  }
}
