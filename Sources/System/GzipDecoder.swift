import CZlib
import Diagnostics

/// Decompresses gzip data (RFC 1952) as it arrives; one or more members, zeros after the last.
final class GzipDecoder {
  private enum State {
    /// Before a member.
    case between
    case member
    /// After zeros that follow a member, as tapes have them.
    case padding
  }

  /// The first bytes of gzip data, which the first bytes given must be.
  static let magic: [UInt8] = [0x1F, 0x8B]

  /// The name in messages.
  private let name: String
  /// zlib's state, which must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var input: [UInt8] = []
  /// Bytes of `input` that are decompressed.
  private var used = 0
  private var state = State.between

  init(name: String) {
    self.name = name
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // The largest window, and gzip's header.
    let status = unsafe inflateInit2_(stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib is the one the program was built with")
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Takes more data, after `next` has returned nothing.
  func add(_ bytes: [UInt8]) {
    input = bytes
    used = 0
  }

  /// Some decompressed bytes; none when more data is needed.
  ///
  /// - Throws: `InputError.badData` for corrupt data.
  func next() throws -> [UInt8] {
    while used < input.count {
      if state != .member {
        if input[used] == 0 {
          state = .padding
          used += 1
          continue
        }
        guard state == .between, input[used] == Self.magic[0], unsafe inflateReset(stream) == Z_OK else {
          throw corrupt
        }
        state = .member
      }
      var status = Z_OK
      let rest = input.count - used
      let output = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        unsafe input.withUnsafeMutableBufferPointer { bytes in
          unsafe stream.pointee.next_in = bytes.baseAddress.map { unsafe $0 + used }
          unsafe stream.pointee.avail_in = UInt32(rest)
          unsafe stream.pointee.next_out = buffer.baseAddress
          unsafe stream.pointee.avail_out = UInt32(buffer.count)
          status = unsafe inflate(stream, Z_NO_FLUSH)
        }
        count = unsafe buffer.count - Int(stream.pointee.avail_out)
      }
      used = unsafe input.count - Int(stream.pointee.avail_in)
      switch status {
      case Z_STREAM_END: state = .between
      case Z_OK, Z_BUF_ERROR: break
      default: throw corrupt
      }
      if !output.isEmpty { return output }
      if status == Z_BUF_ERROR { break }
    }
    return []
  }

  /// Ends the data.
  ///
  /// - Throws: `InputError.badData` within a member.
  func finish() throws {
    if state == .member { throw InputError.badData(name, "the gzip data ends too early; is the download complete?") }
  }

  private var corrupt: InputError { .badData(name, "the gzip data is corrupt; check it with gzip -t") }
}
