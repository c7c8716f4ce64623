import Glibc

/// The words of the command line, the program's name first; those that are no UTF-8 as `pathText` gives them.
package var commandLineWords: [String] {
  (0..<Int(CommandLine.argc)).compactMap { index in
    unsafe CommandLine.unsafeArgv[index].map { unsafe pathText(UnsafePointer($0)) }
  }
}

/// Opens descriptors 0 to 2 if the parent has closed them: else the first files that are opened would get their numbers,
/// and what is printed would end up in them. Reading and printing fail, as they would with no descriptor at all.
package func openStandardDescriptors() {
  for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
    // The lowest free number is the one that is missing.
    _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
  }
}

/// Starts the program again, with the same words, once an environment variable is set that libraries read when they are
/// loaded; does nothing if it is set already.
package func restart(setting name: String, to value: String) {
  guard unsafe getenv(name) == nil, setenv(name, value, 1) == 0 else { return }
  unsafe execv("/proc/self/exe", CommandLine.unsafeArgv)
  // The system refused: the libraries stay as they are.
}

/// An environment variable, nil if it is unset or empty.
package func environment(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}
