import Diagnostics

// File names are bytes; texts are Unicode. A byte that is no part of UTF-8 becomes one private-use character in a path's
// text (`undecodedBytes`), and the byte again in a system call. Python's `surrogateescape` is the same idea.

/// The text of a path that the system gave.
package func pathText(_ bytes: some Sequence<UInt8>) -> String {
  let bytes = Array(bytes)
  var text = String.UnicodeScalarView()
  func append(bytes part: ArraySlice<UInt8>) {
    for byte in part { if let scalar = Unicode.Scalar(undecodedByteOffset + UInt32(byte)) { text.append(scalar) } }
  }
  var start = 0
  while start < bytes.count {
    // One character at a time: a scalar takes at most four bytes.
    let length = (1...4).first { count in
      start + count <= bytes.count && isScalar(bytes[start..<start + count])
    }
    let part = bytes[start..<start + (length ?? 1)]
    if length != nil, let scalar = String(decoding: part, as: UTF8.self).unicodeScalars.first,
      !undecodedBytes.contains(scalar.value)
    {
      text.append(scalar)
    } else {
      append(bytes: part)
    }
    start += part.count
  }
  return String(text)
}

private func isScalar(_ bytes: ArraySlice<UInt8>) -> Bool {
  guard let text = String(validating: bytes, as: UTF8.self) else { return false }
  return text.unicodeScalars.count == 1
}

/// The text of a path that the system gave, up to its zero byte.
func pathText(_ pointer: UnsafePointer<CChar>) -> String {
  var end = unsafe pointer
  while unsafe end.pointee != 0 { unsafe end += 1 }
  let bytes = unsafe UnsafeBufferPointer(start: pointer, count: end - pointer)
  return unsafe pathText(bytes.lazy.map { UInt8(bitPattern: $0) })
}

/// The bytes of a path's text.
package func pathBytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.flatMap { scalar in
    undecodedBytes.contains(scalar.value)
      ? [UInt8(scalar.value - undecodedByteOffset)] : Array(UTF8.encode(scalar) ?? .init())
  }
}

/// Calls the system with a path's bytes. No file has a name with a zero byte: the system is given the empty path, which it
/// does not find, rather than what stands before that byte.
func withPath<Result>(_ text: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
  let bytes = pathBytes(text)
  let characters = (bytes.contains(0) ? [] : bytes).map { CChar(bitPattern: $0) } + [0]
  return unsafe characters.withUnsafeBufferPointer { buffer in
    guard let start = buffer.baseAddress else { preconditionFailure("a path ends with a zero byte") }
    return unsafe body(start)
  }
}
