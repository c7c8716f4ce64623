import Glibc

/// Memory of this machine and this process, in bytes.
package enum Memory {
  /// Memory the process may use: the machine's, or its control group's limit if that is less.
  package static var available: Int {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * pageSize
    return min(machine, number(in: "/sys/fs/cgroup/memory.max", field: 0) ?? machine)
  }

  /// Memory the process holds now; 0 if unknown.
  package static var resident: Int { (number(in: "/proc/self/statm", field: 1) ?? 0) * pageSize }

  /// Peak memory of the process; nil if unknown.
  package static var peak: Int? { number(in: "/proc/self/status", after: "VmHWM:").map { $0 * 1024 } }

  private static var pageSize: Int { sysconf(Int32(_SC_PAGESIZE)) }

  private static func number(in file: String, field: Int) -> Int? {
    let fields = fields(of: file)
    return fields.indices.contains(field) ? Int(fields[field]) : nil
  }

  private static func number(in file: String, after name: String) -> Int? {
    let fields = fields(of: file)
    return fields.firstIndex { $0 == name }.flatMap { fields.indices.contains($0 + 1) ? Int(fields[$0 + 1]) : nil }
  }

  private static func fields(of file: String) -> [Substring] {
    guard let bytes = try? readBytes(of: file) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
  }
}
