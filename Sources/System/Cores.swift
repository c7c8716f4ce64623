import Glibc

/// The processor cores this process may use.
package enum Cores {
  /// Number of online cores; at least 1.
  package static var available: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
