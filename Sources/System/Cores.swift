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

  /// The cores that the scheduler may run this process on, as bits of hexadecimal digits; nil where that is not known.
  package static var affinityMask: String? { statusField("Cpus_allowed:").map(String.init) }

  private static var affinity: Limit? {
    guard let mask = affinityMask else { return nil }
    return Limit(mask.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }, source: "processor affinity")
  }
}
