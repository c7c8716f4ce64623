import Glibc

/// The processor cores this process may use.
package enum Cores {
  /// Number of cores; at least 1.
  package static var available: Int { max(1, limits.lowest?.value ?? 1) }

  /// What limits them: the machine, the process's affinity (`taskset`, cpusets), the quotas of its control groups.
  package static var limits: [Limit] {
    [Limit(sysconf(Int32(_SC_NPROCESSORS_ONLN)), source: "online processors")]
      + [affinity].compactMap { $0 } + ControlGroups().cores
  }

  /// Cores that the scheduler may run this process on.
  private static var affinity: Limit? {
    guard let mask = statusField("Cpus_allowed:") else { return nil }
    return Limit(mask.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }, source: "processor affinity")
  }
}
