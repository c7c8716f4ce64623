import Diagnostics
import Glibc

/// Memory of this machine and this process, in bytes.
package enum Memory {
  /// Memory that a process of this many threads may use; the lowest of its limits.
  package static func available(threads: Int) -> Limit {
    limits(threads: threads).lowest ?? Limit(.max, source: "no limit is known")
  }

  /// What limits it: the machine, the process's control groups, and `ulimit`. Of a limited address space, what the
  /// libraries and the threads only reserve is not available.
  package static func limits(threads: Int) -> [Limit] {
    [Limit(sysconf(Int32(_SC_PHYS_PAGES)) * pageSize, source: "physical memory")] + ControlGroups().memory
      + addressSpace.map {
        Limit(max(0, $0.value - reservedAddresses(threads: threads)), source: $0.source, isHard: true)
      }
  }

  /// Limits on the addresses that the process may use, whether or not there is memory behind them.
  private static var addressSpace: [Limit] {
    [Limit(ulimit: RLIMIT_AS, source: "ulimit -v"), Limit(ulimit: RLIMIT_DATA, source: "ulimit -d")]
      .compactMap { $0 }
  }

  /// Whether addresses are limited.
  package static var hasLimitedAddresses: Bool { !addressSpace.isEmpty }

  /// Checks the size of the main thread's stack.
  ///
  /// - Throws: `InputError.usage` when it is too small for any command.
  package static func checkStack() throws {
    guard let limit = Limit(ulimit: RLIMIT_STACK, source: "ulimit -s"), limit.value < 1 << 20 else { return }
    throw InputError.usage(limit.source, "is \(limit.value / 1024) kB; expected at least 1024 kB")
  }

  /// Addresses that libraries and threads reserve (measured; 128 MB a thread by OpenBLAS).
  private static func reservedAddresses(threads: Int) -> Int { 150_000_000 + 300_000_000 * threads }

  /// Checks that addresses suffice for this many threads: OpenBLAS tries for ever to get its own.
  ///
  /// - Throws: `InputError.usage` with the limit and the threads that fit.
  package static func checkAddresses(threads: Int) throws {
    guard let limit = addressSpace.lowest else { return }
    func needed(_ threads: Int) -> Int { reservedAddresses(threads: threads) + 50_000_000 }
    if limit.value >= needed(threads) { return }
    let fewer = (1..<threads).last { needed($0) <= limit.value }
    throw InputError.usage(
      limit.source,
      "is \(limit.value / 1_000_000) MB; \(threads) thread\(threads == 1 ? "" : "s") with the matrix library need "
        + "\(needed(threads) / 1_000_000) MB of addresses; raise it"
        + (fewer.map { ", or use --threads \($0)" } ?? ""))
  }

  /// Peak memory of the process; nil if unknown.
  package static var peak: Int? { kilobytes("VmHWM:").map { $0 * 1024 } }

  /// Memory that the process holds now; nil if unknown.
  package static var resident: Int? { kilobytes("VmRSS:").map { $0 * 1024 } }

  private static var pageSize: Int { sysconf(Int32(_SC_PAGESIZE)) }

  private static func kilobytes(_ field: String) -> Int? { statusField(field).flatMap { Int($0) } }
}

/// The first word of a field of this process's status.
func statusField(_ name: String) -> Substring? {
  guard let bytes = try? readBytes(of: "/proc/self/status") else { return nil }
  let words = String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
  return words.firstIndex { $0 == name }.flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
}
