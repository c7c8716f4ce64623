import Diagnostics
import Glibc
import System

@testable import Commands

/// Reads an input with the reader that the environment variable `CPT_READER` names; libFuzzer calls it.
///
/// Any error but an `InputError` of one line ends the process, as a trap does; libFuzzer then keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func readInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  do {
    try reader.read(InputFolder(bytes, files: reader.files))
  } catch let error as InputError {
    let scalars = error.description.unicodeScalars
    if scalars.count > 1200 || scalars.contains(where: { $0.properties.generalCategory == .control }) {
      fail("expected one line of at most 1200 characters, found: \(error)")
    }
  } catch {
    fail("expected an InputError, found: \(error)")
  }
  return 0
}

/// Ends the process as a trap does, after saying why.
func fail(_ reason: String) -> Never {
  writeToStandardError("fuzzing: \(reason)\n")
  abort()
}

/// The reader under test.
private let reader: Reader = {
  let name = getenv("CPT_READER").map { String(cString: $0) } ?? ""
  guard let reader = Reader.all.first(where: { $0.name == name }) else {
    writeToStandardError("expected a reader: \(Reader.all.map(\.name).joined(separator: " "))\n")
    exit(64)
  }
  return reader
}()

/// The folder with the files of an input.
///
/// If the reader takes one file, the input is that file. Else it consists of parts, each a line `=== NAME` and the
/// file's contents. The header of a part NAME.safetensors is a line of text, in place of which it is written with its length.
struct InputFolder {
  /// One folder per process, with the files of the last input.
  static let path: String = {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/cpt-fuzzing-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fail("cannot make a folder in \(parent)") }
    atexit { try? removeRecursively(InputFolder.path) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// The input as it is.
  let bytes: [UInt8]
  var path: String { Self.path }

  /// Replaces the files of the last input; parts of other names count for nothing.
  init(_ bytes: [UInt8], files: [String]) throws {
    self.bytes = bytes
    for name in files { unlink(path + "/" + name) }
    for (name, contents) in files.count == 1 ? [(files[0], bytes)] : Self.parts(of: bytes)
    where files.contains(name) {
      var contents = contents
      if files.count > 1, name.hasSuffix(".safetensors"), let length = contents.firstIndex(of: 0x0A) {
        contents.remove(at: length)
        contents.insert(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }, at: 0)
      }
      try Self.write(contents, to: path + "/" + name)
    }
  }

  /// The parts of an input; the line breaks before a mark and at the end are no contents.
  private static func parts(of bytes: [UInt8]) -> [(name: String, contents: [UInt8])] {
    let mark = Array("=== ".utf8)
    let lines = (bytes.last == 0x0A ? bytes.dropLast() : bytes[...]).split(
      separator: 0x0A, omittingEmptySubsequences: false)
    let starts = lines.indices.filter { lines[$0].starts(with: mark) }
    return zip(starts, starts.dropFirst() + [lines.endIndex]).map { start, end in
      let name = String(decoding: lines[start].dropFirst(mark.count), as: UTF8.self)
      return (name, Array(lines[(start + 1)..<end].joined(separator: [0x0A])))
    }
  }

  /// Writes a file, and the folder that it is in.
  static func write(_ contents: [UInt8], to path: String) throws {
    try makeDirectory(folder(of: path))
    guard let file = fopen(path, "w") else { fail("cannot write \(path)") }
    fwrite(contents, 1, contents.count, file)
    fclose(file)
  }
}
