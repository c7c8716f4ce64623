import Glibc

/// Memory of this machine and this process, in bytes.
package enum Memory {
  /// What the process may use: the machine's, or its control group's where that is less.
  package static var available: Int {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * pageSize
    return min(machine, number(in: "/sys/fs/cgroup/memory.max", field: 0) ?? machine)
  }

  /// What the process holds at present; 0 where the system does not say.
  package static var resident: Int { (number(in: "/proc/self/statm", field: 1) ?? 0) * pageSize }

  private static var pageSize: Int { sysconf(Int32(_SC_PAGESIZE)) }

  private static func number(in file: String, field: Int) -> Int? {
    guard let bytes = try? readBytes(of: file) else { return nil }
    let fields = String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }
    return fields.indices.contains(field) ? Int(fields[field]) : nil
  }
}
