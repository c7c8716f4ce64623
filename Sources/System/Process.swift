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
