import Glibc

/// The processor cores this process may use.
package enum Cores {
  /// Cores that are online; at least 1.
  package static var available: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
