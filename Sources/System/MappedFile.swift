import Diagnostics
import Glibc
import Synchronization

/// A file mapped read-only into memory: pages are read from disk on access and shared with other processes.
package final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is immutable from init to deinit.
  package let path: String
  package let bytes: UnsafeRawBufferPointer

  /// Maps the whole file.
  ///
  /// - Throws: `InputError.missing` when it cannot be opened or mapped.
  package init(path: String) throws {
    self.path = path
    // To open a pipe would wait for its writer.
    let descriptor = openFile(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else { throw InputError.missing(path, "cannot be opened: \(systemReason())") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw InputError.missing(path, "is not a regular file")
    }
    let length = Int(status.st_size)
    if length == 0 {
      unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let address = unsafe mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address = unsafe address, unsafe address != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw InputError.missing(path, "cannot be mapped: \(systemReason())")
    }
    unsafe bytes = UnsafeRawBufferPointer(start: address, count: length)
    unsafe MappedRegion.register(bytes, path: path)
  }

  /// Releases the memory of a range of bytes; they are read from the file again on the next access.
  package func release(_ part: UnsafeRawBufferPointer) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard let start = part.baseAddress else { return }
    let first = (Int(bitPattern: start) + page - 1) / page * page
    let end = (Int(bitPattern: start) + part.count) / page * page
    // Whole pages only; a failure only costs memory.
    if end > first { madvise(UnsafeMutableRawPointer(bitPattern: first), end - first, MADV_DONTNEED) }
  }

  deinit {
    if let address = unsafe bytes.baseAddress {
      MappedRegion.forget(UInt(bitPattern: address))
      unsafe munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}

/// The addresses of a mapped file, for a signal handler: it may neither lock nor allocate, so regions form a list whose
/// nodes are never freed.
private struct MappedRegion {
  /// 0 once the file is no longer mapped.
  var start: UInt
  let end: UInt
  /// `cpt: error: PATH: …` with a line break.
  let message: UnsafeMutablePointer<CChar>
  let messageLength: Int
  let next: UnsafeMutablePointer<MappedRegion>?

  static func register(_ bytes: UnsafeRawBufferPointer, path: String) {
    let start = UInt(bitPattern: bytes.baseAddress)
    let error = InputError.missing(
      path, "cannot be read any more: the file became shorter, or its disk failed, while cpt used it; run cpt again")
    guard let message = strdup("cpt: error: \(error)\n") else { return }
    let node = UnsafeMutablePointer<MappedRegion>.allocate(capacity: 1)
    mappedRegionsLock.withLock { _ in
      unsafe node.initialize(
        to: MappedRegion(
          start: start, end: start + UInt(bytes.count), message: message, messageLength: strlen(message),
          next: UnsafeMutablePointer(bitPattern: mappedRegions.load(ordering: .relaxed))))
      mappedRegions.store(UInt(bitPattern: node), ordering: .releasing)
    }
    _ = reportsShrunkFiles
  }

  static func forget(_ start: UInt) {
    mappedRegionsLock.withLock { _ in
      var node = unsafe UnsafeMutablePointer<MappedRegion>(bitPattern: mappedRegions.load(ordering: .relaxed))
      while let region = unsafe node {
        if unsafe region.pointee.start == start { unsafe region.pointee.start = .max }
        unsafe node = region.pointee.next
      }
    }
  }
}

private let mappedRegions = Atomic<UInt>(0)
private let mappedRegionsLock = Mutex(())

/// Ends the program with a message when a page of a mapped file cannot be read (SIGBUS).
private let reportsShrunkFiles: Void = {
  var action = sigaction()
  action.sa_flags = SA_SIGINFO
  unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
    let address = unsafe info.map { unsafe UInt(bitPattern: $0.pointee._sifields._sigfault.si_addr) } ?? 0
    var node = unsafe UnsafeMutablePointer<MappedRegion>(bitPattern: mappedRegions.load(ordering: .acquiring))
    while let region = unsafe node {
      if unsafe region.pointee.start <= address, unsafe address < region.pointee.end {
        endOpenLine()
        _ = unsafe write(STDERR_FILENO, region.pointee.message, region.pointee.messageLength)
        _exit(InputError.Kind.missingInput.rawValue)
      }
      unsafe node = region.pointee.next
    }
    // Not ours: the system's own end of a program.
    signal(SIGBUS, SIG_DFL)
  }
  unsafe sigaction(SIGBUS, &action, nil)
}()
