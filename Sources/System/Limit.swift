import Glibc

/// A limit that this process works under, and where it comes from.
package struct Limit: Sendable, Equatable {
  /// Bytes, or a number of threads.
  package let value: Int
  /// The file, system call or setting that imposes it: "/sys/fs/cgroup/user.slice/memory.max".
  package let source: String

  /// Whether nothing beyond it can be had. Memory may be exceeded for a while: the system drops pages of files.
  package let isHard: Bool

  package init(_ value: Int, source: String, isHard: Bool = false) {
    self.value = value
    self.source = source
    self.isHard = isHard
  }

  /// A limit of the process that `ulimit` shows; nil if there is none.
  init?(ulimit resource: __rlimit_resource, source: String) {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
      let value = Int(exactly: limit.rlim_cur)
    else { return nil }
    self.init(value, source: source, isHard: true)
  }
}

extension [Limit] {
  /// The lowest limit.
  var lowest: Limit? { self.min { $0.value < $1.value } }
}
