import Glibc
import Synchronization

/// The threads that share a kernel's work. The split depends only on the number of threads, so results are bit-identical
/// from run to run at a given number.
package struct ThreadTeam: Sendable {
  package let threads: Int
  /// The profile that records the kernels' time; nil: none.
  package let profile: Profile?
  /// Whether kernels are only recorded in the profile, and not run.
  private let isMeasuring: Bool
  private let scratch: ScratchMemory
  private let workers: WorkerThreads

  /// A team of this many threads; OpenBLAS's own pool is switched off, since two pools would compete for the cores.
  ///
  /// `reservesMemory` has OpenBLAS take its memory for every thread now: where addresses are limited it would wait for ever
  /// later.
  package init(threads: Int, profile: Profile? = nil, reservesMemory: Bool = false) {
    precondition(threads >= 1)
    self.threads = threads
    self.profile = profile
    isMeasuring = false
    scratch = ScratchMemory(isMeasured: false)
    workers = WorkerThreads(count: threads - 1)
    useBLASThreads(1)
    if reservesMemory { reserveBLASMemory() }
  }

  /// A team that records the cost of kernels and runs none of them.
  init(measuring profile: Profile, threads: Int) {
    precondition(threads >= 1)
    self.threads = threads
    self.profile = profile
    isMeasuring = true
    scratch = ScratchMemory(isMeasured: true)
    workers = WorkerThreads(count: 0)
  }

  /// The threads that the system has provided, the calling one included; fewer compute the same, slower.
  package var started: Int { isMeasuring ? threads : workers.count + 1 }

  /// Runs a product on all threads at a time. It takes longer than a thread's turn on a processor, so that each thread has
  /// memory of its own before another has finished.
  private func reserveBLASMemory() {
    let started = started, size = 1024, here = Atomic(0)
    let operand = Matrix(rows: size, columns: size), products = Matrix(rows: size * started, columns: size)
    workers.perform(iterations: started) { index in
      here.wrappingAdd(1, ordering: .relaxed)
      while here.load(ordering: .relaxed) < started { sched_yield() }
      multiply(
        m: size, n: size, k: size, operand.base, leadingA: size, operand.base, leadingB: size,
        into: products.base + size * size * index, leadingC: size)
    }
  }

  /// Peak floats of kernels outside a workspace: scratch memory, and OpenBLAS's packed operands.
  var scratchPeak: Int { scratch.peak }

  /// Records, if the team only measures, the floats that OpenBLAS packs on each of some threads.
  func notePacking(_ floats: Int, workers: Int) { if isMeasuring { scratch.notePacking(floats * workers) } }

  /// Runs a kernel and records its time if there is a profile; if the team only measures, records its operations.
  func measured(_ operation: Profile.Operation, operations: @autoclosure () -> Double = 0, _ body: () -> Void) {
    if isMeasuring {
      profile?.add(operation, seconds: 0, operations: operations())
      return
    }
    guard let profile else { return body() }
    let start = ContinuousClock.now
    body()
    profile.add(operation, seconds: (ContinuousClock.now - start) / .seconds(1), operations: operations())
  }

  /// Runs `body` on contiguous slices that cover `0..<count`, one per thread, none smaller than `minimum` unless it is
  /// the only one. A profile records `operation` and its floating-point `operations`.
  func slices(
    _ operation: Profile.Operation, of count: Int, minimum: Int, operations: @autoclosure () -> Double = 0,
    body: @Sendable (Range<Int>) -> Void
  ) {
    measured(operation, operations: operations()) {
      let slices = sliceCount(count, minimum: minimum)
      if slices == 1 { return body(0..<count) }
      self.workers.perform(iterations: slices) { slice in
        body((count * slice / slices)..<(count * (slice + 1) / slices))
      }
    }
  }

  /// `slices` with a `scratch` of this many floats per thread.
  func slices(
    _ operation: Profile.Operation, of count: Int, minimum: Int, scratch: Int,
    operations: @autoclosure () -> Double = 0, body: @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    if isMeasuring { self.scratch.note(scratch, workers: sliceCount(count, minimum: minimum)) }
    slices(operation, of: count, minimum: minimum, operations: operations()) { slice in
      self.scratch.lend(scratch) { body(slice, $0) }
    }
  }

  private func sliceCount(_ count: Int, minimum: Int) -> Int { max(1, min(threads, count / max(1, minimum))) }

  /// `slices` over the rows of elementwise work.
  func rows(_ operation: Profile.Operation, of matrix: Matrix, body: @Sendable (Range<Int>) -> Void) {
    // Work on fewer floats than this takes less time than waking a thread.
    slices(operation, of: matrix.rows, minimum: (1 << 14) / max(1, matrix.columns), body: body)
  }

  /// Runs `body(item, scratch)` for each item; the next free thread takes the next item. Each thread has its own
  /// `scratch` of this many floats.
  func items(
    _ operation: Profile.Operation, _ count: Int, scratch: Int, operations: @autoclosure () -> Double = 0,
    body: @Sendable (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    let workers = min(threads, count)
    if isMeasuring { self.scratch.note(scratch, workers: workers) }
    measured(operation, operations: operations()) {
      if workers <= 1 {
        self.scratch.lend(scratch) { memory in
          for item in 0..<count { body(item, memory) }
        }
        return
      }
      let next = Atomic(0)
      self.workers.perform(iterations: workers) { _ in
        self.scratch.lend(scratch) { memory in
          while case let item = next.wrappingAdd(1, ordering: .relaxed).oldValue, item < count { body(item, memory) }
        }
      }
    }
  }
}

extension ThreadTeam {
  /// Lends the calling thread this many floats, with arbitrary contents.
  func withScratch(_ count: Int, _ body: (UncheckedSendable<UnsafeMutablePointer<Float>>) -> Void) {
    scratch.lend(count) { body(UncheckedSendable($0)) }
  }
}

/// Memory that threads borrow for a kernel; it is kept, since the system must clear new pages first.
private final class ScratchMemory: Sendable {
  private struct State {
    var idle: [FloatMemory] = []
    /// Floats of all memory, lent or idle, and their peak.
    var total = 0
    var peak = 0
    /// The most floats OpenBLAS has packed; it keeps the memory.
    var packed = 0
  }

  private let state = Mutex(State())
  private let isMeasured: Bool

  init(isMeasured: Bool) { self.isMeasured = isMeasured }

  var peak: Int { state.withLock { $0.peak + $0.packed } }

  func notePacking(_ floats: Int) { state.withLock { $0.packed = max($0.packed, floats) } }

  func lend(_ count: Int, to body: (UnsafeMutablePointer<Float>) -> Void) {
    let memory = borrow(count)
    body(memory.base)
    giveBack(memory)
  }

  /// Borrows for this many workers at once, and returns all of it.
  func note(_ count: Int, workers: Int) {
    let borrowed = (0..<workers).map { _ in borrow(count) }
    for memory in borrowed { giveBack(memory) }
  }

  private func borrow(_ count: Int) -> FloatMemory {
    let isMeasured = isMeasured
    return state.withLock { state in
      let idle = state.idle.popLast()
      if let idle, idle.count >= count { return idle }
      let memory = FloatMemory(count: count, isMeasured: isMeasured)
      state.total += count - (idle?.count ?? 0)
      state.peak = max(state.peak, state.total)
      return memory
    }
  }

  private func giveBack(_ memory: FloatMemory) { state.withLock { $0.idle.append(memory) } }
}

/// A value that a kernel's threads only read while the owning call waits for them.
struct UncheckedSendable<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) { self.value = value }
}

/// Gives a kernel the numbers of a frozen vector for the duration of a call.
func withPointer(to values: [Float], _ body: (UncheckedSendable<UnsafePointer<Float>>) -> Void) {
  values.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress else { return }
    body(UncheckedSendable(base))
  }
}
